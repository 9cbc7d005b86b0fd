#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/expert.h"
#include "models/mix_rules.h"
#include "models/ml_poly.h"

namespace tidecast {

/// Weighs the experts of a pool. Pooled ML-Poly weights per (demand class, horizon group, level), and one set for the
/// mean under square loss, with a fixed share for everyone; a series's own weights (three bands of levels; of reals,
/// which are often few and unlike each other, one a horizon group for the mean too) come in as it grows: weight = (1 -
/// n/(n+200)) pooled + n/(n+200) own. Losses are linearised at the mixture (the gradient trick), so that the mixture
/// can beat its best member. Sleeping experts hand their weight to those awake. Learning is about the present weights
/// on a forecast of an old origin whose label has now come: nothing but summaries has to be kept. Thread: immutable but
/// for Refresh.
class Mixer {
 public:
  static constexpr size_t kLevelBands = 3;                        ///< low, middle and high levels
  static constexpr size_t kBands = kLevelBands + kHorizonGroups;  ///< and the mean of each horizon group
  /// All experts begin alike.
  explicit Mixer(size_t experts, bool own_means = false) : Mixer(std::vector<float>(experts, 1.0F), own_means) {}
  /// `prior` [experts], > 0: weights to begin with, to any sum.
  explicit Mixer(std::vector<float> prior, bool own_means = false);

  size_t pooled_size() const { return Cells() * CellNumbers(); }
  size_t sums_size() const { return Cells() * CellSums(); }
  size_t state_floats() const { return own_bands_ * MlPoly<float>::Size(experts_); }

  /// Weights of one series for a (class, group): [kLevelCount + 1, experts], the last row for the mean. `toward` (may
  /// be empty), same shape: from the pool's weights to the series's own, as far as its age lets it go.
  void WeightsOf(size_t demand_class, size_t group, std::span<const float> state, uint32_t resolved,
                 std::span<const uint8_t> awake, std::span<float> weights, std::span<float> toward) const;

  /// quantiles [experts, kLevelCount], means [experts]; what Mix returns is sorted along the level.
  static void Mix(size_t experts, std::span<const float> weights, std::span<const float> quantiles,
                  std::span<const float> means, std::span<float> mixed, float* mean);

  /// Compares a mixture and its members with the actual. `toward`: of WeightsOf. `sums`: the pool's; `regrets`
  /// [kBands, experts]: added to.
  void Gather(size_t demand_class, size_t group, float actual, float scale, std::span<const uint8_t> awake,
              std::span<const float> quantiles, std::span<const float> means, std::span<const float> mixed, float mean,
              std::span<const float> toward, std::span<double> sums, std::span<float> regrets) const;
  /// A series's own learning from its regrets of one bucket.
  void LearnSeries(std::span<const float> regrets, std::span<float> state) const;

  void Fold(std::span<const double> sums, std::span<double> pooled) const;
  /// Takes the weights of the pooled numbers.
  void Refresh(std::span<const double> pooled);
  /// Pooled mean weight of each expert over all cells.
  std::vector<double> MeanWeights() const;

 private:
  static constexpr size_t kRows = kLevelCount + 1;
  static constexpr size_t Cells() { return kDemandClasses * kHorizonGroups * kRows; }
  static size_t Cell(size_t demand_class, size_t group, size_t row) {
    return (demand_class * kHorizonGroups + group) * kRows + row;
  }
  size_t CellNumbers() const { return MixRules::Size(experts_) + MlPoly<double>::Size(2); }
  size_t CellSums() const { return experts_ + 3; }  ///< experts, pool alone, own as far as it may, count
  size_t experts_;
  size_t own_bands_;
  std::vector<float> prior_;    ///< [experts], sum 1
  std::vector<float> weights_;  ///< [cells, experts]
  std::vector<float> trust_;    ///< [cells] how far the series's own weights are followed, 0 .. 1
};

}  // namespace tidecast
