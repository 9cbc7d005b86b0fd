#pragma once

#include <string>

#include "engine/core/status.h"
#include "engine/runtime/task_plan.h"
#include "state/state_store.h"

namespace tidecast {

/// What a store holds of one series, as JSON that a person can read: its task and how far that has come; for each view
/// its birth, its kept buckets with features and revision, the model's age and figures, and the alert.  Loads the task
/// that has it; may run beside an instance on a store opened to be read. Errors: kNotFound (no such series; how many
/// there are), kVersion and kCorruption of a row (named).
Result<std::string> DescribeSeries(const StateStore& store, const TaskPlan& plan, std::string_view series);

}  // namespace tidecast
