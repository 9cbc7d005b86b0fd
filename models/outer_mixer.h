#pragma once

#include <array>
#include <span>

#include "models/expert.h"

namespace tidecast {

/// Weighs the net against its base, per (horizon group, level): ML-Poly over the two, so the net's weight is 0 until it
/// has earned some, and 0 again once it has lost it. Pooled over all series; of reals, whose sizes tell nothing of how
/// much each matters, in units of each one's scale.
/// Thread: immutable but for Refresh.
class OuterMixer {
 public:
  explicit OuterMixer(ValueDomain domain) : domain_(domain) {}
  static constexpr size_t kCells = kHorizonGroups * kLevelCount;
  static constexpr size_t pooled_size() { return kCells * 5; }
  static constexpr size_t sums_size() { return kCells * 3; }

  float Weight(size_t group, size_t level) const { return weights_[group * kLevelCount + level]; }
  /// Whether the net has a weight at any level.
  bool Heard(size_t group) const;
  /// Moves `quantiles` [kLevelCount] from the base to the mixture, sorted.
  void Mix(size_t group, std::span<const float> net, std::span<float> quantiles) const;
  /// base and net [kLevelCount] of a target whose actual has come.
  void Gather(size_t group, float actual, float scale, std::span<const float> base, std::span<const float> net,
              std::span<double> sums) const;
  void Fold(std::span<const double> sums, std::span<double> pooled) const;
  void Refresh(std::span<const double> pooled);
  double MeanWeight() const;

 private:
  ValueDomain domain_;
  std::array<float, kCells> weights_{};
};

}  // namespace tidecast
