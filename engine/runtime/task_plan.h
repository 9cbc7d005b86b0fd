#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/runtime/engine_options.h"
#include "models/forecaster.h"
#include "operators/bucket_calendar.h"
#include "operators/output_encoder.h"

namespace tidecast {

/// What all tasks of an instance share: options, calendars, encoders. Made once, then read only.
/// Thread: immutable.
struct TaskPlan {
  struct View {
    std::unique_ptr<BucketCalendar> calendar;
    size_t target_feature = 0;
    std::vector<size_t> past_features;
    size_t known_covariates = 0;  ///< width of a step of ModelRow::known
    bool forecast = true;
  };
  EngineOptions options;
  std::vector<View> views;
  std::unique_ptr<OutputEncoder> encoder;
  bool publish = true;          ///< write output topics (replay writes files only)
  bool collect = false;         ///< keep typed rows for a ResultSink
  /// Makes the forecaster of a view. Tests put something around it.
  std::function<Result<std::unique_ptr<Forecaster>>(const ForecasterOptions&)> make_forecaster = MakeForecaster;

  /// Errors: kConfig.
  static Result<std::unique_ptr<TaskPlan>> Make(EngineOptions options, bool publish, bool collect);
};

}  // namespace tidecast
