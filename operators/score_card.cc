#include "operators/score_card.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <numbers>

#include "engine/core/check.h"
#include "operators/series_table.h"

namespace tidecast {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr double kIntervalCut = 1.32;
constexpr double kVariationCut = .49;
constexpr size_t kColdBuckets = 14;
constexpr size_t kYoungBuckets = 60;

/// Buckets in which a series counts: from its first nonzero one to the newest of the file.
size_t FirstNonzero(const SeriesTable& table, size_t series) {
  size_t t = table.first_row[series];
  while (t <= table.last_actual && !(std::fabs(table.Actual(series, t)) > 0)) ++t;
  return t;
}

/// Mean of f(y(t), y(t - lag)) over the pairs that are there.
template <typename F>
double MeanOfPairs(const SeriesTable& table, size_t series, size_t first, size_t lag, F&& f) {
  double sum = 0;
  double count = 0;
  for (size_t t = first + lag; t <= table.last_actual; ++t) {
    const double difference = static_cast<double>(table.Actual(series, t)) - table.Actual(series, t - lag);
    if (!std::isfinite(difference)) continue;
    sum += f(difference);
    count += 1;
  }
  return count > 0 ? sum / count : 0;
}

/// Whether a known column says "something is on" rather than how much: by its name, or since it is 0 or 1 throughout.
bool IsSwitch(const SeriesTable& table, size_t column) {
  std::string name = table.known_names[column];
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* word : {"promo", "deal", "discount", "holiday", "display", "feature"}) {
    if (name.find(word) != std::string::npos) return true;
  }
  bool on = false;
  for (size_t at = column; at < table.known.size(); at += table.known_width) {
    const float value = table.known[at];
    if (std::isfinite(value) && value != 0 && value != 1) return false;
    on |= value == 1;
  }
  return on;
}

}  // namespace

uint8_t DemandClassOf(std::span<const float> values) {
  const auto first = std::find_if(values.begin(), values.end(), [](float y) { return std::fabs(y) > 0; });
  double sum = 0, square = 0, nonzero = 0, count = 0;
  for (auto at = first; at != values.end(); ++at) {
    const double y = *at;
    if (!std::isfinite(y)) continue;
    count += 1;
    if (y == 0) continue;
    nonzero += 1;
    sum += y;
    square += y * y;
  }
  if (nonzero == 0) return 2;
  const double mean = sum / nonzero;
  const double variation = mean != 0 ? std::max(0.0, square / nonzero / (mean * mean) - 1) : 0;
  return static_cast<uint8_t>((count / nonzero >= kIntervalCut ? 2 : 0) + (variation >= kVariationCut ? 1 : 0));
}

ScoreConstants ScoreConstants::Of(const SeriesTable& table) {
  ScoreConstants constants;
  constants.season = table.season_lengths.empty() ? 1 : std::max(1, table.season_lengths[0]);
  for (size_t s = 0; s < table.names.size(); ++s) {
    const size_t first = FirstNonzero(table, s);
    constants.absolute_scale.push_back(MeanOfPairs(table, s, first, static_cast<size_t>(constants.season),
                                                   [](double difference) { return std::fabs(difference); }));
    constants.squared_scale.push_back(
        MeanOfPairs(table, s, first, 1, [](double difference) { return difference * difference; }));
    const auto row = std::span(table.actual).subspan(s * table.buckets(), table.last_actual + 1);
    constants.demand_class.push_back(DemandClassOf(row.subspan(std::min(table.first_row[s], row.size()))));
  }
  return constants;
}

void ScoreCard::Part::Add(size_t series, size_t all_series, ValueDomain domain, float actual, float mean,
                          std::span<const float> quantiles) {
  score_.Add(domain, actual, mean, quantiles);
  if (by_series_.empty()) by_series_.resize(all_series);
  Sums& sums = by_series_[series];
  const double error = static_cast<double>(actual) - mean;
  sums.absolute += std::fabs(static_cast<double>(actual) - quantiles[kMedian]);
  sums.squared += error * error;
  sums.count += 1;
}

