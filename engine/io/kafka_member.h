#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "engine/core/status.h"
#include "engine/io/kafka_admin.h"
#include "engine/io/kafka_config.h"
#include "engine/io/kafka_record_batch.h"
#include "engine/io/kafka_wakeup.h"
#include "engine/io/log_transport.h"

namespace tidecast {

/// The static member of the group: assignment, and the partitions' own queues. Nothing is paused, resumed or sought:
/// a new place is a new assignment with explicit offsets, and a partition that nobody polls fills its queue and rests.
///
///   joined -> assigned -> (StartAt) started -> revoked -> (ReleaseRevoked) joined -> ...
///
/// librdkafka's own assignment is answered only by StartAt or ReleaseRevoked; until then no rebalance goes on without
/// us. Thread: confined.
class KafkaMember {
 public:
  KafkaMember(const KafkaTransportOptions& options, std::shared_ptr<KafkaLog> log, KafkaAdmin& admin,
              KafkaWakeup& wakeup, std::function<void(rd_kafka_resp_err_t, std::string_view)> on_error)
      : options_(options), log_(std::move(log)), admin_(admin), wakeup_(wakeup), on_error_(std::move(on_error)) {}
  ~KafkaMember() { Leave(); }
  KafkaMember(const KafkaMember&) = delete;
  KafkaMember& operator=(const KafkaMember&) = delete;

  /// Errors: kNoInput (a topic is not there), kConfig (the topics' partition counts differ: both are named).
  Status Join(const std::vector<std::string>& topics);
  Status StartAt(std::span<const Position> positions);
  Result<std::vector<Position>> CommittedPositions(std::span<const TopicPartition> sources) const;
  void ReleaseRevoked();
  void Leave();

  std::unique_ptr<RecordBatch> MakeBatch() { return std::make_unique<KafkaRecordBatch>(); }
  Result<PollResult> Poll(uint32_t handle, size_t records_max, size_t bytes_max, RecordBatch& out);
  /// No broker answers: what is known of partitions' ends grows old, so that none counts as read to its end.
  void DoubtEnds();
  /// They answer again: asks for the ends that were doubted. Waits a moment for each; what is not answered stays in
  /// doubt.
  void SettleEnds();
  /// Serves the group; appends what happened.
  void Drain(std::vector<TransportEvent>* events);

  /// Under which the present assignment was taken; null before the first StartAt.
  const KafkaGroupMetadata& membership() const { return started_membership_; }
  const KafkaClient& client() const { return client_; }
  int64_t repeated_records() const { return repeated_records_; }

 private:
  enum class State : uint8_t { kOut, kJoined, kAssigned, kRevoked, kFailed };
  struct Partition {
    TopicPartition source;
    KafkaQueue queue;
    std::vector<KafkaMessage> waiting;  ///< taken from the queue
    size_t next_waiting = 0;            ///< before it, all were handed out
    int64_t next_offset = 0;
    int64_t end_seen = -1;     ///< where PARTITION_EOF was met last
    bool end_doubted = false;  ///< no broker was reached since
    size_t bytes_taken = 0;    ///< since its fetching was last woken, or had come to the end
  };

  void OnRebalance(rd_kafka_resp_err_t error, const rd_kafka_topic_partition_list_t& partitions);
  void Lose();
  void StopPartitions();
  Status CheckStart(const Position& position, bool* brokers_answer, int64_t* first_offset);
  bool TakeNext(Partition& partition, size_t records_max, size_t bytes_max, size_t* bytes, KafkaRecordBatch& out,
                Status* failure);
  bool HidesRecords(const Partition& partition) const;
  /// Lets partitions whose queues have room again be fetched on at once. Does not wait.
  void WakeFetching();

  const KafkaTransportOptions options_;
  const std::shared_ptr<KafkaLog> log_;  // shared with the callbacks of clients that may outlive us
  KafkaAdmin& admin_;
  KafkaWakeup& wakeup_;
  const std::function<void(rd_kafka_resp_err_t, std::string_view)> on_error_;

  KafkaClient client_;
  KafkaQueue group_queue_;
  State state_ = State::kOut;
  std::vector<TopicPartition> assigned_;
  KafkaGroupMetadata assigned_membership_;
  KafkaGroupMetadata started_membership_;
  std::vector<Partition> partitions_;
  size_t fetch_queue_bytes_ = 0;  ///< what a partition's queue holds before it rests
  std::chrono::steady_clock::time_point woken_;
  std::vector<TransportEvent> events_;
  int64_t repeated_records_ = 0;
};

}  // namespace tidecast
