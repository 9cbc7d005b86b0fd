// What a read_committed reader finds in topics, by content id (header tidecast_content_id): for the engine's tests.
//
//   kafka_content_ids BOOTSTRAP TOPIC...      a line a topic: its name, its records, how many of their ids came before
#include <fmt/format.h>

#include <cstdio>
#include <span>
#include <string>
#include <unordered_set>

#include "engine/io/kafka_transport.h"

namespace tidecast {
namespace {

Status Count(LogTransport& transport, const std::string& topic) {
  TC_ASSIGN_OR_RETURN(const TopicInfo info, transport.DescribeTopic(topic));
  std::unordered_set<std::string> ids;
  int64_t records = 0, again = 0;
  for (int32_t p = 0; p < info.partitions; ++p) {
    TC_ASSIGN_OR_RETURN(const auto reader, transport.OpenReader({topic, p}, -2, true));
    const auto batch = reader->MakeBatch();
    for (bool at_end = false; !at_end;) {
      batch->Clear();
      TC_ASSIGN_OR_RETURN(const PollResult polled, reader->Read(*batch, 4096, 50));
      at_end = polled.at_end;
      for (const InputRecord& record : batch->records()) {
        ++records;
        std::string id;
        for (const HeaderView& header : record.headers) {
          if (header.name == "tidecast_content_id") id = header.value;
        }
        if (id.empty())
          return Status(Code::kData,
                        fmt::format("a record has no content id: {}-{} offset {}", topic, p, record.offset));
        again += ids.insert(std::move(id)).second ? 0 : 1;
      }
    }
  }
  fmt::print("{} {} {}\n", topic, records, again);
  return Status::Ok();
}

Status CountAll(const char* bootstrap, std::span<char*> topics) {
  KafkaTransportOptions kafka;
  kafka.properties = {{"bootstrap.servers", bootstrap}};
  kafka.name_space = "content-ids";
  kafka.instance = "reader";
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<LogTransport> transport, MakeKafkaTransport(std::move(kafka)));
  TC_RETURN_IF_ERROR(transport->Open());
  for (const char* topic : topics) TC_RETURN_IF_ERROR(Count(*transport, topic));
  return Status::Ok();
}

}  // namespace
}  // namespace tidecast

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: kafka_content_ids BOOTSTRAP TOPIC...\n");
    return 64;
  }
  const tidecast::Status status = tidecast::CountAll(argv[1], std::span(argv + 2, static_cast<size_t>(argc - 2)));
  if (status.ok()) return 0;
  fmt::print(stderr, "kafka_content_ids: {}\n", status.message());
  return tidecast::ExitCode(status.code());
}
