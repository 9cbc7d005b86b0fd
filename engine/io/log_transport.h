#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/core/packed_records.h"
#include "engine/core/record.h"
#include "engine/core/status.h"
#include "state/state_store.h"

namespace tidecast {

/// Records of one partition in offset order. Owns the bytes; views die with Clear().
/// Thread: confined.
class RecordBatch {
 public:
  virtual ~RecordBatch() = default;
  virtual std::span<const InputRecord> records() const = 0;
  virtual void Clear() = 0;
  /// From now on nobody looks at headers: a log that tells them at a cost may leave them out.
  virtual void LeaveOutHeaders() {}
};

/// What a poll of one partition found.
struct PollResult {
  bool at_end = false;     ///< nothing more is readable now (position == last stable offset)
  bool blocked = false;    ///< an open transaction of somebody hides records: not idle, not at the end
  int64_t next_offset = 0; ///< position after this batch, markers included
};

struct Position {
  TopicPartition source;
  int64_t next_offset = 0;
  std::string note;  ///< travels with a committed position; one that was set by hand has none
};

enum class Outcome : uint8_t {
  kOk,
  kAbortable,  ///< abort, roll back, poll, redo
  kUnknown,    ///< may or may not have been committed: make a new client, read the tail, decide
  kFenced,     ///< another process has our identity: stop
  kFatal,      ///< this client is dead: roll back, make a new one
};

/// Something that happened to membership or to the open transaction. Drained by Step.
struct TransportEvent {
  enum class Kind : uint8_t {
    kAssigned,       ///< partitions are ours: restore, then StartAt
    kRevoked,        ///< finish, commit, then ReleaseRevoked before the rebalance deadline
    kLost,           ///< partitions are gone already: abort and roll back
    kTransaction,    ///< a Commit or Abort ended with `outcome`
    kUnreachable,    ///< brokers cannot be reached (told at most every few seconds)
    kReachable,
    kFailed,         ///< membership is over (fenced, fatal): `status` says why
  };
  Kind kind = Kind::kTransaction;
  std::vector<TopicPartition> partitions;
  Outcome outcome = Outcome::kOk;
  bool state_written = false;  ///< kTransaction: the state batch went down with the same cut
  Status status;
};

struct TopicSpec {
  std::string name;
  int32_t partitions = 1;
  std::vector<std::pair<std::string, std::string>> config;  ///< e.g. cleanup.policy=compact
};

struct TopicInfo {
  std::string name;
  std::string id;              ///< changes when a topic is made anew under its old name; empty where the log has none
  int32_t partitions = 0;
};

/// Reads a partition from a given offset, apart from the group: restore, `tap`, tests.
/// Thread: confined.
class LogReader {
 public:
  virtual ~LogReader() = default;
  /// Reads what is there; waits at most `wait_ms`. at_end once the high watermark that was taken at opening is reached;
  /// called again after that it goes on with what has come since (at_end stays true).
  virtual Result<PollResult> Read(RecordBatch& out, size_t records_max, int wait_ms) = 0;
  virtual std::unique_ptr<RecordBatch> MakeBatch() = 0;
  /// First and one-past-last offsets at opening (read_uncommitted).
  virtual int64_t begin_offset() const = 0;
  virtual int64_t end_offset() const = 0;
};

/// The log beneath the engine: topics to read and write, and one transaction at a time. Asynchronous: nothing here
/// waits; what takes time ends in a TransportEvent. Implementations: embedded (RocksDB), kafka (librdkafka), simulated.
///
///   Open -> Join -> event kAssigned -> StartAt -> Poll ... 
///   Begin -> Produce* -> SendOffsets -> Commit(state) -> event kTransaction
///
/// Delivery: read_committed, each partition in offset order, no gap and no repetition after StartAt.
/// Thread: confined to the instance's thread, but for OpenReader and the readers it makes.
class LogTransport {
 public:
  virtual ~LogTransport() = default;

