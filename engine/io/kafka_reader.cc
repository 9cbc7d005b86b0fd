#include "engine/io/kafka_reader.h"

#include <algorithm>
#include <chrono>

#include "engine/io/kafka_errors.h"

namespace tidecast {
namespace {

constexpr std::chrono::milliseconds kWakeEvery{10};
constexpr int kWakeMs = 50;

}  // namespace

Result<std::unique_ptr<LogReader>> KafkaReader::Open(const KafkaTransportOptions& options,
                                                     std::shared_ptr<KafkaLog> log, KafkaAdmin& admin,
                                                     const TopicPartition& source, int64_t from_offset,
                                                     bool read_committed) {
  TC_ASSIGN_OR_RETURN(const KafkaBounds bounds, admin.Bounds(source));
  if (from_offset > bounds.end) {
    return Status(Code::kNotFound,
                  fmt::format("an offset lies past the end of {}[{}]: asked for {}, the log ends at {}", source.topic,
                              source.partition, from_offset, bounds.end),
                  Domain::kExternal)
        .WithRemedy("the topic was made anew or cut; `tidecast state reset` starts from what it holds now");
  }
  std::unique_ptr<KafkaReader> reader(new KafkaReader(source, bounds));
  reader->next_offset_ = std::max(from_offset, bounds.begin);
  TC_ASSIGN_OR_RETURN(KafkaConf conf, MakeKafkaConf(options, KafkaRole::kReader, read_committed));
  TC_ASSIGN_OR_RETURN(reader->client_, MakeKafkaClient(std::move(conf), KafkaRole::kReader, {std::move(log), {}, {}}));
  reader->topic_.reset(rd_kafka_topic_new(reader->client_.get(), source.topic.c_str(), nullptr));
  reader->queue_.reset(rd_kafka_queue_new(reader->client_.get()));
  if (!reader->topic_) return KafkaStatus(rd_kafka_last_error(), "a topic name is refused");
  if (rd_kafka_consume_start_queue(reader->topic_.get(), source.partition, reader->next_offset_,
                                   reader->queue_.get()) != 0) {
    return KafkaStatus(rd_kafka_last_error(), fmt::format("{}[{}] cannot be read", source.topic, source.partition));
  }
  return std::unique_ptr<LogReader>(std::move(reader));
}

KafkaReader::~KafkaReader() {
  if (topic_ && queue_) rd_kafka_consume_stop(topic_.get(), source_.partition);
}

// Once its queue has been full, librdkafka looks up to a second later whether there is room again (its issue 2879). Any
// question to the partition's leader wakes the thread that fetches.
void KafkaReader::WakeFetching() {
  const auto now = std::chrono::steady_clock::now();
  if (now - woken_ < kWakeEvery) return;
  woken_ = now;
  int64_t begin = 0, end = 0;
  rd_kafka_query_watermark_offsets(client_.get(), source_.topic.c_str(), source_.partition, &begin, &end, kWakeMs);
}

Result<PollResult> KafkaReader::Read(RecordBatch& out, size_t records_max, int wait_ms) {
  auto& batch = static_cast<KafkaRecordBatch&>(out);
  batch.Reset(client_);
  // The first word that the end is reached is not waited for; whoever reads on waits for what is new.
  const bool end_is_news = next_offset_ >= bounds_.end && !end_told_;
  std::vector<KafkaMessage> messages;
  TakeKafkaMessages(queue_.get(), records_max, 0, &messages);
  if (messages.empty() && !end_is_news && wait_ms > 0) {
    if (next_offset_ < bounds_.end) WakeFetching();
    TakeKafkaMessages(queue_.get(), records_max, wait_ms, &messages);
  }
  for (KafkaMessage& message : messages) {
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      next_offset_ = std::max(next_offset_, message->offset);
      hidden_ = next_offset_ < bounds_.end;
    } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (message->offset < next_offset_) continue;
      next_offset_ = message->offset + 1;
      hidden_ = false;
      batch.Add(std::move(message));
    } else if (const Status status =
                   KafkaStatus(message->err, fmt::format("{}[{}] cannot be read", source_.topic, source_.partition));
               status.code() == Code::kNotFound || status.code() == Code::kPermission ||
               status.code() == Code::kCorruption) {
      return status;
    }
  }
  end_told_ = next_offset_ >= bounds_.end;
  return PollResult{.at_end = end_told_, .blocked = hidden_, .next_offset = next_offset_};
}

}  // namespace tidecast
