#pragma once

#include <cstddef>
#include <span>

namespace tidecast {

/// What the means of all series are multiplied by, so that their sum follows the sum of what comes: totals are what
/// orders are planned by, and mixtures of robust experts fall short of them where demand grows or single orders are
/// large. The ratio of discounted sums over the one-step forecasts, drawn to 1. For counts and amounts; the sum of
/// reals means nothing. Numbers of the pool: actual, expected, rounds, each discounted. Thread: immutable.
class MeanScale {
 public:
  static constexpr size_t pooled_size() { return 3; }
  static constexpr size_t sums_size() { return 2; }

  /// 1 before the first round.
  static float Ratio(std::span<const double> pooled);
  /// A bucket's value and the mean that it was forecast at, before it was multiplied.
  static void Gather(float actual, float expected, std::span<double> sums);
  static void Fold(std::span<const double> sums, std::span<double> pooled);
};

}  // namespace tidecast
