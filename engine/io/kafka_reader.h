#pragma once

#include <chrono>
#include <memory>

#include "engine/io/kafka_admin.h"
#include "engine/io/kafka_record_batch.h"
#include "engine/io/log_transport.h"

namespace tidecast {

/// Reads one partition from an offset on a client of its own, apart from any group.
/// Thread: confined.
class KafkaReader final : public LogReader {
 public:
  /// `from_offset` -2, or below the log's begin: its begin. The end is the high watermark as it is now, so that records
  /// of a transaction that is still open count: the reader waits for its end.
  /// Errors: kNotFound (no such partition; `from_offset` past the log's end), kUnavailable.
  static Result<std::unique_ptr<LogReader>> Open(const KafkaTransportOptions& options, std::shared_ptr<KafkaLog> log,
                                                 KafkaAdmin& admin, const TopicPartition& source, int64_t from_offset,
                                                 bool read_committed);
  ~KafkaReader() override;

  Result<PollResult> Read(RecordBatch& out, size_t records_max, int wait_ms) override;
  std::unique_ptr<RecordBatch> MakeBatch() override { return std::make_unique<KafkaRecordBatch>(); }
  int64_t begin_offset() const override { return bounds_.begin; }
  int64_t end_offset() const override { return bounds_.end; }

 private:
  void WakeFetching();

  KafkaReader(TopicPartition source, KafkaBounds bounds) : source_(std::move(source)), bounds_(bounds) {}

  TopicPartition source_;
  KafkaBounds bounds_;
  int64_t next_offset_ = 0;
  bool end_told_ = false;
  std::chrono::steady_clock::time_point woken_;
  bool hidden_ = false;  ///< the last stable offset was met below the end
  KafkaClient client_;
  KafkaTopic topic_;
  KafkaQueue queue_;
};

}  // namespace tidecast
