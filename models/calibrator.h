#pragma once

#include <cstdint>
#include <span>

#include "models/expert.h"

namespace tidecast {

/// Shifts each quantile so that the actual falls below it as often as its level says: quantile tracking of
/// (actual - quantile) / scale, pooled per (demand class, horizon group, level), and per series on top.
/// A shift that would push a quantile below 0 stands still; an actual of 0 counts as below by chance, with
/// probability level / P(Y = 0), since a quantile cannot lie inside the heap of zeros.
/// Source: Angelopoulos, Candes & Tibshirani 2023 (conformal PID, the P part).
/// Thread: immutable.
class Calibrator {
 public:
  explicit Calibrator(ValueDomain domain) : domain_(domain) {}
  static constexpr size_t kShifts = kHorizonGroups * kLevelCount;
  static constexpr size_t pooled_size() { return kDemandClasses * kShifts + 1; }
  static constexpr size_t sums_size() { return kDemandClasses * kHorizonGroups * (kLevelCount + 1); }
  static constexpr size_t state_floats() { return kShifts; }

  /// Shifts and sorts `quantiles` [kLevelCount] in place.
  void Apply(size_t demand_class, size_t group, float scale, std::span<const float> state,
             std::span<const double> pooled, std::span<float> quantiles) const;
  /// `quantiles`: as they were before the shift. `chance` in [0, 1): the series's and bucket's own random number.
  void Learn(size_t demand_class, size_t group, float actual, float scale, float zero_probability, double chance,
             uint32_t resolved, std::span<const float> quantiles, std::span<const double> pooled, std::span<float> state,
             std::span<double> sums) const;
  void Fold(std::span<const double> sums, std::span<double> pooled) const;

 private:
  ValueDomain domain_;
};

}  // namespace tidecast
