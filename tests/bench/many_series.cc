// Orders of very many series, and a check of the rows that an engine makes of them (wide.yaml):
//
//   many_series feed  BOOTSTRAP NAMESPACE PARTITIONS SERIES BUCKETS SECONDS [MINUTES]
//   many_series end   BOOTSTRAP NAMESPACE PARTITIONS SERIES BUCKETS SECONDS
//   many_series drip  BOOTSTRAP NAMESPACE PARTITIONS SERIES BUCKETS SECONDS RATE
//   many_series check BOOTSTRAP NAMESPACE PARTITIONS SERIES BUCKETS SECONDS [DRIPPED]
//
// Every series has one order a bucket of SECONDS; quantity and price are functions of series and bucket. With MINUTES
// it has one in each of the first MINUTES minutes of the bucket; those after the first are of no pieces. `end`: a last
// order a partition, three buckets on, closes what is open. `drip`: RATE orders of one piece a second, all in the
// bucket after those of `feed`, until SIGTERM; prints how many. `check` wants every row of NAMESPACE.features once and
// right, and DRIPPED pieces in that bucket; it prints one JSON line.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
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
constexpr int64_t kDripMs = 30'000;  // into its bucket: later than the lateness of the one before

volatile std::sig_atomic_t stopped = 0;

struct Size {
  std::string bootstrap;
  std::string name;
  int32_t partitions = 0;
  int64_t series = 0;
  int64_t buckets = 0;
  int64_t bucket_ms = 0;
};

std::string Sku(int64_t i) { return fmt::format("S{:07}", i); }
int64_t Quantity(int64_t i, int64_t bucket) { return 1 + (i * 7919 + bucket * 31) % 9; }
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

std::string Topic(const Size& size) { return size.name + ".orders"; }

// Sends what it is given, kBatch orders at a time.
class Sender {
 public:
  explicit Sender(const Size& size) {
    auto producer = KafkaEventProducer::Make(OptionsOf(size, "feed"));
    if (!producer.ok()) Die(producer.status());
    producer_ = std::move(producer).value();
  }
  void Add(OutputRecord record) {
    records_.push_back(std::move(record));
    if (records_.size() == kBatch) Send();
  }
  void Send() {
    if (auto sent = producer_->Append(records_, false); !sent.ok()) Die(sent.status());
    records_.clear();
  }

 private:
  std::unique_ptr<KafkaEventProducer> producer_;
  std::vector<OutputRecord> records_;
};

OutputRecord Order(const Size& size, int64_t i, int64_t ms, int64_t quantity) {
  const int64_t cents = PriceCents(i);
  return {.topic = Topic(size),
          .key = Sku(i),
          .value = fmt::format(R"({{"sku":"{}","ts":{},"quantity":{},"unit_price":{}.{:02}}})", Sku(i), ms, quantity,
                               cents / 100, cents % 100)};
}

int Feed(const Size& size, int64_t minutes) {
  auto transport = MakeKafkaTransport(OptionsOf(size, "feed"));
  if (!transport.ok()) Die(transport.status());
  if (Status opened = (*transport)->Open(); !opened.ok()) Die(opened);
  if (Status made = (*transport)->CreateTopic({Topic(size), size.partitions, {}}); !made.ok()) Die(made);
  Sender sender(size);
  for (int64_t bucket = 0; bucket < size.buckets; ++bucket) {
    const int64_t span = minutes > 1 ? kMinuteMs : size.bucket_ms;
    for (int64_t minute = 0; minute < minutes; ++minute) {
      for (int64_t i = 0; i < size.series; ++i) {
        // Spread over the bucket, or the minute, each series at a second of its own.
        sender.Add(Order(size, i, kBaseMs + bucket * size.bucket_ms + minute * kMinuteMs + i * span / size.series,
                         minute == 0 ? Quantity(i, bucket) : 0));
      }
    }
  }
  sender.Send();
  fmt::print("{} orders\n", size.series * size.buckets * minutes);
  return 0;
}

// The producer sends an event where its key belongs.
std::string KeyInPartition(int32_t partition, int32_t partitions) {
  for (int i = 0;; ++i) {
    std::string key = fmt::format("END-{}-{}", partition, i);
    if (PartitionOf(key, partitions) == partition) return key;
  }
}

int End(const Size& size) {
  Sender sender(size);
  for (int32_t p = 0; p < size.partitions; ++p) {
    const std::string key = KeyInPartition(p, size.partitions);
    sender.Add({.topic = Topic(size),
                .key = key,
                .value = fmt::format(R"({{"sku":"{}","ts":{},"quantity":1,"unit_price":1}})", key,
                                     kBaseMs + (size.buckets + 3) * size.bucket_ms)});
  }
  sender.Send();
  return 0;
}