ScoreFigures ScoreCard::Part::Figures(const ScoreConstants& constants) const {
  ScoreFigures figures;
  figures.wql = score_.wql();
  figures.wape = score_.wape();
  figures.bias = score_.bias();
  figures.mae = score_.mae();
  figures.mse = score_.mse();
  figures.rmse = std::sqrt(figures.mse);
  figures.r2 = score_.r2();
  for (size_t b = 0; b < kCoverageBands.size(); ++b) figures.cover[b] = score_.Coverage(kCoverageBands[b]);
  figures.width80 = score_.width80();
  figures.width95 = score_.width95();
  figures.forecasts = score_.count();
  double mase = 0, rmsse = 0, mase_series = 0, rmsse_series = 0;
  for (size_t s = 0; s < by_series_.size(); ++s) {
    const Sums& sums = by_series_[s];
    if (sums.count == 0) continue;
    if (constants.absolute_scale[s] > 0) {
      mase += sums.absolute / sums.count / constants.absolute_scale[s];
      mase_series += 1;
    }
    if (constants.squared_scale[s] > 0) {
      rmsse += std::sqrt(sums.squared / sums.count / constants.squared_scale[s]);
      rmsse_series += 1;
    }
  }
  figures.mase = mase_series > 0 ? mase / mase_series : kNothing;
  figures.rmsse = rmsse_series > 0 ? rmsse / rmsse_series : kNothing;
  return figures;
}

ScoreCard::ScoreCard(const SeriesTable& table, const ScoreConstants& constants, ValueDomain domain, size_t horizon)
    : table_(table), constants_(constants), domain_(domain), by_horizon_(horizon) {
  for (size_t column = 0; column < table.known_names.size(); ++column) {
    if (IsSwitch(table, column)) by_column_.push_back({table.known_names[column], column, {}, {}});
  }
}

void ScoreCard::Add(size_t series, size_t cutoff, size_t step, float mean, std::span<const float> quantiles) {
  const float actual = table_.Actual(series, cutoff + step);
  if (!std::isfinite(actual)) return;
  const size_t age = cutoff + 1 - table_.first_row[series];
  const size_t age_part = age <= kColdBuckets ? 0 : age <= kYoungBuckets ? 1 : 2;
  const auto add = [&](Part& part) { part.Add(series, table_.names.size(), domain_, actual, mean, quantiles); };
  add(all_);
  add(by_class_[constants_.demand_class[series]]);
  add(by_age_[age_part]);
  add(by_horizon_[step - 1]);
  for (ColumnParts& column : by_column_) {
    const float value = table_.known[(series * table_.buckets() + cutoff + step) * table_.known_width + column.at];
    if (std::isfinite(value)) add(value > 0 ? column.on : column.off);
  }
  origin_losses_.back() += DecilePinball(actual, quantiles);
}

ScoreTable ScoreCard::Table() const {
  ScoreTable table;
  const auto add = [&](std::vector<ScoreTable::Part>* to, std::string name, const Part& part) {
    if (!part.empty()) to->push_back({std::move(name), part.Figures(constants_)});
  };
  table.all = all_.Figures(constants_);
  for (size_t c = 0; c < by_class_.size(); ++c) add(&table.by_class, kDemandClassNames[c], by_class_[c]);
  for (size_t h = 0; h < by_horizon_.size(); ++h) add(&table.by_horizon, std::to_string(h + 1), by_horizon_[h]);
  for (size_t a = 0; a < by_age_.size(); ++a) add(&table.by_age, kAgeNames[a], by_age_[a]);
  for (const ColumnParts& column : by_column_) {
    if (column.on.empty()) continue;
    table.by_column.push_back({column.name, column.on.Figures(constants_), column.off.Figures(constants_)});
  }
  return table;
}

LossComparison CompareLosses(std::span<const double> first, std::span<const double> second, size_t lag) {
  TC_CHECK_EQ(first.size(), second.size());
  const size_t n = first.size();
  LossComparison comparison;
  comparison.t = kNothing;
  comparison.p = kNothing;
  double sum_first = 0, sum_second = 0;
  for (size_t i = 0; i < n; ++i) {
    sum_first += first[i];
    sum_second += second[i];
  }
  comparison.relative = sum_second > 0 ? sum_first / sum_second : kNothing;
  if (n < 2) return comparison;
  const double mean = (sum_first - sum_second) / static_cast<double>(n);
  std::vector<double> deviation(n);
  for (size_t i = 0; i < n; ++i) deviation[i] = first[i] - second[i] - mean;
  double variance = 0;
  for (size_t l = 0; l <= std::min(lag, n - 1); ++l) {
    double covariance = 0;
    for (size_t i = l; i < n; ++i) covariance += deviation[i] * deviation[i - l];
    const double weight = l == 0 ? 1 : 2 * (1 - static_cast<double>(l) / static_cast<double>(lag + 1));
    variance += weight * covariance / static_cast<double>(n);
  }
  if (!(variance > 0)) return comparison;
  comparison.t = mean / std::sqrt(variance / static_cast<double>(n));
  comparison.p = std::erfc(std::fabs(comparison.t) / std::numbers::sqrt2);
  return comparison;
}

}  // namespace tidecast
