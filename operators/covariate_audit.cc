#include "operators/covariate_audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tidecast {
namespace {

constexpr size_t kRowsMax = 100'000;  ///< of the regression; beyond, evenly chosen ones

/// Takes each series's mean off a column and scales it to variance 1. Returns false when nothing is left of it.
/// `column`: [rows]; `series`: of each row, in runs.
bool Standardise(const std::vector<size_t>& series, std::vector<double>* column) {
  double squares = 0, size = 0;
  for (size_t begin = 0; begin < column->size();) {
    size_t end = begin;
    double mean = 0;
    while (end < column->size() && series[end] == series[begin]) mean += (*column)[end++];
    mean /= static_cast<double>(end - begin);
    for (size_t i = begin; i < end; ++i) {
      size += std::fabs((*column)[i]);
      (*column)[i] -= mean;
      squares += (*column)[i] * (*column)[i];
    }
    begin = end;
  }
  const double n = static_cast<double>(column->size());
  const double scale = std::sqrt(squares / n);
  if (!(scale > 1e-9 * size / n)) return false;
  for (double& value : *column) value /= scale;
  return true;
}

double Product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum / static_cast<double>(a.size());
}

}  // namespace

CovariateAudit AuditCovariates(const SeriesRows& rows, std::span<const float> values, std::span<const size_t> row_at,
                               size_t buckets, size_t season) {
  CovariateAudit audit;
  const size_t known = rows.known_names.size();  // static columns say nothing within a series
  const size_t width = known + rows.past_width;
  if (width == 0) return audit;
  for (const std::string& name : rows.known_names) audit.columns.push_back({name});
  for (size_t p = 0; p < rows.past_width; ++p) audit.columns.push_back({fmt::format("past_{}", p)});
  const auto cell = [&](size_t row, size_t column) {
    return column < known ? rows.known[row * rows.known_width + column]
                          : rows.past[row * rows.past_width + column - known];
  };
  for (size_t r = 0; r < rows.rows.size(); ++r) {
    for (size_t c = 0; c < width; ++c) {
      if (!std::isfinite(cell(r, c))) audit.columns[c].missing += 1 / static_cast<double>(rows.rows.size());
    }
  }
  const bool logarithmic = std::none_of(values.begin(), values.end(), [](float y) { return y < 0; });
  const auto scaled = [&](float y) {
    return logarithmic ? std::log1p(static_cast<double>(y)) : static_cast<double>(y);
  };

  // Rows in which the value, its last one, that of its last season and all columns are there.
  const size_t back = std::max<size_t>(season, 1);
  std::vector<size_t> complete;
  for (size_t at = 0; at < values.size(); ++at) {
    if (at % buckets < back || row_at[at] == SIZE_MAX) continue;
    if (!std::isfinite(values[at]) || !std::isfinite(values[at - 1]) || !std::isfinite(values[at - back])) continue;
    bool all = true;
    for (size_t c = 0; c < width && all; ++c) all = std::isfinite(cell(row_at[at], c));
    if (all) complete.push_back(at);
  }
  const size_t step = complete.size() / kRowsMax + 1;
  std::vector<size_t> series;
  std::vector<double> target, last, seasonal;
  std::vector<std::vector<double>> columns(width);
  for (size_t i = 0; i < complete.size(); i += step) {
    const size_t at = complete[i];
    series.push_back(at / buckets);
    target.push_back(scaled(values[at]));
    last.push_back(scaled(values[at - 1]));
    seasonal.push_back(scaled(values[at - back]));
    for (size_t c = 0; c < width; ++c) columns[c].push_back(cell(row_at[at], c));
  }
  audit.rows = series.size();
  if (series.empty() || !Standardise(series, &target)) return audit;
  std::vector<const std::vector<double>*> regressors;
  for (size_t c = 0; c < width; ++c) {
    audit.columns[c].constant = !Standardise(series, &columns[c]);
    if (audit.columns[c].constant) continue;
    audit.used.push_back(c);
    audit.columns[c].correlation = Product(columns[c], target);
    regressors.push_back(&columns[c]);
  }
  for (const size_t a : audit.used) {
    for (const size_t b : audit.used) audit.correlations.push_back(Product(columns[a], columns[b]));
  }
  audit.components = FindPrincipalComponents(audit.correlations, audit.used.size());
  if (Standardise(series, &last)) regressors.push_back(&last);
  if (back > 1 && Standardise(series, &seasonal)) regressors.push_back(&seasonal);
  std::vector<double> matrix;
  for (size_t i = 0; i < series.size(); ++i) {
    for (const auto* regressor : regressors) matrix.push_back((*regressor)[i]);
  }
  if (const auto fit = FitLeastSquares(matrix, regressors.size(), target)) {
    for (size_t u = 0; u < audit.used.size(); ++u) audit.columns[audit.used[u]].t = fit->t_values[u];
  }
  return audit;
}

}  // namespace tidecast
