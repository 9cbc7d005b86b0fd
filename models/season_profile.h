#pragma once

#include <cstdint>
#include <span>

#include "models/expert.h"

namespace tidecast {

/// What the pool knows of seasons and sizes: a factor per phase of the first season (mean of value / scale over all
/// series, discounted, drawn to 1), and the typical mean of a series.
/// Numbers: [phase: sum, weight] ..., [log mean: sum, weight].  Thread: immutable.
class SeasonProfile {
 public:
  SeasonProfile(ValueDomain domain, int season) : domain_(domain), season_(season < 1 ? 1 : season) {}
  size_t pooled_size() const { return 2 * static_cast<size_t>(season_) + 2; }
  size_t sums_size() const { return 4; }
  void StartPooled(std::span<double> pooled) const;
  /// Pooled factor of a phase, with mean 1 over the phases.
  float Factor(std::span<const double> pooled, int32_t phase) const;
  double PriorMean(std::span<const double> pooled) const;
  /// `mean`: the series's own, NaN when it has none yet.
  void Gather(float actual, float scale, float mean, uint32_t observed, std::span<double> sums) const;
  void Fold(int32_t phase, std::span<const double> sums, std::span<double> pooled) const;
  int season() const { return season_; }

 private:
  ValueDomain domain_;
  int season_;
};

}  // namespace tidecast
