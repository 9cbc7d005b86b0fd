#include "engine/io/kafka_reader.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/io/kafka_errors.h"

namespace tidecast {
namespace {

constexpr std::chrono::milliseconds kWakeEvery{10};

}  // namespace

Result<KafkaClient> KafkaReaderClients::Take(const KafkaTransportOptions& options, std::shared_ptr<KafkaLog> log,
                                             bool read_committed) {
  {
    const std::lock_guard lock(mutex_);
    KafkaClient& kept = read_committed ? committed_ : uncommitted_;
    if (kept) return std::exchange(kept, nullptr);
  }
  TC_ASSIGN_OR_RETURN(KafkaConf conf, MakeKafkaConf(options, KafkaRole::kReader, read_committed));
  return MakeKafkaClient(std::move(conf), KafkaRole::kReader, {std::move(log), {}, {}});
}

void KafkaReaderClients::Give(KafkaClient client, bool read_committed) {
  const std::lock_guard lock(mutex_);
  KafkaClient& kept = read_committed ? committed_ : uncommitted_;
  if (!kept) kept = std::move(client);
}

Result<std::unique_ptr<LogReader>> KafkaReader::Open(const KafkaTransportOptions& options,
                                                     std::shared_ptr<KafkaLog> log, KafkaAdmin& admin,
                                                     std::shared_ptr<KafkaReaderClients> clients,
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
  reader->read_committed_ = read_committed;
  TC_ASSIGN_OR_RETURN(reader->client_, clients->Take(options, std::move(log), read_committed));
  reader->clients_ = std::move(clients);
  reader->topic_.reset(rd_kafka_topic_new(reader->client_.get(), source.topic.c_str(), nullptr));
  reader->queue_.reset(rd_kafka_queue_new(reader->client_.get()));
  if (!reader->topic_) return KafkaStatus(rd_kafka_last_error(), "a topic name is refused");
  if (rd_kafka_consume_start_queue(reader->topic_.get(), source.partition, reader->next_offset_,
                                   reader->queue_.get()) != 0) {
    reader->failed_ = true;
    return KafkaStatus(rd_kafka_last_error(), fmt::format("{}[{}] cannot be read", source.topic, source.partition));
  }
  return std::unique_ptr<LogReader>(std::move(reader));
}

KafkaReader::~KafkaReader() {
  if (!topic_ || !queue_) return;
  rd_kafka_consume_stop(topic_.get(), source_.partition);
  queue_.reset();
  topic_.reset();
  if (!failed_) clients_->Give(std::move(client_), read_committed_);
}

void KafkaReader::WakeFetching() {
  const auto now = std::chrono::steady_clock::now();
  if (now - woken_ < kWakeEvery) return;
  woken_ = now;
  KafkaPartitionList source(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(source.get(), source_.topic.c_str(), source_.partition);
  WakeKafkaFetching(client_.get(), std::move(source));
}

Result<PollResult> KafkaReader::Read(RecordBatch& out, size_t records_max, int wait_ms) {
  auto& batch = static_cast<KafkaRecordBatch&>(out);
  batch.Reset(client_);
  // The first word that the end is reached is not waited for; whoever reads on waits for what is new.
  const bool end_is_news = next_offset_ >= bounds_.end && !end_told_;
  std::vector<KafkaMessage> messages;
  TakeKafkaMessages(queue_.get(), records_max, 0, &messages);
  if (messages.empty() && next_offset_ < bounds_.end) WakeFetching();
  if (messages.empty() && !end_is_news && wait_ms > 0) {
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
      failed_ = true;
      return status;
    }
  }
  end_told_ = next_offset_ >= bounds_.end;
  return PollResult{.at_end = end_told_, .blocked = hidden_, .next_offset = next_offset_};
}

}  // namespace tidecast
