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

/// Pinball loss of a forecast: mean over the nine deciles. `quantiles`: [kLevelCount]. Source: Koenker & Bassett 1978.
double DecilePinball(float actual, std::span<const float> quantiles);

/// Adds up the figures of FORECASTING.md 7 that need no scale over forecasts and their actuals.
/// WQL: 2 sum(DecilePinball) / sum|y|. WAPE, MAE: of the median. MSE, R2, bias: of the mean. Coverage: BandCoverage.
/// Width of a band: sum(upper - lower) / sum|y|. NaN where there is nothing to divide by.
/// Thread: confined.
class ForecastScore {
 public:
  /// A missing actual is left out.
  void Add(ValueDomain domain, float actual, float mean, std::span<const float> quantiles);
  double wql() const;
  double wape() const;
  double bias() const;
  double mae() const;
  double mse() const;
  double r2() const;
  /// Share of actuals in the central band of 50, 80, 90 or 95 percent.
  double Coverage(int percent) const;
  double width80() const;
  double width95() const;
  size_t count() const { return count_; }

 private:
  double pinball_ = 0;   ///< mean over the deciles
  double absolute_ = 0;  ///< of actual - median
  double actual_ = 0;    ///< sum |y|
  double signed_actual_ = 0;
  double squared_actual_ = 0;
  double mean_error_ = 0;
  double squared_error_ = 0;
  double width80_ = 0;
  double width95_ = 0;
  std::array<double, kCoverageBands.size()> covered_{};
  size_t count_ = 0;
};

}  // namespace tidecast
