#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/runtime/rekey_records.h"
#include "engine/runtime/row_sink.h"
#include "engine/runtime/stage_task.h"
#include "engine/runtime/task_plan.h"
#include "operators/watermark_tracker.h"

namespace tidecast {

/// One partition of a further stage (rollup, actor): reads its partition of the stage's rekey topic in log order, and
/// makes the rows of the stage's views. Its watermark is the least of all tasks of the series stage, as they told it
/// there. What a task that was set back sends again (a torn transaction) counts once. Thread: confined to a step;
/// different tasks may step side by side.
class RekeyedTask final : public StageTask {
 public:
  /// `upstream_tasks`: partitions of the series stage.
  static Result<std::unique_ptr<RekeyedTask>> Make(Stage stage, uint16_t partition, const TaskPlan& plan,
                                                   int32_t upstream_tasks);

  TaskId id() const override { return id_; }
  size_t source_count() const override { return 1; }
  const TopicPartition& topic_partition(size_t) const override { return source_; }
  Status Reload(const StateStore& store) override;
  Position position(size_t) const override { return {source_, position_}; }
  bool WantsRecords(size_t) const override { return !loaded_; }
  RecordBatch& PrepareBatch(size_t source, LogTransport& transport) override;
  void OnPolled(size_t source, const PollResult& result, ProcessingTime now) override;
  /// Bounded runs: the end is told by the upstream tasks, the topic's own end means nothing.
  void SetEnd(size_t source, int64_t end_offset) override;
  bool ended() const override;
  bool drained() const override;
  void Process(const ActivityBoard& activity, size_t bytes_max, TaskStepOutput& out) override;
  EventTime closed_up_to() const override;
  EventTime watermark() const override { return watermarks_->task_watermark(); }
  EventTime newest_event() const override { return newest_event_; }
  bool idle() const override;
  const WindowAggregator& windows() const override { return *windows_; }
  const EventCounts& counts() const override { return counts_; }
  const std::array<int64_t, 16>& rejects() const override { return rejects_; }
  void Save(Epoch epoch, uint64_t seq, StateBatch& out) override;
  void OnCommitted(Epoch epoch) override { windows_->OnCommitted(epoch); }
  size_t dirty_bytes() const override { return windows_->dirty_bytes() + bottom_up_.dirty_bytes(); }
  bool dirty() const override { return dirty_; }
  uint64_t stored_seq() const override { return stored_seq_; }

 private:
  RekeyedTask(TaskId id, const TaskPlan& plan, int32_t upstream_tasks);
  void MakeWatermarks();
  void Run(const ActivityBoard& activity, size_t bytes_max, RowSink& sink, TaskStepOutput& out);
  void Use(const InputRecord& record, TaskStepOutput& out);
  Verdict Take(const RekeyRecord& record);
  Result<Verdict> Take(const Contribution& contribution);
  /// The next offset that the source of an event has for us.
  int64_t& NextOf(const RekeyRecord& event);
  void Hear(const UpstreamWatermark& told);
  void ExtendAtEnd();
  void SetAside(const InputRecord& record, RejectReason reason, const std::string& why, TaskStepOutput& out);
  Status ReadRecord(std::string_view bytes);
  bool closing_is_due() const {
    return windows_->next_close() != EventTime::Max() && windows_->next_close() <= watermark();
  }

  TaskId id_;
  const TaskPlan& plan_;
  TopicPartition source_;
  std::unique_ptr<WatermarkTracker> watermarks_;  ///< its sources: the upstream tasks
  std::vector<bool> upstream_ended_;              ///< told so; counts in bounded runs only
  std::vector<EventTime> told_;                   ///< by upstream task: the greatest watermark but the end
  /// Events come in the order of their source's log, so that one below this has come before.
  struct ForwardedFrom {
    std::string topic;
    std::vector<int64_t> next_offsets;  ///< by partition
  };
  std::vector<ForwardedFrom> forwarded_;
  EventTime newest_event_;  ///< of all upstream tasks that ended
  std::optional<TaskStateReader> state_;  ///< since Reload; the windows read it
  std::unique_ptr<WindowAggregator> windows_;
  BottomUpTable bottom_up_;
  std::unique_ptr<RecordBatch> batch_;
  RekeyRecord parsed_;
  size_t next_record_ = 0;
  bool loaded_ = false;  ///< the batch holds records that are not used up
  bool at_end_ = false;
  bool bounded_ = false;
  int64_t next_offset_ = -2;  ///< of the batch once used up
  int64_t position_ = -2;
  EventCounts counts_;
  std::array<int64_t, 16> rejects_{};
  uint64_t stored_seq_ = 0;
  bool dirty_ = false;
  bool waiting_ = false;  ///< a closing bucket waits for what the other tasks have seen
};

}  // namespace tidecast
