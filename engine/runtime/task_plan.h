#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/runtime/engine_options.h"
#include "models/forecaster.h"
#include "operators/bottom_up.h"
#include "operators/bucket_calendar.h"
#include "operators/output_encoder.h"
#include "operators/window_aggregator.h"
#include "state/task_keyspace.h"

namespace tidecast {

/// What all tasks of an instance share: options, calendars, encoders. Made once, then read only.
/// Thread: immutable.
struct TaskPlan {
  static constexpr Stage StageOf(GroupBy group_by) {
    if (group_by == GroupBy::kKey) return Stage::kSeries;
    return group_by == GroupBy::kCustomer ? Stage::kActor : Stage::kRollup;
  }
  struct View {
    Stage stage = Stage::kSeries;              ///< whose tasks make its rows
    std::unique_ptr<BucketCalendar> calendar;
    size_t target_feature = 0;
    std::vector<size_t> past_features;
    std::vector<std::string> known_names;  ///< columns of a step of ModelRow::known
    bool forecast = true;
    std::optional<uint16_t> bottom_up_from;  ///< whose means add up to this view's
    std::vector<BottomUpSums::Feed> feeds;   ///< views that this one's means add up to
  };
  EngineOptions options;
  std::vector<View> views;
  std::unique_ptr<OutputEncoder> encoder;
  /// Stages behind the series stage that a view belongs to: rollup, actor.
  std::vector<Stage> further_stages;
  bool publish = true;          ///< write output topics (replay writes files only)
  bool collect = false;         ///< keep typed rows for a ResultSink
  /// Makes the forecaster of a view. Tests put something around it.
  std::function<Result<std::unique_ptr<Forecaster>>(const ForecasterOptions&)> make_forecaster = MakeForecaster;
  /// Without `collect`: the buckets to keep for it all the same; may be empty. Called from the tasks' threads.
  std::function<bool(uint16_t view, std::string_view series)> follows;

  /// The views as seen by the tasks of a stage.
  std::vector<WindowRole> RolesIn(Stage stage) const;
  /// What the windows of a stage's tasks are made of.
  WindowAggregator::Options WindowsOf(Stage stage) const;
  /// The internal topic that feeds a further stage.
  std::string RekeyTopic(Stage stage) const;

  /// Errors: kConfig.
  static Result<std::unique_ptr<TaskPlan>> Make(EngineOptions options, bool publish, bool collect);
};

}  // namespace tidecast
