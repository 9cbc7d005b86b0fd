#pragma once

#include <string>

#include "engine/core/status.h"
#include "engine/runtime/task_plan.h"
#include "state/state_store.h"

namespace tidecast {

/// Why the newest forecasts of a series are what they are, as JSON: for each view that forecasts it {series, view,
/// cutoff, steps: [{ds, mean, level, recent, season, known, net, experts}]} (models/explanation.h). `id`: the series's key,
/// or view/key; with several views a bare key stands for it in all of them. Loads the model from the store, which must
/// not change meanwhile: one opened to be read stands still. Errors: kNotFound (not there, or dormant), kNotReady
/// (stopped inside a round), kVersion, kCorruption; those of MakeForecaster.
Result<std::string> ExplainSeries(const StateStore& store, const TaskPlan& plan, const std::string& id);

}  // namespace tidecast
