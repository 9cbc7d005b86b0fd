#include "engine/runtime/task_plan.h"

#include <algorithm>

#include "operators/window_aggregator.h"

namespace tidecast {
namespace {

Result<size_t> FeatureIndex(const ViewOptions& view, const std::string& name) {
  for (size_t i = 0; i < view.features.size(); ++i) {
    if (view.features[i].name == name) return i;
  }
  return Status(Code::kConfig, fmt::format("a view names a feature that it does not have: view {}, feature {}", view.name, name), Domain::kInput);
}

}  // namespace

Result<std::unique_ptr<TaskPlan>> TaskPlan::Make(EngineOptions options, bool publish, bool collect) {
  auto plan = std::make_unique<TaskPlan>();
  plan->publish = publish;
  plan->collect = collect;
  std::vector<InputKind> input_kinds;
  for (const InputOptions& input : options.inputs) input_kinds.push_back(input.kind);
  for (const ViewOptions& options_of : options.views) {
    View view;
    TC_ASSIGN_OR_RETURN(view.calendar, BucketCalendar::Make(options_of.calendar));
    view.forecast = options_of.forecast && options.model_enabled;
    if (view.forecast) {
      TC_ASSIGN_OR_RETURN(view.target_feature, FeatureIndex(options_of, options_of.target));
      for (const std::string& name : options_of.past_covariates) {
        TC_ASSIGN_OR_RETURN(const size_t index, FeatureIndex(options_of, name));
        view.past_features.push_back(index);
      }
      view.known_covariates = KnownCovariates(input_kinds);
    }
    plan->views.push_back(std::move(view));
  }
  plan->encoder = std::make_unique<OutputEncoder>(options.name_space, options.views);
  plan->options = std::move(options);
  return plan;
}

}  // namespace tidecast
