#pragma once

#include <string>

#include "engine/runtime/task_plan.h"
#include "state/state_store.h"

namespace tidecast {

/// The models of a store, for who looks from outside: [{view, model, rounds, experts: {name: mean weight}, and with a
/// net net: {device, steps, rejected, loss, gradient_norm, weight}}] of the views that are forecast. The store must not
/// change meanwhile: one opened to be read stands still. Errors: kVersion, kCorruption; those of MakeForecaster.
Result<std::string> DescribeModels(const StateStore& store, const TaskPlan& plan);

/// The net's weights as they would serve next (models/weights/FORMAT.md). `view` may be empty where one view alone is
/// forecast. Errors: kNotFound (no such view, no net), and as DescribeModels.
Result<std::string> ExportWeights(const StateStore& store, const TaskPlan& plan, const std::string& view);

}  // namespace tidecast
