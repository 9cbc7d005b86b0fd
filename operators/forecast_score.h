#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "engine/core/forecast.h"

namespace tidecast {

/// Adds up the figures of FORECASTING.md 7 over forecasts and their actuals.
/// WQL: mean over the nine deciles of 2 sum(pinball) / sum|y|. Coverage: expected one under the randomised PIT, quantiles
/// of counts rounded to whole units.
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
  double pinball_ = 0;    ///< over the deciles
  double absolute_ = 0;   ///< of actual - median
  double actual_ = 0;     ///< sum |y|
  double signed_actual_ = 0;
  double mean_error_ = 0;
  std::array<double, 4> covered_{};
  size_t count_ = 0;
};

}  // namespace tidecast
