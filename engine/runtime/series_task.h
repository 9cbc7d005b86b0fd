#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/io/event_decoder.h"
#include "engine/runtime/row_sink.h"
#include "engine/runtime/stage_task.h"
#include "engine/runtime/task_plan.h"
#include "operators/watermark_tracker.h"

namespace tidecast {

/// The series stage of one partition: stops 2 to 5 of an event's way (decode, watermark, windows, rows).
/// It merges its input partitions by event time (ties: order of the config), so that what it makes is a function of
/// its logs alone as long as they hold enough to choose from.
/// Thread: confined to a step; different tasks may step side by side.
class SeriesTask final : public StageTask {
 public:
  struct Input {
    uint16_t index = 0;               ///< in EngineOptions::inputs
    int32_t partitions = 1;           ///< of the topic
  };
  static Result<std::unique_ptr<SeriesTask>> Make(uint16_t partition, const TaskPlan& plan, std::span<const Input> inputs);

  TaskId id() const override { return {Stage::kSeries, partition_}; }
  size_t source_count() const override { return sources_.size(); }
  const TopicPartition& topic_partition(size_t source) const override { return sources_[source].tp; }
  Status Reload(const StateStore& store) override;
  Position position(size_t source) const override;
  bool WantsRecords(size_t source) const override;
  RecordBatch& PrepareBatch(size_t source, LogTransport& transport) override;
  void OnPolled(size_t source, const PollResult& result, ProcessingTime now) override;
  void SetEnd(size_t source, int64_t end_offset) override;
  bool ended() const override;
  bool drained() const override;
  void Process(const ActivityBoard& activity, size_t bytes_max, TaskStepOutput& out) override;
  EventTime closed_up_to() const override;
  EventTime watermark() const override { return watermarks_->task_watermark(); }
  EventTime newest_event() const override { return watermarks_->newest_event(); }
  bool idle() const override;
  const WindowAggregator& windows() const override { return *windows_; }
  WindowAggregator& windows() { return *windows_; }
  const EventCounts& counts() const override { return counts_; }
  const std::array<int64_t, 16>& rejects() const override { return rejects_; }
  void Save(Epoch epoch, uint64_t seq, StateBatch& out) override;
  void OnCommitted(Epoch epoch) override { windows_->OnCommitted(epoch); }
  size_t dirty_bytes() const override { return dirty_bytes_; }
  /// What moved the watermark may be no more than a source that fell idle: others are told of it, so it is kept, too.
  bool dirty() const override { return dirty_ || watermark() != saved_watermark_; }
  uint64_t stored_seq() const override { return stored_seq_; }

 private:
  struct Source {
    uint16_t input = 0;
    TopicPartition tp;
    int32_t partitions = 1;
    bool is_clock = true;
    std::unique_ptr<EventDecoder> decoder;
    std::unique_ptr<RecordBatch> batch;
    std::span<const InputRecord> records;  ///< of the batch
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

  SeriesTask(uint16_t partition, const TaskPlan& plan) : partition_(partition), plan_(plan) {}
  void Run(const ActivityBoard& activity, size_t bytes_max, RowSink& sink, TaskStepOutput& out);
  /// A bucket has been passed by the watermark and is not closed; Max() means that nothing is open.
  bool closing_is_due() const {
    return windows_->next_close() != EventTime::Max() && windows_->next_close() <= watermark();
  }
  int PickSource() const;
  /// The least time at which another source goes on, of those that PickSource compared.
  EventTime HeadOfOthers(size_t index) const;
  void UseRecordsBefore(Source& source, int64_t offset, TaskStepOutput& out);
  void FinishBatch(size_t index, TaskStepOutput& out);
  void UseEvent(size_t index, TaskStepOutput& out);
  /// Hands the event on to the stage that is keyed by customer.
  void Forward(const Event& event, EventTime judged_by, const TopicPartition& source, TaskStepOutput& out);

  uint16_t partition_;
  const TaskPlan& plan_;
  std::vector<Source> sources_;
  std::unique_ptr<WatermarkTracker> watermarks_;
  std::optional<TaskStateReader> state_;  ///< since Reload; the windows read it
  std::unique_ptr<WindowAggregator> windows_;
  EventCounts counts_;
  std::array<int64_t, 16> rejects_{};
  uint64_t stored_seq_ = 0;
  bool dirty_ = false;
  size_t dirty_bytes_ = 0;  ///< of the windows: asked for in each step, and they look through all buckets
  EventTime saved_watermark_;
  bool waiting_ = false;             ///< a closing bucket waits for the other tasks
};

}  // namespace tidecast
