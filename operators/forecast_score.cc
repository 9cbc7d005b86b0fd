#include "operators/forecast_score.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tidecast {
namespace {

constexpr size_t kFirstDecile = 2;
constexpr size_t kLastDecile = 10;

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

void ForecastScore::Add(ValueDomain domain, float actual, float mean, std::span<const float> quantiles) {
  if (!std::isfinite(actual)) return;
  for (size_t l = kFirstDecile; l <= kLastDecile; ++l) {
    const double error = static_cast<double>(actual) - quantiles[l];
    pinball_ += error * (kLevels[l] - (error < 0 ? 1.0 : 0.0));
  }
  absolute_ += std::fabs(static_cast<double>(actual) - quantiles[kMedian]);
  actual_ += std::fabs(static_cast<double>(actual));
  signed_actual_ += static_cast<double>(actual);
  mean_error_ += static_cast<double>(mean) - actual;
  const auto inside = BandCoverage(domain, actual, quantiles);
  for (size_t b = 0; b < inside.size(); ++b) covered_[b] += inside[b];
  ++count_;
}

void ForecastScore::Merge(const ForecastScore& other) {
  pinball_ += other.pinball_;
  absolute_ += other.absolute_;
  actual_ += other.actual_;
  signed_actual_ += other.signed_actual_;
  mean_error_ += other.mean_error_;
  for (size_t b = 0; b < covered_.size(); ++b) covered_[b] += other.covered_[b];
  count_ += other.count_;
}

double ForecastScore::wql() const {
  return actual_ > 0 ? 2 * pinball_ / (kLastDecile - kFirstDecile + 1) / actual_
                     : std::numeric_limits<double>::quiet_NaN();
}
double ForecastScore::wape() const {
  return actual_ > 0 ? absolute_ / actual_ : std::numeric_limits<double>::quiet_NaN();
}
double ForecastScore::bias() const {
  return signed_actual_ != 0 ? mean_error_ / signed_actual_ : std::numeric_limits<double>::quiet_NaN();
}
double ForecastScore::Coverage(int percent) const {
  const auto found = std::find(kCoverageBands.begin(), kCoverageBands.end(), percent);
  if (found == kCoverageBands.end() || count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  return covered_[static_cast<size_t>(found - kCoverageBands.begin())] / static_cast<double>(count_);
}

}  // namespace tidecast
