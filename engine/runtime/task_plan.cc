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
    view.stage = StageOf(options_of.group_by);
    if (view.stage != Stage::kSeries && std::find(plan->further_stages.begin(), plan->further_stages.end(), view.stage) == plan->further_stages.end()) {
      plan->further_stages.push_back(view.stage);
    }
    TC_ASSIGN_OR_RETURN(view.calendar, BucketCalendar::Make(options_of.calendar));
    view.forecast = options_of.forecast && options.model_enabled;
    if (view.forecast) {
      TC_ASSIGN_OR_RETURN(view.target_feature, FeatureIndex(options_of, options_of.target));
      for (const std::string& name : options_of.past_covariates) {
        TC_ASSIGN_OR_RETURN(const size_t index, FeatureIndex(options_of, name));
        view.past_features.push_back(index);
      }
      view.known_names = KnownNames(input_kinds, options_of.calendar);
    }
    plan->views.push_back(std::move(view));
  }
  for (uint16_t v = 0; options.model_enabled && v < plan->views.size(); ++v) {
    const std::optional<uint16_t> source = BottomUpSource(options.views, v);
    plan->views[v].bottom_up_from = source;
    if (!source) continue;
    plan->views[*source].feeds.push_back({v, options.views[v].group_by, static_cast<size_t>(options.views[v].horizon)});
  }
  std::sort(plan->further_stages.begin(), plan->further_stages.end());
  plan->encoder = std::make_unique<OutputEncoder>(options.name_space, options.views);
  plan->options = std::move(options);
  return plan;
}

std::vector<WindowRole> TaskPlan::RolesIn(Stage stage) const {
  std::vector<WindowRole> roles;
  for (const View& view : views) {
    if (view.stage == stage) {
      roles.push_back(stage == Stage::kRollup ? WindowRole::kMerged : WindowRole::kRows);
    } else if (stage == Stage::kSeries) {
      roles.push_back(view.stage == Stage::kRollup ? WindowRole::kPartial : WindowRole::kForwarded);
    } else {
      roles.push_back(WindowRole::kAbsent);
    }
  }
  return roles;
}

WindowAggregator::Options TaskPlan::WindowsOf(Stage stage) const {
  WindowAggregator::Options windows;
  windows.views = options.views;
  windows.roles = RolesIn(stage);
  windows.delta_blocks = options.delta_blocks;
  for (const InputOptions& input : options.inputs) {
    windows.input_names.push_back(input.name);
    windows.input_kinds.push_back(input.kind);
    // An id is met once: what goes on to another stage was looked at before.
    windows.dedupe_keep.push_back(input.dedupe && stage == Stage::kSeries ? input.dedupe->keep : Duration{});
  }
  return windows;
}

std::string TaskPlan::RekeyTopic(Stage stage) const {
  return options.name_space + (stage == Stage::kRollup ? ".rekey.rollup" : ".rekey.actor");
}

}  // namespace tidecast
