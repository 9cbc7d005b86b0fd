#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "engine/core/forecast.h"

namespace tidecast {

/// Central bands, in percent, whose coverage is told.
inline constexpr std::array<int, 4> kCoverageBands = {50, 80, 90, 95};

/// Probability that the actual's randomised PIT lies in each central band; quantiles of counts are rounded to whole
/// units first, since fractional quantiles of sparse counts read too narrow. `quantiles`: [kLevelCount].
std::array<double, kCoverageBands.size()> BandCoverage(ValueDomain domain, float actual,
                                                       std::span<const float> quantiles);

/// Adds up the figures of FORECASTING.md 7 over forecasts and their actuals.
/// WQL: mean over the nine deciles of 2 sum(pinball) / sum|y|. Coverage: BandCoverage.
/// Thread: confined.
class ForecastScore {
 public:
  void Add(ValueDomain domain, float actual, float mean, std::span<const float> quantiles);
  void Merge(const ForecastScore& other);
  double wql() const;
  double wape() const;
  double bias() const;
  /// Share of actuals in the central band of 50, 80, 90 or 95 percent.
  double Coverage(int percent) const;
  size_t count() const { return count_; }

 private:
  double pinball_ = 0;   ///< over the deciles
  double absolute_ = 0;  ///< of actual - median
  double actual_ = 0;    ///< sum |y|
  double signed_actual_ = 0;
  double mean_error_ = 0;
  std::array<double, kCoverageBands.size()> covered_{};
  size_t count_ = 0;
};

}  // namespace tidecast