  /// Connects and looks at the topics. Errors: kUnavailable (brokers named), kConfig.
  virtual Status Open() = 0;
  virtual Result<TopicInfo> DescribeTopic(const std::string& topic) = 0;     ///< kNotFound when it is not there
  virtual Result<std::vector<TopicInfo>> ListTopics() = 0;
  virtual Status CreateTopic(const TopicSpec& spec) = 0;                     ///< ok when it exists with the same shape; kConfig when not

  /// Joins the group for these input topics (co-partitioned); assignment comes as an event.
  virtual Status Join(const std::vector<std::string>& topics) = 0;
  /// Starts fetching the assigned partitions at these offsets; afterwards a handle is the index into `positions`
  /// of the last StartAt. Offsets below the log's start are an error of kNotFound; -2 means its beginning.
  virtual Status StartAt(std::span<const Position> positions) = 0;
  /// Tells that the work of revoked partitions is committed or given up.
  virtual void ReleaseRevoked() = 0;
  virtual void Leave() = 0;
  /// One past the newest readable offset now (last stable offset). For bounded runs.
  virtual Result<int64_t> EndOffset(const TopicPartition& source) = 0;

  /// The group's committed positions of these partitions, once no transaction is open that could still move them (so
  /// that what is read afterwards holds all that they stand for). -1 where there is none. REQUIRES: joined.
  /// Errors: kNotReady (such a transaction is open; ask again), kUnavailable.
  virtual Result<std::vector<Position>> CommittedPositions(std::span<const TopicPartition> sources) = 0;

  virtual std::unique_ptr<RecordBatch> MakeBatch() = 0;
  /// Takes up to so many records of one started partition. Not polling a partition is how backpressure is applied.
  virtual Result<PollResult> Poll(uint32_t handle, size_t records_max, size_t bytes_max, RecordBatch& out) = 0;
  /// Drives the client and hands out what happened. Waits at most `wait_ms` when nothing did.
  virtual void Step(int wait_ms, std::vector<TransportEvent>* events) = 0;

  virtual Status Begin() = 0;
  /// kWouldBlock: the send queue is full; Step and try again.
  virtual Status Produce(const OutputRecord& record) = 0;
  /// The same for a record that is seen where it lies; by default a copy is made of it.
  virtual Status ProduceView(const RecordView& record) { return Produce(ToOutputRecord(record)); }
  /// The same for records from `*next` on, which is moved behind the last one that was taken.
  virtual Status ProduceMany(const PackedRecords& records, size_t* next) {
    std::vector<HeaderView> headers;
    for (; *next < records.size(); ++*next) TC_RETURN_IF_ERROR(ProduceView(records.View(*next, &headers)));
    return Status::Ok();
  }
  /// Puts input positions into the transaction under the membership that was current at StartAt.
  virtual Status SendOffsets(std::span<const Position> positions) = 0;
  /// Ends the transaction; outcome by event. `state` is this epoch's local rows: a transport that shares the store
  /// (embedded) takes them, writes them in the same atomic batch and says so in the event; another one leaves `state` as it
  /// is, for the caller to write.
  virtual void Commit(StateBatch&& state) = 0;
  virtual void Abort() = 0;

  /// Records below these offsets are needed no more and may be deleted, sooner or later, all or some. Nothing tells of it, and
  /// nobody waits. By default they stay.
  virtual void DiscardBelow(std::span<const Position> /*positions*/) {}

  /// Whether state must also be written to changelog topics, to be found by another instance.
  virtual bool needs_changelog() const = 0;
  virtual Result<std::unique_ptr<LogReader>> OpenReader(const TopicPartition& source, int64_t from_offset, bool read_committed) = 0;

  /// After kUnknown or kFatal: destroys the producer and makes a new one with the same identity, which fences what the
  /// old one may still have on its way. Waits only briefly for the brokers: errors with Retry::kBackoff are asked again.
  virtual Status RenewProducer() = 0;
};

}  // namespace tidecast
