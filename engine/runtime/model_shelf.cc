#include "engine/runtime/model_shelf.h"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "engine/runtime/model_task.h"
#include "engine/runtime/owed_rows.h"
#include "models/net_keeper.h"

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

Json DescribeHistory(const NetHistory& history) {
  Json versions = Json::array();
  for (const NetVersion& version : history.kept()) {
    Json json = {{"version", version.number},
                 {"origin", version.origin == NetVersion::Origin::kImported ? "imported" : "learned"},
                 {"rounds", version.rounds},
                 {"steps", version.steps},
                 {"windows", version.windows}};
    if (version.windows > 0) json.update({{"loss", version.loss}, {"base_loss", version.base_loss}});
    if (!version.provenance.empty()) json["from"] = version.provenance;
    versions.push_back(std::move(json));
  }
  return versions;
}

Json Describe(const std::string& view, const ForecasterOptions& options, const Forecaster& forecaster) {
  const ForecasterStats stats = forecaster.Stats();
  Json json = {{"view", view}, {"model", NetKindName(options.net)}, {"rounds", stats.rounds}};
  Json experts = Json::object();
  for (const auto& [name, weight] : stats.expert_weights) experts[name] = weight;
  if (options.net != NetKind::kNone && !stats.expert_weights.empty()) {
    const auto& [name, weight] = stats.expert_weights.back();
    experts.erase(name);
    json["net"] = {{"device", stats.device}, {"steps", stats.net_steps}, {"rejected", stats.net_rejected}, {"weight", weight}};
    if (const auto* keeper = dynamic_cast<const NetKeeper*>(&forecaster)) {
      const NetHistory history = keeper->NetVersions();
      json["net"]["version"] = history.current();
      json["net"]["moved"] = history.moved(stats.net_steps);
      json["net"]["versions"] = DescribeHistory(history);
    }
  }
  json["experts"] = std::move(experts);
  return json;
}

/// The view that is meant, its net ready. Errors: kNotFound.
Result<uint16_t> FindView(const TaskPlan& plan, const std::string& view, ModelTask* model) {
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
  return found[0];
}

Result<std::string> ChangeNet(StateStore& store, const TaskPlan& plan, const std::string& view,
                              const std::function<Status(NetKeeper& keeper, const StateReader& rows)>& change) {
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ModelTask> model, LoadModels(store, plan));
  TC_ASSIGN_OR_RETURN(const uint16_t v, FindView(plan, view, model.get()));
  const Forecaster& forecaster = model->forecast_operator(v)->forecaster();
  NetKeeper* const keeper = model->net_keeper(v);
  if (keeper == nullptr) return forecaster.ExportNet({});
  TC_RETURN_IF_ERROR(change(*keeper, TaskStateReader(store, {Stage::kModel, v})));
  StateBatch batch;
  model->Save(1, batch);
  if (plan.options.transport == TransportKind::kKafka) TC_RETURN_IF_ERROR(OweRows(store, {Stage::kInstance, 0}, batch));
  TC_RETURN_IF_ERROR(store.Write(batch));
  TC_RETURN_IF_ERROR(store.Sync());
  return Describe(plan.options.views[v].name, plan.options.model, forecaster).dump();
}

}  // namespace

Result<std::string> DescribeModels(const StateStore& store, const TaskPlan& plan) {
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ModelTask> model, LoadModels(store, plan));
  Json list = Json::array();
  for (uint16_t v = 0; v < plan.views.size(); ++v) {
    if (model->forecast_operator(v) == nullptr) continue;
    TC_RETURN_IF_ERROR(model->Ready(v));
    list.push_back(Describe(plan.options.views[v].name, plan.options.model, model->forecast_operator(v)->forecaster()));
  }
  return list.dump();
}

Result<std::string> ExportWeights(const StateStore& store, const TaskPlan& plan, const std::string& view) {
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ModelTask> model, LoadModels(store, plan));
  TC_ASSIGN_OR_RETURN(const uint16_t v, FindView(plan, view, model.get()));
  const Forecaster& forecaster = model->forecast_operator(v)->forecaster();
  return forecaster.ExportNet(fmt::format("namespace {}, view {}, after {} rounds", plan.options.name_space, plan.options.views[v].name, forecaster.Stats().rounds));
}

Result<std::string> ImportWeights(StateStore& store, const TaskPlan& plan, const std::string& view, std::string_view weights,
                                  const std::string& from) {
  return ChangeNet(store, plan, view, [&](NetKeeper& keeper, const StateReader&) { return keeper.ImportNet(weights, from); });
}

Result<std::string> RollBackWeights(StateStore& store, const TaskPlan& plan, const std::string& view, std::optional<int64_t> version) {
  return ChangeNet(store, plan, view, [&](NetKeeper& keeper, const StateReader& rows) { return keeper.RollBackNet(version, rows); });
}

}  // namespace tidecast
