#pragma once

#include <chrono>
#include <memory>
#include <mutex>

#include "engine/io/kafka_admin.h"
#include "engine/io/kafka_record_batch.h"
#include "engine/io/log_transport.h"

namespace tidecast {

/// Keeps the client that a reader has left for the next one: making one takes threads, connections and metadata, and
/// changelogs are looked at each second.
/// Thread: safe.
class KafkaReaderClients {
 public:
  Result<KafkaClient> Take(const KafkaTransportOptions& options, std::shared_ptr<KafkaLog> log, bool read_committed);
  /// One is kept, a second one ends.
  void Give(KafkaClient client, bool read_committed);

 private:
  std::mutex mutex_;
  KafkaClient committed_;    // under mutex_
  KafkaClient uncommitted_;  // under mutex_
};

/// Reads one partition from an offset, apart from any group; nobody else uses its client meanwhile.
/// Thread: confined.
class KafkaReader final : public LogReader {
 public:
  /// `from_offset` -2, or below the log's begin: its begin. The end is the high watermark as it is now, so that records
  /// of a transaction that is still open count: the reader waits for its end.
  /// Errors: kNotFound (no such partition; `from_offset` past the log's end), kUnavailable.
  static Result<std::unique_ptr<LogReader>> Open(const KafkaTransportOptions& options, std::shared_ptr<KafkaLog> log,
                                                 KafkaAdmin& admin, std::shared_ptr<KafkaReaderClients> clients,
                                                 const TopicPartition& source, int64_t from_offset,
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
  bool failed_ = false;  ///< its client is not for others any more
  bool read_committed_ = true;
  std::shared_ptr<KafkaReaderClients> clients_;  // shared: a reader may outlive its transport
  KafkaClient client_;
  KafkaTopic topic_;
  KafkaQueue queue_;
};

}  // namespace tidecast
