#pragma once

#include "engine/runtime/stage_task.h"
#include "engine/runtime/task_plan.h"
#include "operators/bottom_up_table.h"

namespace tidecast {

/// Takes the rows of a task's windows: encodes what is published, keeps what the model and a ResultSink want.
/// Thread: confined to the task's step.
class RowSink final : public WindowSink {
 public:
  /// `rows`: takes what is published. `bottom_up`: of a rollup's task, else null.
  RowSink(TaskId task, const TaskPlan& plan, PackedRecords& rows, TaskStepOutput& out, BottomUpTable* bottom_up = nullptr)
      : task_(task), plan_(plan), rows_(rows), out_(out), bottom_up_(bottom_up) {}

  void OnBucket(const ClosedBucket& bucket) override;
  void OnWindow(const ClosedBucket& window, uint16_t window_index) override;
  void OnBucketEnd(uint16_t view, EventTime start, EventTime end, bool open) override;
  void OnRetired(uint16_t view, std::string_view series, EventTime start, EventTime end) override;
  void OnContribution(const Contribution& contribution) override;

  /// How often the windows had something to say.
  int64_t calls() const { return calls_; }

 private:
  void Add(OutputRecord&& record);

  TaskId task_;
  const TaskPlan& plan_;
  PackedRecords& rows_;
  TaskStepOutput& out_;
  BottomUpTable* bottom_up_;
  int64_t calls_ = 0;
};

}  // namespace tidecast
