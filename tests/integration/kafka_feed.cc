// Puts the lines of an order file into a Kafka topic, as a shop's producer would: for the engine's tests.
//
//   kafka_feed BOOTSTRAP CONFIG ORDERS_FILE
//
// Topics and partitions are the config's; they are created when they are missing.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "config/config_loader.h"
#include "engine/io/file_feeder.h"
#include "engine/io/kafka_transport.h"

namespace tidecast {
namespace {

Status WaitForCommit(LogTransport& transport) {
  std::vector<TransportEvent> events;
  for (int tries = 0; tries < 600; ++tries) {
    transport.Step(50, &events);
    for (const TransportEvent& event : events) {
      if (event.kind != TransportEvent::Kind::kTransaction) continue;
      return event.outcome == Outcome::kOk ? Status::Ok() : event.status;
    }
    events.clear();
  }
  return Status(Code::kTimeout, "the feed's transaction did not end");
}

Status Feed(const std::string& bootstrap, const std::string& config, const std::string& orders) {
  TC_ASSIGN_OR_RETURN(const EngineOptions options, LoadConfig(config));
  KafkaTransportOptions kafka;
  kafka.properties = {{"bootstrap.servers", bootstrap}};
  kafka.name_space = options.name_space + ".feed";
  kafka.instance = "feed";
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<LogTransport> transport, MakeKafkaTransport(std::move(kafka)));
  TC_RETURN_IF_ERROR(transport->Open());
  for (const InputOptions& input : options.inputs) TC_RETURN_IF_ERROR(transport->CreateTopic({input.topic, options.partitions, {}}));
  TC_ASSIGN_OR_RETURN(const auto feeder, FileFeeder::Open({{orders, options.inputs.front()}}, FileFeeder::Order::kEventTime));
  TC_RETURN_IF_ERROR(transport->Begin());
  Status produced;
  for (bool more = true; more && produced.ok();) {
    TC_ASSIGN_OR_RETURN(more, feeder->Next(1024, [&](const FeedRecord& record) {
      OutputRecord out;
      out.topic = options.inputs.front().topic;
      out.key = std::string(record.key);
      out.value = std::string(record.value);
      out.record_time = record.time;
      std::vector<TransportEvent> events;
      for (int tries = 0; tries < 1000; ++tries) {
        produced = transport->Produce(out);
        if (produced.code() != Code::kWouldBlock) break;
        transport->Step(20, &events);
      }
    }));
  }
  TC_RETURN_IF_ERROR(std::move(produced));
  transport->Commit({});
  TC_RETURN_IF_ERROR(WaitForCommit(*transport));
  fmt::print("{} lines fed\n", feeder->lines_read());
  return Status::Ok();
}

}  // namespace
}  // namespace tidecast

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: kafka_feed BOOTSTRAP CONFIG ORDERS_FILE\n");
    return 64;
  }
  const tidecast::Status status = tidecast::Feed(argv[1], argv[2], argv[3]);
  if (status.ok()) return 0;
  fmt::print(stderr, "kafka_feed: {}\n", status.message());
  return tidecast::ExitCode(status.code());
}
