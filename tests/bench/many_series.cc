// Orders of very many series, and a check of the rows that an engine makes of them (wide.yaml):
//
//   many_series feed  BOOTSTRAP NAMESPACE PARTITIONS SERIES MINUTES
//   many_series check BOOTSTRAP NAMESPACE PARTITIONS SERIES MINUTES
//
// Every series has one order a minute; quantity and price are functions of series and minute. A last order a partition,
// three minutes on, closes what is open. `check` wants every row of NAMESPACE.features once and right; it prints one
// JSON line.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "engine/core/hash.h"
#include "engine/io/kafka_event_producer.h"
#include "engine/io/kafka_transport.h"

namespace tidecast {
namespace {

constexpr int64_t kBaseMs = 1'795'219'200'000;
constexpr int64_t kMinuteMs = 60'000;
constexpr size_t kBatch = 20'000;

struct Size {
  std::string bootstrap;
  std::string name;
  int32_t partitions = 0;
  int64_t series = 0;
  int64_t minutes = 0;
};

std::string Sku(int64_t i) { return fmt::format("S{:07}", i); }
int64_t Quantity(int64_t i, int64_t minute) { return 1 + (i * 7919 + minute * 31) % 9; }
int64_t PriceCents(int64_t i) { return 100 + i % 9000; }

[[noreturn]] void Die(const Status& status) {
  fmt::print(stderr, "many_series: {}\n", status.message());
  std::exit(ExitCode(status.code()));
}

KafkaTransportOptions OptionsOf(const Size& size, const char* who) {
  KafkaTransportOptions options;
  options.properties = {{"bootstrap.servers", size.bootstrap}};
  options.name_space = size.name + "." + who;
  options.instance = who;
  return options;
}

int Feed(const Size& size) {
  auto transport = MakeKafkaTransport(OptionsOf(size, "feed"));
  if (!transport.ok()) Die(transport.status());
  if (Status opened = (*transport)->Open(); !opened.ok()) Die(opened);
  const std::string topic = size.name + ".orders";
  if (Status made = (*transport)->CreateTopic({topic, size.partitions, {}}); !made.ok()) Die(made);
  auto sender = KafkaEventProducer::Make(OptionsOf(size, "feed"));
  if (!sender.ok()) Die(sender.status());
  std::vector<OutputRecord> records;
  const auto send = [&] {
    if (auto sent = (*sender)->Append(records, false); !sent.ok()) Die(sent.status());
    records.clear();
  };
  for (int64_t minute = 0; minute < size.minutes; ++minute) {
    for (int64_t i = 0; i < size.series; ++i) {
      // Spread over the minute, each series at a second of its own.
      const int64_t ms = kBaseMs + minute * kMinuteMs + i * kMinuteMs / size.series;
      const int64_t cents = PriceCents(i);
      records.push_back({.topic = topic,
                         .key = Sku(i),
                         .value = fmt::format(R"({{"sku":"{}","ts":{},"quantity":{},"unit_price":{}.{:02}}})", Sku(i),
                                              ms, Quantity(i, minute), cents / 100, cents % 100)});
      if (records.size() == kBatch) send();
    }
  }
  for (int32_t p = 0; p < size.partitions; ++p) {
    records.push_back({.topic = topic,
                       .partition = p,
                       .key = fmt::format("END-{}", p),
                       .value = fmt::format(R"({{"sku":"END-{}","ts":{},"quantity":1,"unit_price":1}})", p,
                                            kBaseMs + (size.minutes + 3) * kMinuteMs)});
  }
  send();
  fmt::print("{} orders\n", size.series * size.minutes + size.partitions);
  return 0;
}

double FieldOf(std::string_view json, std::string_view name) {
  const size_t at = json.find(name);
  double value = -1;
  if (at != std::string_view::npos) std::from_chars(json.data() + at + name.size(), json.data() + json.size(), value);
  return value;
}

int Check(const Size& size) {
  auto transport = MakeKafkaTransport(OptionsOf(size, "check"));
  if (!transport.ok()) Die(transport.status());
  if (Status opened = (*transport)->Open(); !opened.ok()) Die(opened);
  std::vector<uint8_t> seen(static_cast<size_t>(size.series * size.minutes));
  int64_t exact = 0, wrong = 0, twice = 0;
  for (int32_t p = 0; p < size.partitions; ++p) {
    auto reader = (*transport)->OpenReader({size.name + ".features", p}, -2, true);
    if (!reader.ok()) Die(reader.status());
    const auto batch = (*reader)->MakeBatch();
    for (bool at_end = false; !at_end;) {
      const auto read = (*reader)->Read(*batch, 10'000, 100);
      if (!read.ok()) Die(read.status());
      for (const InputRecord& record : batch->records()) {
        if (record.key.starts_with("END-")) continue;
        int64_t i = -1;
        std::from_chars(record.key.data() + 1, record.key.data() + record.key.size(), i);
        const int64_t minute = (static_cast<int64_t>(FieldOf(record.value, "\"end\":")) - kBaseMs) / kMinuteMs - 1;
        if (i < 0 || i >= size.series || minute < 0 || minute >= size.minutes) {
          ++wrong;
          continue;
        }
        const double units = static_cast<double>(Quantity(i, minute));
        const double revenue = static_cast<double>(Quantity(i, minute) * PriceCents(i)) / 100;
        const bool right =
            FieldOf(record.value, "\"units\":") == units && FieldOf(record.value, "\"revenue\":") == revenue;
        uint8_t& mark = seen[static_cast<size_t>(minute * size.series + i)];
        (mark != 0 ? twice : right ? exact : wrong) += 1;
        mark = 1;
      }
      at_end = read->at_end;
    }
  }
  const bool correct = exact == size.series * size.minutes && wrong == 0 && twice == 0;
  fmt::print(R"({{"correct":{},"rows":{},"exact":{},"wrong":{},"twice":{},"missing":{}}})"
             "\n",
             correct, exact + wrong + twice, exact, wrong, twice, size.series * size.minutes - exact - wrong);
  return correct ? 0 : 1;
}

}  // namespace
}  // namespace tidecast

int main(int argc, char** argv) {
  using namespace tidecast;
  if (argc == 7) {
    const Size size{argv[2], argv[3], std::atoi(argv[4]), std::atoll(argv[5]), std::atoll(argv[6])};
    if (size.partitions > 0 && size.series > 0 && size.minutes > 0) {
      if (std::strcmp(argv[1], "feed") == 0) return Feed(size);
      if (std::strcmp(argv[1], "check") == 0) return Check(size);
    }
  }
  std::fprintf(stderr, "usage: many_series feed|check BOOTSTRAP NAMESPACE PARTITIONS SERIES MINUTES\n");
  return 64;
}
