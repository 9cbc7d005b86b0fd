#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/app/audit_report.h"

namespace tidecast {
namespace {

using Json = nlohmann::ordered_json;

Json Figure(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json Figures(const std::vector<double>& values) {
  Json json = Json::array();
  for (const double value : values) json.push_back(Figure(value));
  return json;
}

Json TestJson(const std::optional<StationarityTest>& test) {
  if (!test) return nullptr;
  return {{"statistic", test->statistic}, {"p", test->p}, {"lags", test->lags}};
}

Json SeriesJson(const SeriesFinding& finding) {
  constexpr std::array<const char*, 4> kLevels = {"steady", "wandering", "unclear", "untested"};
  Json json = {{"unique_id", finding.series},
               {"buckets", finding.buckets},
               {"missing", finding.missing},
               {"zeros", finding.zeros},
               {"leading_zeros", finding.leading_zeros},
               {"negatives", finding.negatives},
               {"mean", Figure(finding.mean)},
               {"class", kDemandClassNames[finding.demand_class]},
               {"level", kLevels[static_cast<size_t>(finding.level())]},
               {"adf", TestJson(finding.adf)},
               {"kpss", TestJson(finding.kpss)},
               {"seasonality", Figures(finding.seasonality)},
               {"outliers", Json::array()}};
  for (const auto& outlier : finding.outliers) {
    json["outliers"].push_back(
        {{"ds", outlier.ds}, {"y", outlier.value}, {"z", outlier.z}, {"winsorised", outlier.winsorised}});
  }
  return json;
}

Json ColumnsJson(const CovariateAudit& covariates) {
  Json json = {{"rows", covariates.rows}, {"columns", Json::array()}, {"correlations", Json::object()}};
  for (const auto& column : covariates.columns) {
    json["columns"].push_back({{"name", column.name},
                               {"missing", column.missing},
                               {"constant", column.constant},
                               {"correlation", column.correlation},
                               {"t", Figure(column.t)}});
  }
  const size_t used = covariates.used.size();
  for (size_t a = 0; a < used; ++a) {
    for (size_t b = 0; b < used; ++b) {
      const std::string& name = covariates.columns[covariates.used[a]].name;
      json["correlations"][name][covariates.columns[covariates.used[b]].name] = covariates.correlations[a * used + b];
    }
  }
  json["principal_components"] = Json::array();
  for (size_t c = 0; c < used; ++c) {
    Json component = {{"share", covariates.components.shares[c]}};
    for (size_t i = 0; i < used; ++i) {
      component["direction"][covariates.columns[covariates.used[i]].name] =
          covariates.components.directions[c * used + i];
    }
    json["principal_components"].push_back(std::move(component));
  }
  return json;
}

}  // namespace

void PrintAuditJson(const SeriesAudit& audit, const OrderFindings* orders, const std::vector<Advice>& advice) {
  const SeriesTotals& totals = audit.totals;
  Json json = {{"rows", audit.rows},
               {"series", audit.series},
               {"buckets", audit.buckets},
               {"first", audit.first},
               {"last", audit.last},
               {"frequency", NameOf(audit.frequency)},
               {"duplicates", audit.duplicates},
               {"conflicting", audit.conflicting},
               {"off_step", audit.off_step},
               {"calendar_gaps", audit.calendar_gaps},
               {"closed_weekdays", audit.closed_weekdays},
               {"missing", totals.missing},
               {"zeros", totals.zeros},
               {"negatives", totals.negatives},
               {"outliers", totals.outliers},
               {"seasons", Json::array()}};
  for (size_t p = 0; p < audit.seasons.size(); ++p) {
    json["seasons"].push_back({{"buckets", audit.seasons[p].buckets},
                               {"natural", audit.seasons[p].natural},
                               {"strength", Figure(totals.seasonality[p])}});
  }
  for (size_t c = 0; c < kDemandClassNames.size(); ++c) {
    json["classes"][kDemandClassNames[c]] = {{"series", totals.classes[c]}, {"volume", totals.volume[c]}};
  }
  if (orders != nullptr) {
    json["orders"] = {{"lines", orders->lines},
                      {"decoded", orders->decoded},
                      {"returns", orders->returns},
                      {"repeated", orders->repeated}};
  }
  json["covariates"] = ColumnsJson(audit.covariates);
  json["advice"] = Json::array();
  for (const Advice& one : advice) {
    constexpr std::array<const char*, 3> kWords = {"fix", "look", "note"};
    json["advice"].push_back(
        {{"weight", kWords[static_cast<size_t>(one.weight)]}, {"finding", one.finding}, {"remedy", one.remedy}});
  }
  json["by_series"] = Json::array();
  for (const SeriesFinding& finding : audit.findings) json["by_series"].push_back(SeriesJson(finding));
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

}  // namespace tidecast
