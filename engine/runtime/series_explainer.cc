#include "engine/runtime/series_explainer.h"

#include <fmt/format.h>

#include "engine/io/json_append.h"
#include "engine/runtime/model_task.h"
#include "engine/runtime/stored_task.h"

namespace tidecast {
namespace {

constexpr size_t kCacheBytes = 1 << 20;

void AppendView(const std::string& series, const std::string& view, const BucketCalendar& calendar,
                const BucketContext& context, std::span<const Explanation> steps, std::string* json) {
  const auto text = [json](std::string_view key, std::string_view value) {
    json->append(key);
    AppendJsonString(value, json);
  };
  text("{\"series\":", series);
  text(",\"view\":", view);
  text(",\"cutoff\":", calendar.Label(context.now.start));
  json->append(",\"steps\":[");
  for (size_t h = 0; h < steps.size(); ++h) {
    text(h == 0 ? "{\"ds\":" : ",{\"ds\":", calendar.Label(context.ahead[h].start));
    json->append(",\"mean\":");
    AppendJsonNumber(steps[h].mean, json);
    json->push_back(',');
    OutputEncoder::AppendExplanation(steps[h], json);
    json->push_back('}');
  }
  json->append("]}");
}

}  // namespace

Result<std::string> ExplainSeries(const StateStore& store, const TaskPlan& plan, const std::string& id) {
  TC_ASSIGN_OR_RETURN(const std::vector<StoredTask> stored, ListStoredTasks(store));
  std::vector<uint16_t> partitions;
  for (const StoredTask& task : stored) partitions.push_back(task.id.partition);
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ModelTask> model, ModelTask::Make(plan, store, kCacheBytes));
  TC_RETURN_IF_ERROR(model->Reload(partitions));
  const bool several = plan.options.views.size() > 1;
  std::string json = "[";
  for (uint16_t v = 0; v < plan.views.size(); ++v) {
    const std::string& view = plan.options.views[v].name;
    const bool named = several && id.starts_with(view + "/");
    const std::string series = named ? id.substr(view.size() + 1) : id;
    BucketContext context;
    TC_ASSIGN_OR_RETURN(const std::vector<Explanation> steps, model->Explain(v, series, partitions, &context));
    if (steps.empty()) continue;
    if (json.size() > 1) json.push_back(',');
    AppendView(series, view, *plan.views[v].calendar, context, steps, &json);
  }
  if (json.size() == 1) {
    return Status(Code::kNotFound, fmt::format("the model has no newest forecast of this series: {}", id),
                  Domain::kInput)
        .WithRemedy("mind the spelling; `tidecast state get` shows what is kept of it (a dormant series is not asked)");
  }
  return json + "]";
}

}  // namespace tidecast
