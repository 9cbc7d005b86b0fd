#include "operators/forecast_score.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tidecast {
namespace {

constexpr size_t kFirstDecile = 2;
constexpr size_t kLastDecile = 10;
constexpr size_t kLower95 = 0;
constexpr size_t kUpper95 = 12;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

double Ratio(double part, double whole) { return whole != 0 ? part / whole : kNothing; }

/// Bounds of the actual's PIT that the quantiles allow.
void PitBounds(ValueDomain domain, float actual, std::span<const float> quantiles, double* low, double* high) {
  *low = 0;
  *high = 1;
  double tie_low = -1;
  double tie_high = -1;
  for (size_t l = 0; l < kLevelCount; ++l) {
    const float q = domain == ValueDomain::kCount ? std::round(quantiles[l]) : quantiles[l];
    if (q < actual) *low = kLevels[l];
    if (q == actual) {
      if (tie_low < 0) tie_low = kLevels[l];
      tie_high = kLevels[l];
    }
    if (q > actual) {
      *high = kLevels[l];
      break;
    }
  }
  if (tie_low >= 0) {
    *low = (*low + tie_low) / 2;
    *high = (*high + tie_high) / 2;
  }
  *high = std::max(*high, *low + 1e-12);
}

}  // namespace

std::array<double, kCoverageBands.size()> BandCoverage(ValueDomain domain, float actual,
                                                       std::span<const float> quantiles) {
  double low = 0;
  double high = 1;
  PitBounds(domain, actual, quantiles, &low, &high);
  std::array<double, kCoverageBands.size()> inside{};
  for (size_t b = 0; b < inside.size(); ++b) {
    const double tail = (1 - kCoverageBands[b] / 100.0) / 2;
    inside[b] = std::clamp((std::min(high, 1 - tail) - std::max(low, tail)) / (high - low), 0.0, 1.0);
  }
  return inside;
}

double DecilePinball(float actual, std::span<const float> quantiles) {
  double sum = 0;
  for (size_t l = kFirstDecile; l <= kLastDecile; ++l) {
    const double error = static_cast<double>(actual) - quantiles[l];
    sum += error * (kLevels[l] - (error < 0 ? 1.0 : 0.0));
  }
  return sum / (kLastDecile - kFirstDecile + 1);
}

void ForecastScore::Add(ValueDomain domain, float actual, float mean, std::span<const float> quantiles) {
  if (!std::isfinite(actual)) return;
  const double y = actual;
  pinball_ += DecilePinball(actual, quantiles);
  absolute_ += std::fabs(y - quantiles[kMedian]);
  actual_ += std::fabs(y);
  signed_actual_ += y;
  squared_actual_ += y * y;
  mean_error_ += static_cast<double>(mean) - y;
  squared_error_ += (y - mean) * (y - mean);
  width80_ += static_cast<double>(quantiles[kLastDecile]) - quantiles[kFirstDecile];
  width95_ += static_cast<double>(quantiles[kUpper95]) - quantiles[kLower95];
  const auto inside = BandCoverage(domain, actual, quantiles);
  for (size_t b = 0; b < inside.size(); ++b) covered_[b] += inside[b];
  ++count_;
}

double ForecastScore::wql() const { return Ratio(2 * pinball_, actual_); }
double ForecastScore::wape() const { return Ratio(absolute_, actual_); }
double ForecastScore::bias() const { return Ratio(mean_error_, signed_actual_); }
double ForecastScore::mae() const { return Ratio(absolute_, static_cast<double>(count_)); }
double ForecastScore::mse() const { return Ratio(squared_error_, static_cast<double>(count_)); }
double ForecastScore::r2() const {
  if (count_ == 0) return kNothing;
  return 1 - Ratio(squared_error_, squared_actual_ - signed_actual_ * signed_actual_ / static_cast<double>(count_));
}
double ForecastScore::width80() const { return Ratio(width80_, actual_); }
double ForecastScore::width95() const { return Ratio(width95_, actual_); }
double ForecastScore::Coverage(int percent) const {
  const auto found = std::find(kCoverageBands.begin(), kCoverageBands.end(), percent);
  if (found == kCoverageBands.end()) return kNothing;
  return Ratio(covered_[static_cast<size_t>(found - kCoverageBands.begin())], static_cast<double>(count_));
}

}  // namespace tidecast
