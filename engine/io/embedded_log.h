#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/clock.h"
#include "engine/core/record.h"
#include "engine/core/status.h"
#include "engine/io/embedded_record.h"
#include "engine/io/log_transport.h"
#include "state/state_store.h"

namespace tidecast {

struct EmbeddedLogOptions {
  int32_t partitions = 4;                               ///< of a topic that is created without a count
  Duration retention_age = std::chrono::hours(24 * 7);  ///< after the append; 0: no limit
  uint64_t retention_bytes = 0;                         ///< per partition; 0: no limit
  uint64_t segment_bytes = 8ULL << 20;                  ///< what is trimmed at once
  Duration segment_age = std::chrono::hours(6);
};

class EmbeddedCursor;

/// Topics as rows of the state store: records in kLog by (topic, partition, offset); of compacted topics also the
/// newest record of each key in kLatest; shapes, ends and positions in kMeta (state/FORMAT.md 3 to 5).
///
/// Records are appended in one StateStore::Write and seen after it. Whole segments are trimmed from the old end once
/// they are past an age or a size limit and every reader has passed them: the group's committed positions and all open
/// cursors count as readers. A reader of a compacted topic that starts below the trimmed end gets the newest record of
/// each key that lies there.
/// Thread: safe. Writers wait for one another (one Write each); readers never wait for a writer.
class EmbeddedLog {
 public:
  struct Segment {
    int64_t base_offset = 0;
    ProcessingTime first_append;
    uint64_t bytes = 0;
  };
  struct Partition {
    std::atomic<int64_t> begin = 0;        ///< written under readers_mutex_
    std::atomic<int64_t> end = 0;          ///< readable below; written under write_mutex_
    std::deque<Segment> segments;          ///< under write_mutex_; the last one is being filled
    std::optional<int64_t> position;       ///< the group's; under write_mutex_
    int64_t discard_below = 0;             ///< what is below may go; under write_mutex_
    std::vector<EmbeddedCursor*> cursors;  ///< under readers_mutex_
  };
  struct Topic {
    uint32_t number = 0;
    std::string name;
    bool compacted = false;
    Duration retention_age{};      ///< 0: no limit
    uint64_t retention_bytes = 0;  ///< 0: no limit
    std::vector<std::pair<std::string, std::string>> config;
    std::deque<Partition> partitions;
    std::atomic<bool> deleted = false;
    TopicInfo Info() const;
  };
  /// A record on its way into the log: encoded, without an offset yet.
  struct Pending {
    std::shared_ptr<Topic> topic;  // shared: a topic may be deleted while a transaction or a reader holds it
    int32_t partition = 0;
    std::string key;
    bool is_null = false;
    std::string encoded;
  };

  /// `store` and `clock` must outlive the log.
  EmbeddedLog(StateStore& store, const Clock& clock, EmbeddedLogOptions options);
  ~EmbeddedLog();

  /// Reads the topics from the store. Once, before anything else.
  Status Load();

  /// Errors: kConfig (name, partitions, settings; another shape than the topic that is there: both are named).
  Status CreateTopic(const TopicSpec& spec);
  /// Drops a topic with its records and positions. Errors: kNotFound.
  Status DeleteTopic(const std::string& name);
  /// Errors: kNotFound.
  Result<std::shared_ptr<Topic>> Find(const std::string& name) const;
  std::vector<TopicInfo> List() const;

  /// `likely`: the topic of the record before, or none; saves the look-up. Errors: kNotFound (topic), kInvalidArgument
  /// (partition).
  Result<Pending> Prepare(const RecordView& record, const std::shared_ptr<Topic>& likely) const;
  /// Writes all of it in one batch: the records, the group's positions, and `state`.
  /// Errors: kNoSpace, kIo, kCorruption of the store, with nothing applied; kNotFound (topic of a position).
  /// `ends`, when given, takes the position behind the last record of each touched partition.
  Status Write(std::span<Pending> records, std::span<const Position> positions, StateBatch&& state,
               std::vector<Position>* ends = nullptr);
  Status Sync() { return store_.Sync(); }

  /// Segments that lie wholly below go when the next one is begun.
  void DiscardBelow(std::span<const Position> positions);

  /// The group's position; nullopt when there is none.
  Result<std::optional<int64_t>> CommittedPosition(const TopicPartition& source) const;
  /// From now on the group reads these topics: what it has not passed is kept.
  Status Subscribe(const std::vector<std::string>& topics);

