#pragma once

#include <span>

#include "engine/core/forecast.h"

namespace tidecast {

/// What is believed of one bucket: mean, P(Y = 0) and quantiles at kLevels. Linear between the quantiles; beyond .99 a
/// geometric tail for counts (that of a negative binomial) and a generalised Pareto one (shape .2) else, both matched at
/// .95 and .99. For reals the lower tail mirrors the upper one, from .05 and .025; else it ends at 0 with P(Y = 0).
/// Views: the quantiles must outlive it.  Thread: immutable.
class PredictiveDistribution {
 public:
  /// `quantiles` [kLevelCount], non-decreasing.
  PredictiveDistribution(ValueDomain domain, float mean, float zero_probability, std::span<const float> quantiles);
  float mean() const { return mean_; }
  float zero_probability() const { return zero_probability_; }
  std::span<const float> quantiles() const { return quantiles_; }
  /// P(Y <= y), non-decreasing in y; of counts the step at 0 is kept, others are smoothed.
  double Cdf(double y) const;
  /// Inverse of Cdf. `level` in (0, 1).
  double Quantile(double level) const;
  /// P(Y < y) + P(Y = y) / 2 for a count at 0; the smoothed Cdf elsewhere.
  double MidProbability(double y) const;

  /// P(Y = 0) as the quantiles allow it: between the last level whose quantile is 0 and the first whose is half a unit.
  static float ConsistentZeroProbability(ValueDomain domain, float wanted, std::span<const float> quantiles);

 private:
  double UpperSurvival(double y) const;
  ValueDomain domain_;
  float mean_;
  float zero_probability_;
  std::span<const float> quantiles_;
};

}  // namespace tidecast
