#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/core/status.h"
#include "engine/io/kafka_config.h"
#include "engine/io/kafka_errors.h"
#include "engine/io/log_transport.h"

namespace tidecast {

/// The transactional producer: one transaction at a time. What blocks in librdkafka (offsets, commit, abort) runs on
/// one thread of its own, in order; an ended transaction is told by Drain.
///
/// A fenced producer alone does not tell whether another process has our identity or the broker gave our transaction up
/// in an outage. So two heartbeats are waited for: if the membership is fenced too, the outcome is kFenced, else ours
/// to renew (kUnknown, kFatal).
///
/// A request to end a transaction whose connection breaks is sent again by the client. The first copy may still reach
/// the broker, which takes it for the end of the next transaction and tears that (KIP-890: brokers tell them apart for
/// newer clients only). So where a connection was begun while a transaction ended, the next one begins with a new
/// client: its epoch is a greater one, and the broker refuses the late copy.
///
/// Thread: confined to the instance's thread, but for the wake function, which the own thread calls.
class KafkaProducer {
 public:
  KafkaProducer(const KafkaTransportOptions& options, std::shared_ptr<KafkaLog> log, std::function<void()> wake,
                std::function<void(rd_kafka_resp_err_t, std::string_view)> on_error);
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  /// Makes the client and takes over the identity: what a dead self left open is aborted. Waits, at most the open time.
  /// Errors: kUnavailable, kFenced, kPermission.
  Status Open();
  /// Destroys the client, with what it still holds, and makes a new one with the same identity. Waits for a
  /// transactional call that is under way, but only briefly for the brokers: whoever runs asks again.
  /// Errors: kUnavailable and others that pass (Retry::kBackoff), kFenced, kPermission.
  Status Renew();

  Status Begin();
  /// Errors: kWouldBlock (queue full, or the topic's metadata is not there yet), kNotFound, kInvalidArgument, kAborted,
  /// kFatal.
  Status Produce(const RecordView& record);
  /// The same for records from `*next` on, which is moved behind the last one that was taken: records of one partition
  /// in a row share the client's locks and clock.
  Status ProduceMany(const PackedRecords& records, size_t* next);
  void SendOffsets(KafkaPartitionList offsets, KafkaGroupMetadata membership);
  void Commit();
  void Abort();

  /// The consumer whose membership says who we are; null when there is none.
  void SetMember(KafkaClient member);
  /// Serves callbacks; appends the ends of transactions.
  void Drain(std::vector<TransportEvent>* events);

  bool is_open() const { return state_ == State::kOpen; }
  rd_kafka_t* client() const { return client_.get(); }

 private:
  /// kDoubted: as kIdle, but a copy of the request that ended the last transaction may be on its way yet.
  enum class State : uint8_t { kIdle, kDoubted, kOpen, kEnding, kDead };
  struct Job {
    TransactionStep step = TransactionStep::kCommit;
    KafkaPartitionList offsets;
    KafkaGroupMetadata membership;
  };
  struct Topic {
    std::string name;
    KafkaTopic handle;
    int32_t partitions = 0;
  };

  Status Open(std::chrono::milliseconds timeout);
  Status MakeClient();
  Status Init(std::chrono::milliseconds timeout);
  Result<Topic*> TopicOf(std::string_view name);
  static Result<int32_t> PartitionIn(const Topic& topic, const RecordView& record);
  void Enqueue(Job job);
  void RunJobs();
  void Run(const Job& job);
  KafkaError Call(const Job& job);
  Outcome JudgeFence(Outcome if_ours);
  void Finish(Outcome outcome, Status status, bool doubted = false);
  Status FencedStatus() const;

  const KafkaTransportOptions options_;
  const std::shared_ptr<KafkaLog> log_;  // shared with the callbacks of clients that may outlive us
  const std::function<void()> wake_;
  const std::function<void(rd_kafka_resp_err_t, std::string_view)> on_error_;

  const std::shared_ptr<ProducerSigns> signs_ = std::make_shared<ProducerSigns>();
  uint64_t pids_refused_before_ = 0;  ///< when the client was made
  KafkaClient client_;
  std::map<std::string, Topic, std::less<>> topics_;
  Topic* last_topic_ = nullptr;  ///< rows of a topic come in runs
  std::vector<rd_kafka_message_t> run_;
  std::vector<HeaderView> headers_;
  State state_ = State::kIdle;
  bool initialised_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Under mutex_:
  std::deque<Job> jobs_;
  bool busy_ = false;
  bool stopping_ = false;
  KafkaClient member_;
  std::vector<TransportEvent> ended_;
  bool doubted_ = false;  ///< of the transaction that is ending, or ended last
  // Of the own thread, while a transaction is open: the first failure, told when the transaction is to be committed.
  Outcome offsets_outcome_ = Outcome::kOk;
  Status offsets_status_;
  std::thread worker_;
};

}  // namespace tidecast