  /// A cursor at `offset` (-2: the beginning). Errors: kNotFound (topic, partition, an offset that is not there).
  Result<std::unique_ptr<EmbeddedCursor>> OpenCursor(const TopicPartition& source, int64_t offset);
  /// The newest record of a key of a compacted topic; false when there is none.
  Result<bool> Latest(const std::string& topic, std::string_view key, EmbeddedBatch& out) const;
  /// Visits the newest records of a compacted topic by partition and key until `visit` returns false.
  Status ScanLatest(const std::string& topic, const std::function<bool(const InputRecord&)>& visit) const;

  /// Counts writes that appended records; WaitForAppend returns once it is not `seen`, or after `wait_ms`.
  uint64_t appends() const { return appends_.load(std::memory_order_acquire); }
  void WaitForAppend(uint64_t seen, int wait_ms) const;

 private:
  friend class EmbeddedCursor;
  /// What a write does to one partition.
  struct Touched {
    std::shared_ptr<Topic> topic;  // shared: see Pending
    int32_t partition = 0;
    int64_t end = 0;
    uint64_t bytes = 0;                  ///< appended to the last segment
    std::optional<Segment> new_segment;  ///< begins with this write
  };
  struct Trimmed {
    Partition* partition = nullptr;
    int64_t old_begin = 0;
    size_t segments = 0;
  };
  /// What a write changes beside its batch, to be done or taken back once its outcome is known.
  struct Change {
    std::vector<Touched> touched;
    std::vector<Trimmed> trimmed;
  };

  Status LoadTopic(std::string_view name, std::string_view row);
  Status LoadPartitions(Topic& topic);
  void Place(std::span<Pending> records, StateBatch& batch, Change& change);
  static void PutSegments(const Touched& touched, StateBatch& batch);
  void Trim(StateBatch& batch, Change& change);
  int64_t SlowestReader(const Partition& partition) const;

  StateStore& store_;
  const Clock& clock_;
  const EmbeddedLogOptions options_;

  /// Order of the locks: write, topics, readers, signal.
  mutable std::mutex write_mutex_;  ///< one writer at a time, and what only writers change
  mutable std::mutex topics_mutex_;
  std::map<std::string, std::shared_ptr<Topic>> topics_;  ///< under topics_mutex_
  uint32_t next_number_ = 1;                              ///< under write_mutex_
  mutable std::mutex readers_mutex_;
  std::atomic<uint64_t> appends_ = 0;
  mutable std::mutex signal_mutex_;
  mutable std::condition_variable signal_;
};

/// Reads one partition from an offset on; keeps what it has not read from being trimmed while it lives.
/// Thread: confined. Must not outlive its log.
class EmbeddedCursor {
 public:
  ~EmbeddedCursor();
  EmbeddedCursor(const EmbeddedCursor&) = delete;
  EmbeddedCursor& operator=(const EmbeddedCursor&) = delete;

  /// Adds up to so many records (at least one, however large). Errors: kNotFound (the topic was deleted), kCorruption.
  Result<PollResult> Read(EmbeddedBatch& out, size_t records_max, size_t bytes_max);
  int64_t position() const { return position_.load(std::memory_order_relaxed); }
  int64_t begin_offset() const { return begin_offset_; }  ///< at opening
  int64_t end_offset() const { return end_offset_; }      ///< at opening

 private:
  friend class EmbeddedLog;
  EmbeddedCursor(EmbeddedLog& log, std::shared_ptr<EmbeddedLog::Topic> topic, int32_t partition);
  Status CollectCompacted(int64_t from);
  Status ReadCompacted(EmbeddedBatch& out, size_t records_max, size_t bytes_max, size_t& records, size_t& bytes);

  EmbeddedLog& log_;
  std::shared_ptr<EmbeddedLog::Topic> topic_;  // shared: see Pending
  EmbeddedLog::Partition& partition_;
  int32_t number_;
  std::atomic<int64_t> position_ = 0;
  int64_t begin_offset_ = 0;
  int64_t end_offset_ = 0;
  /// Offset and key of the newest records below the trimmed end that are still to be read.
  std::vector<std::pair<int64_t, std::string>> compacted_;
  size_t compacted_read_ = 0;
};

}  // namespace tidecast
