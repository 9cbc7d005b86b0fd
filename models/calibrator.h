#pragma once

#include <cstdint>
#include <span>

#include "models/expert.h"

namespace tidecast {

/// Shifts each quantile so that the actual falls below it as often as its level says: quantile tracking of
/// (actual - quantile) / scale, pooled per (demand class, horizon group, level), and per series on top.
/// A shift that would push a quantile below 0 stands still; an actual of 0 counts as below by chance, with
/// probability level / P(Y = 0), where the quantile lies inside the heap of zeros too.
/// Source: Angelopoulos, Candes & Tibshirani 2023 (conformal PID, the P part).
/// Thread: immutable.
class Calibrator {
 public:
  explicit Calibrator(ValueDomain domain) : domain_(domain) {}
  static constexpr size_t kShifts = kHorizonGroups * kLevelCount;
  static constexpr size_t pooled_size() { return kDemandClasses * kShifts + 1; }
  static constexpr size_t sums_size() { return kDemandClasses * kHorizonGroups * (kLevelCount + 1); }
  static constexpr size_t state_floats() { return kShifts; }

  /// What else is known of an actual: by it, zeros are shared out among the quantiles that stand for 0.
  struct Label {
    float actual = 0;
    float zero_probability = 0;  ///< P(Y = 0) as forecast
    float heap = 0;              ///< a quantile up to here stands for 0
    double chance = 0;           ///< the series's and bucket's own random number, in [0, 1)
  };
  /// Shifts and sorts `quantiles` [kLevelCount] in place. `state`, here and in Learn: empty leaves the pool's shift
  /// alone.
  void Apply(size_t demand_class, size_t group, float scale, std::span<const float> state,
             std::span<const double> pooled, std::span<float> quantiles) const;
  /// `quantiles`: as they were before the shift.
  void Learn(size_t demand_class, size_t group, float scale, const Label& label, uint32_t resolved,
             std::span<const float> quantiles, std::span<const double> pooled, std::span<float> state,
             std::span<double> sums) const;
  void Fold(std::span<const double> sums, std::span<double> pooled) const;

 private:
  ValueDomain domain_;
};

}  // namespace tidecast
