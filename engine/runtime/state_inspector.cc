#include "engine/runtime/state_inspector.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/runtime/series_task.h"
#include "engine/runtime/stored_task.h"
#include "models/series_columns.h"
#include "operators/alert_operator.h"
#include "operators/series_state_cache.h"

namespace tidecast {
namespace {

using Json = nlohmann::ordered_json;

std::string Utc(EventTime time) {
  if (!time.IsFinite()) return time == EventTime::Max() ? "end" : "none";
  return fmt::format("{:%FT%T}Z",
                     fmt::gmtime(static_cast<std::time_t>(std::floor(static_cast<double>(time.us) / 1e6))));
}

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

/// The task that knows the series, loaded.
Result<std::unique_ptr<SeriesTask>> FindTask(const StateStore& store, const TaskPlan& plan, std::string_view series) {
  std::vector<SeriesTask::Input> inputs;
  for (uint16_t i = 0; i < plan.options.inputs.size(); ++i) inputs.push_back({i, 1});
  TC_ASSIGN_OR_RETURN(const std::vector<StoredTask> stored, ListStoredTasks(store));
  size_t others = 0;
  for (const StoredTask& at : stored) {
    TC_ASSIGN_OR_RETURN(std::unique_ptr<SeriesTask> task, SeriesTask::Make(at.id.partition, plan, inputs));
    TC_RETURN_IF_ERROR(task->Reload(store));
    size_t most = 0;
    for (uint16_t v = 0; v < plan.views.size(); ++v) {
      if (task->windows().Look(v, series)) return task;
      most = std::max(most, task->windows().series_count(v));
    }
    others += most;
  }
  return Status(Code::kNotFound,
                fmt::format("the state has no such series: {} (it has {} others, of {} partitions)", series, others,
                            stored.size()),
                Domain::kInput)
      .WithRemedy("mind the spelling; another instance's partition may hold it");
}

Json DescribeBucket(const WindowAggregator::KeptBucket& bucket, const ViewOptions& options,
                    const BucketCalendar& calendar) {
  Json out;
  out["ds"] = calendar.Label(bucket.start);
  out["start"] = Utc(bucket.start);
  out["end"] = Utc(bucket.end);
  out["closed"] = bucket.closed;
  out["revision"] = bucket.revision;
  out["revision_pending"] = bucket.revision_pending;
  for (size_t f = 0; f < options.features.size(); ++f)
    out["features"][options.features[f].name] = Number(bucket.features[f]);
  return out;
}

Json DescribeForecaster(std::string_view blob) {
  Json model;
  model["blob_bytes"] = blob.size();
  SeriesCore core;
  if (blob.size() < sizeof core) return model;
  std::memcpy(&core, blob.data(), sizeof core);
  if (core.format != SeriesCore::kFormat) {
    model["format"] = core.format;
    return model;
  }
  model["age_buckets"] = core.age;
  model["observed_buckets"] = core.observed;
  model["scored_buckets"] = core.resolved;
  model["last_bucket_index"] = core.last_index;
  model["last_value"] = Number(core.last_value);
  model["scale"] = core.scale_weight > 0 ? Number(core.scale_sum / core.scale_weight) : Json();
  if (core.has_published != 0) {
    Json quantiles;
    for (size_t q = 0; q < kLevelCount; ++q) quantiles[fmt::format("{}", kLevels[q])] = Number(core.published[q]);
    model["forecast_in_force"] = {{"bucket_index", core.published_index},
                                  {"mean", Number(core.published_mean)},
                                  {"quantiles", std::move(quantiles)}};
  }
  return model;
}

Status AddModel(const StateStore& store, uint16_t view, std::string_view series, uint16_t partition, Json& out) {
  ModelRow row;
  row.series = std::string(series);
  row.partition = partition;
  std::vector<SeriesStateCache::Entry> entries;
  TC_RETURN_IF_ERROR(SeriesStateCache(store, Stage::kSeries, view, 0).Load({&row, 1}, &entries));
  const SeriesStateCache::Entry& entry = entries[0];
  if (!entry.forecaster.empty()) out["model"] = DescribeForecaster(entry.forecaster);
  if (!entry.alert.empty()) {
    const AlertOperator::StateView alert = AlertOperator::Look(entry.alert);
    out["alert"] = {{"firing", alert.firing},
                    {"direction", alert.high ? "high" : "low"},
                    {"episodes_high", alert.episodes_high},
                    {"episodes_low", alert.episodes_low},
                    {"revision", alert.revision}};
    if (alert.firing) out["alert"]["starts_at"] = Utc(alert.starts_at);
  }
  return Status::Ok();
}

}  // namespace

Result<std::string> DescribeSeries(const StateStore& store, const TaskPlan& plan, std::string_view series) {
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<SeriesTask> task, FindTask(store, plan, series));
  Json out;
  out["series"] = series;
  out["partition"] = task->id().partition;
  out["seq"] = task->stored_seq();
  out["watermark"] = Utc(task->watermark());
  for (size_t s = 0; s < task->source_count(); ++s)
    out["next_offsets"][task->topic_partition(s).topic] = task->position(s).next_offset;
  for (uint16_t v = 0; v < plan.views.size(); ++v) {
    const ViewOptions& options = plan.options.views[v];
    const BucketCalendar& calendar = *plan.views[v].calendar;
    const std::optional<WindowAggregator::KeptSeries> kept = task->windows().Look(v, series);
    if (!kept) continue;  // a view of another stage
    Json view;
    view["view"] = options.name;
    view["id"] = kept->id;
    view["born"] = kept->born.IsFinite() ? Json(calendar.Label(kept->born)) : Json();
    view["buckets"] = Json::array();
    for (const WindowAggregator::KeptBucket& bucket : kept->buckets)
      view["buckets"].push_back(DescribeBucket(bucket, options, calendar));
    TC_RETURN_IF_ERROR(AddModel(store, v, series, task->id().partition, view));
    out["views"].push_back(std::move(view));
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tidecast
