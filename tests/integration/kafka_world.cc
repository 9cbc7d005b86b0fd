#include "tests/integration/kafka_world.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "engine/io/kafka_config.h"

namespace tidecast::integration {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

KafkaTransportOptions OptionsOf(const std::string& word, const std::string& member) {
  KafkaTransportOptions options;
  options.properties = {{"bootstrap.servers", BrokerAddress()}};
  options.name_space = word;
  options.instance = member;
  options.group = word + ".group";
  options.log = [](KafkaLogLevel level, std::string_view text) {
    if (level >= KafkaLogLevel::kWarning)
      std::fprintf(stderr, "[librdkafka] %.*s\n", static_cast<int>(text.size()), text.data());
  };
  return options;
}

}  // namespace

std::string BrokerAddress() {
  if (const char* given = std::getenv("TIDECAST_KAFKA_BOOTSTRAP"); given != nullptr && *given != '\0') return given;
  std::string address = ReadAll(TIDECAST_KAFKA_FOLDER "/address");
  while (!address.empty() && address.back() == '\n') address.pop_back();
  return address;
}

std::string NoBrokerReason() {
  const std::string reason = ReadAll(TIDECAST_KAFKA_FOLDER "/skipped");
  return reason.empty() ? "no Kafka broker was started: run this by ctest, or set TIDECAST_KAFKA_BOOTSTRAP" : reason;
}

bool BrokerIsOurs() { return std::getenv("TIDECAST_KAFKA_BOOTSTRAP") == nullptr; }

int RunBrokerScript(const std::string& verb) {
  const std::string command = "'" TIDECAST_KAFKA_SCRIPT "' " + verb + " --dir '" TIDECAST_KAFKA_FOLDER "/broker' >&2";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void HealBroker() {
  if (BrokerIsOurs() && RunBrokerScript("status") != 0) RunBrokerScript("restart");
}

std::string UniqueWord() {
  static std::atomic<int> count{0};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return fmt::format("t{:x}.{}", std::chrono::duration_cast<std::chrono::microseconds>(now).count(), count++);
}

KafkaWorld::KafkaWorld() : word_(UniqueWord()) {}
KafkaWorld::~KafkaWorld() = default;

std::unique_ptr<LogTransport> KafkaWorld::MakeClient(const std::string& member) { return MakeClientWith(member, {}); }

std::unique_ptr<LogTransport> KafkaWorld::MakeClientWith(const std::string& member,
                                                         const std::map<std::string, std::string>& properties,
                                                         const std::function<void(KafkaTransportOptions&)>& change) {
  KafkaTransportOptions options = OptionsOf(word_, member);
  for (const auto& [name, value] : properties) options.properties[name] = value;
  if (change) change(options);
  auto client = MakeKafkaTransport(std::move(options));
  TC_CHECK(client.ok(), "{}", client.status().message());
  return std::move(client).value();
}

LogTransport& KafkaWorld::feeder() {
  if (!feeder_) {
    feeder_ = MakeClient("feeder");
    const Status opened = feeder_->Open();
    TC_CHECK(opened.ok(), "{}", opened.message());
  }
  return *feeder_;
}

void KafkaWorld::Feed(LogTransport&, const std::vector<OutputRecord>& records) {
  LogTransport& feeder = this->feeder();
  std::vector<TransportEvent> events;
  const Status begun = feeder.Begin();
  TC_CHECK(begun.ok(), "{}", begun.message());
  for (const OutputRecord& record : records) {
    Status status = feeder.Produce(record);
    for (; status.code() == Code::kWouldBlock; status = feeder.Produce(record)) feeder.Step(20, &events);
    TC_CHECK(status.ok(), "{}", status.message());
  }
  feeder.Commit({});
  const auto end = std::chrono::steady_clock::now() + Deadline();
  const auto ended = [&] {
    for (const TransportEvent& event : events) {
      if (event.kind != TransportEvent::Kind::kTransaction) continue;
      TC_CHECK(event.outcome == Outcome::kOk, "{}", event.status.message());
      return true;
    }
    return false;
  };
  while (!ended()) {
    TC_CHECK(std::chrono::steady_clock::now() < end, "feeding does not end");
    feeder.Step(20, &events);
  }
}

std::optional<int64_t> KafkaWorld::CommittedPosition(LogTransport&, const TopicPartition& source) {
  const KafkaTransportOptions options = OptionsOf(word_, "observer");
  auto conf = MakeKafkaConf(options, KafkaRole::kObserver);
  TC_CHECK(conf.ok());
  rd_kafka_conf_set(conf->get(), "group.id", options.group.c_str(), nullptr, 0);
  auto client =
      MakeKafkaClient(std::move(conf).value(), KafkaRole::kObserver, {std::make_shared<KafkaLog>(nullptr), {}, {}});
  TC_CHECK(client.ok());
  const KafkaPartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), source.topic.c_str(), source.partition);
  const auto error = rd_kafka_committed(client->get(), list.get(), 20'000);
  TC_CHECK(error == RD_KAFKA_RESP_ERR_NO_ERROR, "{}", rd_kafka_err2str(error));
  const int64_t offset = list->elems[0].offset;
  return offset < 0 ? std::nullopt : std::optional(offset);
}

}  // namespace tidecast::integration
