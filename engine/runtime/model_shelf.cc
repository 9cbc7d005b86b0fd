#include "engine/runtime/model_shelf.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/runtime/model_task.h"

namespace tidecast {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kCacheBytes = 1 << 20;

Result<std::unique_ptr<ModelTask>> LoadModels(const StateStore& store, const TaskPlan& plan) {
  TC_ASSIGN_OR_RETURN(auto model, ModelTask::Make(plan, store, kCacheBytes));
  // What the series keep is not asked for.
  TC_RETURN_IF_ERROR(model->Reload({}));
  return model;
}

Json Describe(const std::string& view, const ForecasterOptions& options, const ForecasterStats& stats) {
  Json json = {{"view", view}, {"model", options.net == NetKind::kNone ? "experts" : "lstm"}, {"rounds", stats.rounds}};
  Json experts = Json::object();
  for (const auto& [name, weight] : stats.expert_weights) experts[name] = weight;
  if (options.net != NetKind::kNone && !stats.expert_weights.empty()) {
    const auto& [name, weight] = stats.expert_weights.back();
    experts.erase(name);
    json["net"] = {{"device", stats.device}, {"steps", stats.net_steps}, {"rejected", stats.net_rejected}, {"weight", weight}};
  }
  json["experts"] = std::move(experts);
  return json;
}

}  // namespace

Result<std::string> DescribeModels(const StateStore& store, const TaskPlan& plan) {
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ModelTask> model, LoadModels(store, plan));
  Json list = Json::array();
  for (uint16_t v = 0; v < plan.views.size(); ++v) {
    if (model->forecast_operator(v) == nullptr) continue;
    TC_RETURN_IF_ERROR(model->Ready(v));
    list.push_back(Describe(plan.options.views[v].name, plan.options.model, model->forecast_operator(v)->forecaster().Stats()));
  }
  return list.dump();
}

Result<std::string> ExportWeights(const StateStore& store, const TaskPlan& plan, const std::string& view) {
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ModelTask> model, LoadModels(store, plan));
  std::string names;
  std::vector<uint16_t> found;
  for (uint16_t v = 0; v < plan.views.size(); ++v) {
    if (model->forecast_operator(v) == nullptr) continue;
    const std::string& name = plan.options.views[v].name;
    names += (names.empty() ? "" : ", ") + name;
    if (view.empty() || view == name) found.push_back(v);
  }
  if (found.size() != 1) {
    return Status(Code::kNotFound, view.empty() ? "it is not clear whose net is meant" : fmt::format("no view of this name is forecast: {}", view), Domain::kInput)
        .WithRemedy(names.empty() ? "no view is forecast" : fmt::format("name one with --view: {}", names));
  }
  TC_RETURN_IF_ERROR(model->Ready(found[0]));
  const Forecaster& forecaster = model->forecast_operator(found[0])->forecaster();
  return forecaster.ExportNet(fmt::format("namespace {}, view {}, after {} rounds", plan.options.name_space, plan.options.views[found[0]].name, forecaster.Stats().rounds));
}

}  // namespace tidecast
