#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/app/audit_report.h"

namespace tidecast {
namespace {

constexpr size_t kOutliersShown = 5;

void PrintLine(std::string_view name, std::string_view text) { fmt::print("{:<14} {}\n", name, text); }

double Percent(size_t part, size_t whole) {
  return whole > 0 ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

/// Of each series its farthest one; those that are most beyond the usual first.
void PrintOutliers(const SeriesAudit& audit) {
  std::vector<std::pair<const SeriesFinding*, const SeriesFinding::Outlier*>> worst;
  for (const SeriesFinding& finding : audit.findings) {
    if (!finding.outliers.empty()) worst.emplace_back(&finding, &finding.outliers.front());
  }
  const auto excess = [](const SeriesFinding::Outlier& outlier) {
    return std::fabs(outlier.value - outlier.winsorised);
  };
  std::stable_sort(worst.begin(), worst.end(),
                   [&](const auto& a, const auto& b) { return excess(*a.second) > excess(*b.second); });
  for (size_t i = 0; i < std::min(worst.size(), kOutliersShown); ++i) {
    const auto& [finding, outlier] = worst[i];
    PrintLine("", fmt::format("{} at {}: {:g}, usual is {} {:.4g}", finding->series, outlier->ds, outlier->value,
                              outlier->z > 0 ? "up to" : "from", outlier->winsorised));
  }
}

void PrintSeries(const SeriesAudit& audit) {
  const SeriesTotals& totals = audit.totals;
  PrintLine("series", fmt::format("{} of {} rows, {} buckets of {}, {} to {}", audit.series, audit.rows, audit.buckets,
                                  NameOf(audit.frequency), audit.first, audit.last));
  PrintLine("gaps", fmt::format("{} steps without any row; {} values ({:.1f} %) missing inside the series",
                                audit.calendar_gaps, totals.missing, Percent(totals.missing, totals.cells)));
  PrintLine("duplicates", fmt::format("{} rows, {} of them with another value", audit.duplicates, audit.conflicting));
  PrintLine("zeros", fmt::format("{:.1f} % of the values", Percent(totals.zeros, totals.cells - totals.missing)));
  std::string classes;
  for (size_t c = 0; c < kDemandClassNames.size(); ++c) {
    if (totals.classes[c] == 0) continue;
    classes += fmt::format("{}{} {} ({:.0f} % of the volume)", classes.empty() ? "" : ", ", totals.classes[c],
                           kDemandClassNames[c], 100 * totals.volume[c]);
  }
  PrintLine("demand", classes);
  std::string seasons;
  for (size_t p = 0; p < audit.seasons.size(); ++p) {
    const double strength = totals.seasonality[p];
    seasons += fmt::format("{}{} buckets: {}", p == 0 ? "" : ", ", audit.seasons[p].buckets,
                           std::isfinite(strength) ? fmt::format("{:.2f}", strength) : "too short");
  }
  PrintLine("seasons", fmt::format("{} (share of the variation that they explain, median series)", seasons));
  PrintLine("levels", fmt::format("{} series keep one, {} wander, {} unclear, {} too short (ADF and KPSS at .05)",
                                  totals.levels[0], totals.levels[1], totals.levels[2], totals.levels[3]));
  PrintLine("outliers", fmt::format("{} values beyond a robust z of {}", totals.outliers, SeriesFinding::kOutlierZ));
  PrintOutliers(audit);
}

void PrintColumns(const CovariateAudit& covariates) {
  if (covariates.columns.empty()) return;
  size_t width = 6;
  for (const auto& column : covariates.columns) width = std::max(width, column.name.size());
  fmt::print("\n{:<{}}  {:>9}  {:>11}  {:>8}\n", "column", width, "missing", "correlation", "t");
  for (const auto& column : covariates.columns) {
    fmt::print("{:<{}}  {:>7.1f} %  {:>11}  {:>8}\n", column.name, width, 100 * column.missing,
               column.constant ? "constant" : fmt::format("{:.3f}", column.correlation),
               std::isfinite(column.t) ? fmt::format("{:.1f}", column.t) : "-");
  }
  fmt::print("with the target, within series; t: beside its last value and that a season ago, {} rows\n",
             covariates.rows);
  if (covariates.used.size() < 2) return;
  std::string shares;
  for (const double share : covariates.components.shares) {
    shares += fmt::format("{}{:.0f}", shares.empty() ? "" : ", ", 100 * share);
  }
  fmt::print("principal components: {} % of the columns' variance\n", shares);
}

}  // namespace

void PrintAudit(const SeriesAudit& audit, const OrderFindings* orders, const std::vector<Advice>& advice) {
  if (orders != nullptr) {
    PrintLine(
        "orders",
        fmt::format("{} of {} lines read, {} of them returns, {} repeated to the letter; below: units by sku and day",
                    orders->decoded, orders->lines, orders->returns, orders->repeated));
  }
  PrintSeries(audit);
  PrintColumns(audit.covariates);
  fmt::print("\n");
  for (const Advice& one : advice) {
    constexpr std::array<const char*, 3> kWords = {"FIX", "look", "note"};
    fmt::print("{:<5} {}\n      -> {}\n", kWords[static_cast<size_t>(one.weight)], one.finding, one.remedy);
  }
}

}  // namespace tidecast