int Drip(const Size& size, int64_t rate) {
  std::signal(SIGTERM, [](int) { stopped = 1; });
  Sender sender(size);
  constexpr int64_t kSlices = 50;  // a second
  int64_t sent = 0;
  auto next = std::chrono::steady_clock::now();
  while (stopped == 0) {
    for (int64_t i = 0; i < rate / kSlices; ++i, ++sent)
      sender.Add(Order(size, sent % size.series, kBaseMs + size.buckets * size.bucket_ms + kDripMs, 1));
    sender.Send();
    next += std::chrono::milliseconds(1000 / kSlices);
    std::this_thread::sleep_until(next);
  }
  fmt::print("{}\n", sent);
  return 0;
}

double FieldOf(std::string_view json, std::string_view name) {
  const size_t at = json.find(name);
  double value = -1;
  if (at != std::string_view::npos) std::from_chars(json.data() + at + name.size(), json.data() + json.size(), value);
  return value;
}

void Show(const InputRecord& record) {
  fmt::print(stderr, "many_series: a wrong row: {} {}\n", record.key, record.value);
}

int Check(const Size& size, int64_t dripped) {
  auto transport = MakeKafkaTransport(OptionsOf(size, "check"));
  if (!transport.ok()) Die(transport.status());
  if (Status opened = (*transport)->Open(); !opened.ok()) Die(opened);
  std::vector<uint8_t> seen(static_cast<size_t>(size.series * size.buckets));
  int64_t exact = 0, wrong = 0, twice = 0, pieces = 0;
  for (int32_t p = 0; p < size.partitions; ++p) {
    auto reader = (*transport)->OpenReader({size.name + ".features", p}, -2, true);
    if (!reader.ok()) Die(reader.status());
    const auto batch = (*reader)->MakeBatch();
    for (bool at_end = false; !at_end;) {
      const auto read = (*reader)->Read(*batch, 10'000, 100);
      if (!read.ok()) Die(read.status());
      for (const InputRecord& record : batch->records()) {
        const std::string_view sku = record.key.substr(record.key.rfind('/') + 1);  // of several views: sku/S...
        if (sku.starts_with("END-")) continue;
        int64_t i = -1;
        std::from_chars(sku.data() + 1, sku.data() + sku.size(), i);
        const int64_t bucket = (static_cast<int64_t>(FieldOf(record.value, "\"end\":")) - kBaseMs) / size.bucket_ms - 1;
        if (bucket == size.buckets && dripped > 0) {
          pieces += static_cast<int64_t>(FieldOf(record.value, "\"units\":"));
          continue;
        }
        if (i < 0 || i >= size.series || bucket < 0 || bucket >= size.buckets) {
          if (wrong++ == 0) Show(record);
          continue;
        }
        const double units = static_cast<double>(Quantity(i, bucket));
        const double revenue = static_cast<double>(Quantity(i, bucket) * PriceCents(i)) / 100;
        const bool right =
            FieldOf(record.value, "\"units\":") == units && FieldOf(record.value, "\"revenue\":") == revenue;
        if (!right && wrong == 0) Show(record);
        uint8_t& mark = seen[static_cast<size_t>(bucket * size.series + i)];
        (mark != 0 ? twice : right ? exact : wrong) += 1;
        mark = 1;
      }
      at_end = read->at_end;
    }
  }
  const bool correct = exact == size.series * size.buckets && wrong == 0 && twice == 0 && pieces == dripped;
  fmt::print(R"({{"correct":{},"rows":{},"exact":{},"wrong":{},"twice":{},"missing":{},"dripped":{}}})"
             "\n",
             correct, exact + wrong + twice, exact, wrong, twice, size.series * size.buckets - exact - wrong, pieces);
  return correct ? 0 : 1;
}

}  // namespace
}  // namespace tidecast

int main(int argc, char** argv) {
  using namespace tidecast;
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (argc == 8 || (argc == 9 && verb != "end")) {
    const Size size{
        argv[2], argv[3], std::atoi(argv[4]), std::atoll(argv[5]), std::atoll(argv[6]), std::atoll(argv[7]) * 1000};
    const int64_t last = argc == 9 ? std::atoll(argv[8]) : 0;
    if (size.partitions > 0 && size.series > 0 && size.buckets > 0 && size.bucket_ms > 0) {
      if (verb == "feed" && last >= 0) return Feed(size, std::max<int64_t>(last, 1));
      if (verb == "end") return End(size);
      if (verb == "drip" && last > 0) return Drip(size, last);
      if (verb == "check") return Check(size, last);
    }
  }
  std::fprintf(
      stderr,
      "usage: many_series feed|end|drip|check BOOTSTRAP NAMESPACE PARTITIONS SERIES BUCKETS SECONDS "
      "[MINUTES|RATE|DRIPPED]\n");
  return 64;
}
