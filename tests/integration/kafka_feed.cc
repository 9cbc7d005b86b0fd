// Puts the lines of files into Kafka topics, ordered by their time, as a shop's producers would: for the engine's tests.
//
//   kafka_feed BOOTSTRAP CONFIG FILE...      each file for the input in its place in the config
//
// Topics and partitions are the config's; they are created when they are missing.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <span>

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

Status Feed(const std::string& bootstrap, const std::string& config, std::span<char*> paths) {
  TC_ASSIGN_OR_RETURN(const EngineOptions options, LoadConfig(config));
  KafkaTransportOptions kafka;
  kafka.properties = {{"bootstrap.servers", bootstrap}};
  kafka.name_space = options.name_space + ".feed";
  kafka.instance = "feed";
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<LogTransport> transport, MakeKafkaTransport(std::move(kafka)));
  TC_RETURN_IF_ERROR(transport->Open());
  for (const InputOptions& input : options.inputs) TC_RETURN_IF_ERROR(transport->CreateTopic({input.topic, options.partitions, {}}));
  if (paths.size() > options.inputs.size()) return Status(Code::kUsage, "more files than the config has inputs", Domain::kInput);
  std::vector<FeedFile> files;
  for (size_t i = 0; i < paths.size(); ++i) files.push_back({paths[i], options.inputs[i]});
  TC_ASSIGN_OR_RETURN(const auto feeder, FileFeeder::Open(files, FileFeeder::Order::kEventTime));
  TC_RETURN_IF_ERROR(transport->Begin());
  Status produced;
  for (bool more = true; more && produced.ok();) {
    TC_ASSIGN_OR_RETURN(more, feeder->Next(1024, [&](const FeedRecord& record) {
      OutputRecord out;
      out.topic = files[record.input].input.topic;
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
  if (argc < 4) {
    std::fprintf(stderr, "usage: kafka_feed BOOTSTRAP CONFIG FILE...\n");
    return 64;
  }
  const tidecast::Status status = tidecast::Feed(argv[1], argv[2], std::span(argv + 3, static_cast<size_t>(argc - 3)));
  if (status.ok()) return 0;
  fmt::print(stderr, "kafka_feed: {}\n", status.message());
  return tidecast::ExitCode(status.code());
}
