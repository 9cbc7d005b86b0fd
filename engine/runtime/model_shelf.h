#pragma once

#include <optional>
#include <string>

#include "engine/runtime/task_plan.h"
#include "state/state_store.h"

namespace tidecast {

/// The models of a store, for who looks from outside: [{view, model, rounds, experts: {name: mean weight}, and with a
/// net net: {device, steps, rejected, weight, version, moved, versions: [{version, origin, rounds, steps, windows, loss,
/// base_loss, from}]}}] of the views that are forecast. The store must not
/// change meanwhile: one opened to be read stands still. Errors: kVersion, kCorruption; those of MakeForecaster.
Result<std::string> DescribeModels(const StateStore& store, const TaskPlan& plan);

/// The net's weights as they would serve next (models/weights/FORMAT.md). `view` may be empty where one view alone is
/// forecast. Errors: kNotFound (no such view, no net), and as DescribeModels.
Result<std::string> ExportWeights(const StateStore& store, const TaskPlan& plan, const std::string& view);

/// Changes of a net while no engine runs. One write of the store; on Kafka the next start of this instance brings it to
/// the changelog (OwedRows). Both return what DescribeModels says of the view's net afterwards.
/// `from`: where the weights come from, in words. Errors: as ExportWeights; kCorruption, kVersion, kInvalidShape.
Result<std::string> ImportWeights(StateStore& store, const TaskPlan& plan, const std::string& view, std::string_view weights,
                                  const std::string& from);
/// `version`: none means the newest that is not what the net is now. Errors: as ExportWeights; kNotFound.
Result<std::string> RollBackWeights(StateStore& store, const TaskPlan& plan, const std::string& view, std::optional<int64_t> version);

}  // namespace tidecast
