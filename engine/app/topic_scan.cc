#include "engine/app/topic_scan.h"

#include <algorithm>
#include <memory>

namespace tidecast {
namespace {

constexpr size_t kRecordsPerRead = 1024;
constexpr int kWaitMs = 50;

}  // namespace

Status ScanTopic(LogTransport& log, const std::string& topic, int64_t newest_max,
                 const std::function<bool(const TopicPartition&, const InputRecord&)>& visit) {
  TC_ASSIGN_OR_RETURN(const TopicInfo info, log.DescribeTopic(topic));
  for (int32_t p = 0; p < info.partitions; ++p) {
    const TopicPartition source{topic, p};
    TC_ASSIGN_OR_RETURN(std::unique_ptr<LogReader> reader, log.OpenReader(source, -2, true));
    if (newest_max > 0 && reader->end_offset() - reader->begin_offset() > newest_max) {
      const int64_t from = reader->end_offset() - newest_max;
      TC_ASSIGN_OR_RETURN(reader, log.OpenReader(source, from, true));
    }
    const std::unique_ptr<RecordBatch> batch = reader->MakeBatch();
    for (bool at_end = false; !at_end;) {
      batch->Clear();
      TC_ASSIGN_OR_RETURN(const PollResult polled, reader->Read(*batch, kRecordsPerRead, kWaitMs));
      at_end = polled.at_end;
      for (const InputRecord& record : batch->records()) {
        if (!visit(source, record)) return Status::Ok();
      }
    }
  }
  return Status::Ok();
}

}  // namespace tidecast
