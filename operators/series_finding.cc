#include "operators/series_finding.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "operators/score_card.h"

namespace tidecast {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr double kNormalMad = .6745;     // of a normal law: MAD / sigma
constexpr double kNormalMeanAd = .7979;  // mean absolute deviation / sigma
constexpr size_t kShortest = 24;         // values for a stationarity test
constexpr size_t kJudged = 8;            // values for outliers
constexpr double kSignificant = .05;

/// Share of the variance about a moving average that the phase explains. `y`: NaN = missing; `phases`: as many.
double SeasonalStrength(const std::vector<double>& y, std::span<const int32_t> phases, size_t period) {
  if (y.size() < 2 * period + 1) return kNothing;
  std::vector<double> sums(period), counts(period);
  std::vector<std::pair<size_t, double>> rest;
  std::vector<double> sum_before(y.size() + 1), count_before(y.size() + 1);
  for (size_t t = 0; t < y.size(); ++t) {
    const bool there = std::isfinite(y[t]);
    sum_before[t + 1] = sum_before[t] + (there ? y[t] : 0);
    count_before[t + 1] = count_before[t] + (there ? 1 : 0);
  }
  const size_t half = period / 2;
  for (size_t t = half; t + half < y.size(); ++t) {
    double sum = sum_before[t + half + 1] - sum_before[t - half];
    double weight = count_before[t + half + 1] - count_before[t - half];
    if (period % 2 == 0) {  // then the centred average has weight 1/2 at both ends
      for (const size_t end : {t - half, t + half}) {
        if (!std::isfinite(y[end])) continue;
        sum -= y[end] / 2;
        weight -= .5;
      }
    }
    if (weight > 0 && std::isfinite(y[t])) rest.emplace_back(static_cast<size_t>(phases[t]), y[t] - sum / weight);
  }
  if (rest.size() < 2 * period) return kNothing;
  double mean = 0;
  for (const auto& [phase, value] : rest) {
    sums[phase] += value;
    counts[phase] += 1;
    mean += value / static_cast<double>(rest.size());
  }
  double within = 0, total = 0;
  for (const auto& [phase, value] : rest) {
    const double left = value - sums[phase] / counts[phase];
    within += left * left;
    total += (value - mean) * (value - mean);
  }
  if (!(total > 0)) return 0;
  const double n = static_cast<double>(rest.size());
  const auto used =
      static_cast<double>(std::count_if(counts.begin(), counts.end(), [](double count) { return count > 0; }));
  return std::clamp(1 - within / (n - used) / (total / (n - 1)), 0.0, 1.0);
}

}  // namespace

double MedianOf(std::vector<double> values) {
  if (values.empty()) return kNothing;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

SeriesFinding LookAtSeries(const std::string& name, std::span<const float> values, std::span<const std::string> labels,
                           std::span<const Season> seasons) {
  SeriesFinding finding;
  finding.series = name;
  finding.buckets = values.size();
  std::vector<double> seen;
  double sum = 0;
  for (const float y : values) {
    if (!std::isfinite(y)) {
      ++finding.missing;
      continue;
    }
    seen.push_back(y);
    sum += y;
    if (y == 0) ++finding.zeros;
    if (y == 0 && finding.zeros == seen.size()) ++finding.leading_zeros;
    if (y < 0) ++finding.negatives;
  }
  finding.mean = seen.empty() ? kNothing : sum / static_cast<double>(seen.size());
  double steps = 0;
  for (size_t i = 1; i < seen.size(); ++i) steps += std::fabs(seen[i] - seen[i - 1]);
  finding.step = seen.size() > 1 && sum > seen[0] ? steps / (sum - seen[0]) : kNothing;
  finding.demand_class = DemandClassOf(values);
  const bool logarithmic = finding.negatives == 0;
  const bool without_zeros = 3 * finding.zeros > seen.size();
  const auto scaled = [&](double y) { return logarithmic ? std::log1p(y) : y; };
  std::vector<double> judged;
  for (const double y : seen) {
    if (!without_zeros || y != 0) judged.push_back(scaled(y));
  }
  if (judged.size() >= kJudged) {
    const double middle = MedianOf(judged);
    std::vector<double> deviations;
    for (const double value : judged) deviations.push_back(std::fabs(value - middle));
    double sigma = MedianOf(deviations) / kNormalMad;
    if (sigma == 0)
      sigma = std::accumulate(deviations.begin(), deviations.end(), 0.0) / static_cast<double>(deviations.size()) /
              kNormalMeanAd;
    for (size_t t = 0; t < values.size() && sigma > 0; ++t) {
      if (!std::isfinite(values[t]) || (without_zeros && values[t] == 0)) continue;
      const double z = (scaled(values[t]) - middle) / sigma;
      if (std::fabs(z) <= SeriesFinding::kOutlierZ) continue;
      const double edge = middle + std::copysign(SeriesFinding::kOutlierZ * sigma, z);
      finding.outliers.push_back({labels[t], values[t], z, logarithmic ? std::max(0.0, std::expm1(edge)) : edge});
    }
    std::stable_sort(finding.outliers.begin(), finding.outliers.end(),
                     [](const auto& a, const auto& b) { return std::fabs(a.z) > std::fabs(b.z); });
  }
  if (seen.size() >= kShortest) {
    finding.adf = AugmentedDickeyFuller(seen);
    finding.kpss = Kpss(seen);
  }
  std::vector<double> on_scale;
  for (const float y : values) on_scale.push_back(std::isfinite(y) ? scaled(y) : kNothing);
  for (const Season& season : seasons) {
    const auto phases = std::span(season.phases).last(values.size());
    finding.seasonality.push_back(SeasonalStrength(on_scale, phases, static_cast<size_t>(season.buckets)));
  }
  return finding;
}

LevelKind SeriesFinding::level() const {
  if (!adf || !kpss) return LevelKind::kUntested;
  const bool root = adf->p >= kSignificant;
  const bool moves = kpss->p <= kSignificant;
  if (root != moves) return LevelKind::kUnclear;
  return root ? LevelKind::kWandering : LevelKind::kSteady;
}

}  // namespace tidecast
