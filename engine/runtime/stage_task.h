#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/event.h"
#include "engine/core/packed_records.h"
#include "engine/core/record.h"
#include "engine/io/log_transport.h"
#include "operators/model_row.h"
#include "operators/window_aggregator.h"
#include "state/task_keyspace.h"

namespace tidecast {

/// Counts of what happened to a task's events; part of its state, so that they survive a crash and never count twice.
struct EventCounts {
  int64_t events_read = 0;
  int64_t events_accepted = 0;
  int64_t returns = 0;       ///< of the accepted: negative quantity
  int64_t late_revised = 0;  ///< of the accepted: counted after their bucket's close
  int64_t too_late = 0;
  int64_t dead_lettered = 0;
  int64_t duplicates = 0;

  EventCounts& operator+=(const EventCounts& other);
};

/// One closed or revised row for the model plane.
struct QueuedRow {
  uint16_t view = 0;
  EventTime start;
  EventTime end;
  ModelRow row;
};

/// A task's value of the target of a rollup's key in a bucket that closed there.
struct QueuedPart {
  uint16_t view = 0;  ///< the rollup's
  uint16_t partition = 0;
  EventTime start;
  std::string key;
  double value = 0;
  bool stored = false;
};

struct BucketOver {
  uint16_t view = 0;
  EventTime start;
  EventTime end;
  bool open = true;
};

/// A closed row with its own memory, for a ResultSink.
struct OwnedBucket {
  uint16_t view = 0;
  std::string series;
  EventTime start;
  EventTime end;
  uint32_t revision = 1;
  std::vector<double> features;
};

/// What one step of a task made; taken over by the instance after the join.
struct TaskStepOutput {
  std::vector<OutputRecord> records;
  std::vector<QueuedRow> rows;
  std::vector<QueuedPart> parts;
  std::vector<BucketOver> over;
  std::vector<std::pair<uint16_t, EventTime>>
      active;                        ///< buckets of other stages' views that had input here: view, start
  std::vector<OwnedBucket> buckets;  ///< only with TaskPlan::collect or `follows`
  std::vector<OutputRecord> late;    ///< likewise, also when nothing is published
  std::vector<OutputRecord> dead;
  size_t rekeyed = 0;  ///< of the records: to a rekey topic
  size_t bytes = 0;
  bool progressed = false;
};

/// One task of a keyed stage: what the instance steps, commits and moves. It reads the partitions of its sources from
/// the positions of its commit record, and hands on closed rows.
/// Thread: confined to a step; different tasks may step side by side.
class StageTask {
 public:
  virtual ~StageTask() = default;
  virtual TaskId id() const = 0;
  virtual size_t source_count() const = 0;
  virtual const TopicPartition& topic_partition(size_t source) const = 0;

  /// Stands where the store stands. Positions are those of the commit record; -2 (the log's beginning) without one.
  virtual Status Reload(const StateStore& store) = 0;
  virtual Position position(size_t source) const = 0;

  /// Whether the source's buffer is used up, so that it may be polled into the batch that PrepareBatch gives.
  virtual bool WantsRecords(size_t source) const = 0;
  virtual RecordBatch& PrepareBatch(size_t source, LogTransport& transport) = 0;
  virtual void OnPolled(size_t source, const PollResult& result, ProcessingTime now) = 0;
  /// Bounded runs: records at or past `end_offset` are not read; the source has ended when all before are used up.
  virtual void SetEnd(size_t source, int64_t end_offset) = 0;
  virtual bool ended() const = 0;
  /// Whether everything polled was used up and nothing waits.
  virtual bool drained() const = 0;

  /// Works until its buffers are used up, about `bytes_max` bytes of output were made, or a closing bucket must wait.
  virtual void Process(const ActivityBoard& activity, size_t bytes_max, TaskStepOutput& out) = 0;

  /// All buckets that end at or before this are closed and handed on.
  virtual EventTime closed_up_to() const = 0;
  virtual EventTime watermark() const = 0;
  /// The greatest event time seen, of clock inputs; Min() before the first.
  virtual EventTime newest_event() const = 0;
  /// All that could move the watermark is idle: the task does not hold back the instance.
  virtual bool idle() const = 0;
  virtual const WindowAggregator& windows() const = 0;
  virtual const EventCounts& counts() const = 0;
  virtual const std::array<int64_t, 16>& rejects() const = 0;

  /// The commit record of this cut: also the task's own row in the local store. `seq` is the epoch's for this task.
  virtual void Save(Epoch epoch, uint64_t seq, StateBatch& out) = 0;
  virtual void OnCommitted(Epoch epoch) = 0;
  /// What the next Save will take, about.
  virtual size_t dirty_bytes() const = 0;
  /// Whether anything changed since the last Save.
  virtual bool dirty() const = 0;
  virtual uint64_t stored_seq() const = 0;

  /// Rows of closed buckets and windows since the last cut; they wait here, since each task's go to partitions of its own.
  size_t rows_bytes() const { return rows_.bytes(); }
  PackedRecords TakeRows() { return rows_.Take(); }
  void ReuseRows(PackedRecords&& spent) { rows_.Reuse(std::move(spent)); }

 protected:
  PackedRecords rows_;
};

}  // namespace tidecast
