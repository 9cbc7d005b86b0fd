#include "operators/backtest_metrics.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/io/text_file.h"

namespace tidecast {
namespace {

using Json = nlohmann::ordered_json;

Json Figure(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json Figures(const ScoreFigures& figures) {
  Json json = {{"wql", Figure(figures.wql)},   {"wape", Figure(figures.wape)}, {"rmsse", Figure(figures.rmsse)},
               {"mase", Figure(figures.mase)}, {"bias", Figure(figures.bias)}, {"mae", Figure(figures.mae)},
               {"mse", Figure(figures.mse)},   {"rmse", Figure(figures.rmse)}, {"r2", Figure(figures.r2)}};
  for (size_t b = 0; b < kCoverageBands.size(); ++b) {
    json["cover"][std::to_string(kCoverageBands[b])] = Figure(figures.cover[b]);
  }
  json["width"] = {{"80", Figure(figures.width80)}, {"95", Figure(figures.width95)}};
  json["forecasts"] = figures.forecasts;
  return json;
}

void AddParts(const ScoreTable& table, Json* json) {
  for (const auto& part : table.by_horizon) (*json)["by_horizon"][part.name] = Figures(part.figures);
  for (const auto& part : table.by_class) (*json)["by_class"][part.name] = Figures(part.figures);
  for (const auto& part : table.by_age) (*json)["by_age"][part.name] = Figures(part.figures);
  for (const auto& column : table.by_column) {
    (*json)["by_column"][column.name] = {{"on", Figures(column.on)}, {"off", Figures(column.off)}};
  }
}

const char* NameOf(ValueDomain domain) {
  switch (domain) {
    case ValueDomain::kCount:
      return "count";
    case ValueDomain::kNonNegative:
      return "nonneg";
    case ValueDomain::kReal:
      break;
  }
  return "real";
}

Json Baseline(const BaselineReport& baseline) {
  Json json = Figures(baseline.table.all);
  AddParts(baseline.table, &json);
  json["seconds_models"] = baseline.seconds_models;
  json["diebold_mariano"] = {{"t", Figure(baseline.against.t)},
                             {"p", Figure(baseline.against.p)},
                             {"relative_loss", Figure(baseline.against.relative)}};
  return json;
}

}  // namespace

Status WriteMetrics(const BacktestReport& report, const std::string& path) {
  const BacktestSummary& summary = report.summary;
  Json json = Figures(report.table.all);
  json["origins"] = summary.origins;
  json["series"] = summary.series;
  json["buckets"] = summary.buckets;
  json["horizon"] = report.horizon;
  json["seasons"] = report.season_lengths;
  json["mase_season"] = report.mase_season;
  json["domain"] = NameOf(report.domain);
  json["pool"] = NameOf(report.pool);
  AddParts(report.table, &json);
  for (const SeedSpread& spread : report.seeds) {
    json["seeds"][spread.figure] = {
        {"median", Figure(spread.median)}, {"min", Figure(spread.min)}, {"max", Figure(spread.max)}};
  }
  for (const BaselineReport& baseline : report.baselines) {
    json["baselines"][baseline.expert] = Baseline(baseline);
    if (baseline.best) json["roles"]["best_expert"] = baseline.expert;
    if (baseline.seasonal_naive) json["roles"]["seasonal_naive"] = baseline.expert;
    if (baseline.smoothing) json["roles"]["smoothing"] = baseline.expert;
  }
  for (const auto& [name, weight] : summary.stats.expert_weights) json["expert_weights"][name] = weight;
  json["net"] = {
      {"device", summary.stats.device}, {"steps", summary.stats.net_steps}, {"rejected", summary.stats.net_rejected}};
  json["seconds_models"] = summary.seconds_models;
  json["series_buckets_per_second"] = summary.series_buckets_per_second;
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<TextFile> file, TextFile::Create(path, false));
  file->Write(json.dump(2) + "\n");
  return file->Close();
}

}  // namespace tidecast
