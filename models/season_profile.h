#pragma once

#include <cstdint>
#include <span>

#include "models/expert.h"
#include "models/nested_seasons.h"

namespace tidecast {

/// What the pool knows of seasons and sizes: a factor per phase of the first season (mean of value / scale over all
/// series, discounted, drawn to 1), where the second season is a few of the first (a week of days of hours) what each
/// of its parts adds to that, likewise, and the typical mean of a series.
/// Numbers: [phase: sum, weight] ..., [part of the second: sum, weight] ..., [log mean: sum, weight].
/// Thread: immutable.
class SeasonProfile {
 public:
  SeasonProfile(ValueDomain domain, const NestedSeasons& seasons) : domain_(domain), seasons_(seasons) {}
  size_t pooled_size() const { return PriorAt() + 2; }
  size_t sums_size() const { return 4; }
  void StartPooled(std::span<double> pooled) const;
  /// Pooled factor of each phase, with mean 1 over those of the first season; [seasons().phases()].
  void Factors(std::span<const double> pooled, std::span<float> factors) const;
  double PriorMean(std::span<const double> pooled) const;
  /// `mean`: the series's own, NaN when it has none yet.
  void Gather(float actual, float scale, float mean, uint32_t observed, std::span<double> sums) const;
  void Fold(size_t phase, std::span<const double> sums, std::span<double> pooled) const;
  const NestedSeasons& seasons() const { return seasons_; }

 private:
  size_t PartsAt() const { return 2 * static_cast<size_t>(seasons_.first()); }
  size_t PriorAt() const { return PartsAt() + 2 * seasons_.long_parts(); }
  double MeanOf(std::span<const double> pooled) const;
  double FirstFactor(std::span<const double> pooled, double mean, size_t phase) const;
  ValueDomain domain_;
  NestedSeasons seasons_;
};

}  // namespace tidecast
