#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/core/event.h"
#include "engine/core/record.h"
#include "engine/io/event_decoder.h"
#include "engine/io/log_transport.h"
#include "engine/runtime/task_plan.h"
#include "operators/model_row.h"
#include "operators/watermark_tracker.h"
#include "operators/window_aggregator.h"
#include "state/task_keyspace.h"

namespace tidecast {

/// Counts of what happened to a task's events; part of its state, so that they survive a crash and never count twice.
struct EventCounts {
  int64_t events_read = 0;
  int64_t events_accepted = 0;
  int64_t returns = 0;        ///< of the accepted: negative quantity
  int64_t late_revised = 0;   ///< of the accepted: counted after their bucket's close
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
  std::vector<BucketOver> over;
  std::vector<OwnedBucket> buckets;         ///< only with TaskPlan::collect
  std::vector<OutputRecord> late;           ///< likewise, also when nothing is published
  std::vector<OutputRecord> dead;
  size_t bytes = 0;
  bool progressed = false;
};

/// The series stage of one partition: stops 2 to 5 of an event's way (decode, watermark, windows, rows).
/// It merges its input partitions by event time (ties: order of the config), so that what it makes is a function of
/// its logs alone as long as they hold enough to choose from.
/// Thread: confined to a step; different tasks may step side by side.
class SeriesTask {
 public:
  struct Input {
    uint16_t index = 0;               ///< in EngineOptions::inputs
    int32_t partitions = 1;           ///< of the topic
  };
  static Result<std::unique_ptr<SeriesTask>> Make(uint16_t partition, const TaskPlan& plan, std::span<const Input> inputs);

  TaskId id() const { return {Stage::kSeries, partition_}; }
  size_t source_count() const { return sources_.size(); }
  const TopicPartition& topic_partition(size_t source) const { return sources_[source].tp; }

  /// Stands where the store stands. Positions are those of the commit record; -2 (the log's beginning) without one.
  Status Reload(const StateStore& store);
  Position position(size_t source) const;

  /// Whether the source's buffer is used up, so that it may be polled into `batch(source)`.
  bool WantsRecords(size_t source) const;
  RecordBatch& PrepareBatch(size_t source, LogTransport& transport);
  void OnPolled(size_t source, const PollResult& result, ProcessingTime now);
  /// Bounded runs: records at or past `end_offset` are not read; the source has ended when all before are used up.
  void SetEnd(size_t source, int64_t end_offset);
  bool ended() const;
  /// Whether everything polled was used up and nothing waits.
  bool drained() const;

  /// Works until its buffers are used up, about `bytes_max` bytes of output were made, or a closing bucket must wait.
  void Process(const ActivityBoard& activity, size_t bytes_max, TaskStepOutput& out);

  /// All buckets that end at or before this are closed and handed on.
  EventTime closed_up_to() const;
  EventTime watermark() const { return watermarks_->task_watermark(); }
  /// All clock inputs are idle: the task does not hold back the instance.
  bool idle() const;
  const WindowAggregator& windows() const { return *windows_; }
  WindowAggregator& windows() { return *windows_; }
  const EventCounts& counts() const { return counts_; }
  const std::array<int64_t, 16>& rejects() const { return rejects_; }

  /// The commit record of this cut: also the task's own row in the local store. `seq` is the epoch's for this task.
  void Save(Epoch epoch, uint64_t seq, StateBatch& out);
  void OnCommitted(Epoch epoch) { windows_->OnCommitted(epoch); }
  /// What the next Save will take, about.
  size_t dirty_bytes() const { return windows_->dirty_bytes(); }
  /// Whether anything changed since the last Save.
  bool dirty() const { return dirty_; }
  uint64_t stored_seq() const { return stored_seq_; }

 private:
  struct Source {
    uint16_t input = 0;
    TopicPartition tp;
    int32_t partitions = 1;
    bool is_clock = true;
    std::unique_ptr<EventDecoder> decoder;
    std::unique_ptr<RecordBatch> batch;
    EventBatch events;
    size_t next_event = 0;
    size_t next_dead = 0;
    size_t next_record = 0;          ///< records before it are counted
    bool loaded = false;             ///< the batch holds records that are not used up
    bool at_end = false;
    int64_t next_offset = -2;        ///< of the batch once used up
    int64_t position = -2;           ///< first offset not used up
    int64_t end_offset = -1;         ///< bounded runs
    bool ended = false;
  };
  class Sink;

  SeriesTask(uint16_t partition, const TaskPlan& plan) : partition_(partition), plan_(plan) {}
  void Run(const ActivityBoard& activity, size_t bytes_max, Sink& sink, TaskStepOutput& out);
  /// A bucket has been passed by the watermark and is not closed; Max() means that nothing is open.
  bool closing_is_due() const {
    return windows_->next_close() != EventTime::Max() && windows_->next_close() <= watermark();
  }
  int PickSource() const;
  void UseRecordsBefore(Source& source, int64_t offset, TaskStepOutput& out);
  void FinishBatch(size_t index, TaskStepOutput& out);
  void UseEvent(size_t index, TaskStepOutput& out);

  uint16_t partition_;
  const TaskPlan& plan_;
  std::vector<Source> sources_;
  std::unique_ptr<WatermarkTracker> watermarks_;
  std::unique_ptr<WindowAggregator> windows_;
  EventCounts counts_;
  std::array<int64_t, 16> rejects_{};
  uint64_t stored_seq_ = 0;
  bool dirty_ = false;
  bool waiting_ = false;             ///< a closing bucket waits for the other tasks
};

}  // namespace tidecast
