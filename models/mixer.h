#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/expert.h"
#include "models/mix_rules.h"
#include "models/ml_poly.h"
#include "models/own_mean_weights.h"

namespace tidecast {

/// Weighs the experts of a pool. Pooled ML-Poly weights per (demand class, horizon group, level), and one set for the
/// mean under square loss, with a fixed share for everyone; a series's own weights of the quantiles (three bands of
/// levels) come in as it grows: weight = (1 - n/(n+200)) pooled + n/(n+200) own. The mean of reals, which are often few
/// and unlike each other, is each series's own matter (OwnMeanWeights). Losses are linearised at the mixture (the
/// gradient trick), so that the mixture can beat its best member. Sleeping
/// experts hand their weight to those awake. Learning is about the present weights on a forecast of an old origin whose
/// label has now come: nothing but summaries has to be kept. Thread: immutable but for Refresh.
class Mixer {
 public:
  static constexpr size_t kBands = 3;  ///< low, middle and high levels
  /// All experts begin alike.
  explicit Mixer(size_t experts) : Mixer(std::vector<float>(experts, 1.0F)) {}
  /// `prior` [experts], > 0: weights to begin with, to any sum. `own_means`: the learned horizons where each series
  /// weighs its own means, empty where the pool does.
  explicit Mixer(std::vector<float> prior, std::vector<int> own_means = {});

  size_t pooled_size() const { return Cells() * CellNumbers(); }
  size_t sums_size() const { return Cells() * CellSums(); }
  size_t state_floats() const { return BandFloats() + own_means_.state_floats(); }
  /// Of a series and bucket, for Gather and LearnSeries.
  size_t regret_floats() const { return kBands * experts_ + own_means_.regret_floats(); }

  /// Weights of one series for a (class, group): [kLevelCount + 1, experts], the last row for the mean. `toward` (may
  /// be empty), same shape: from the pool's weights to the series's own, as far as its age lets it go.
  void WeightsOf(size_t demand_class, size_t group, std::span<const float> state, uint32_t resolved,
                 std::span<const uint8_t> awake, std::span<float> weights, std::span<float> toward) const;
  /// Place of the learned horizon whose weights the mean of `horizon` has; 0 for all where they are the pool's.
  size_t MeanPlaceOf(int horizon) const { return own_means_.empty() ? 0 : own_means_.PlaceOf(horizon); }
  /// The weights of the mean of one series at such a place, where they are its own: replaces the last row of WeightsOf.
  void MeanWeightsOf(size_t place, std::span<const float> state, std::span<const uint8_t> awake,
                     std::span<float> weights) const;

  /// quantiles [experts, kLevelCount], means [experts]; what Mix returns is sorted along the level.
  static void Mix(size_t experts, std::span<const float> weights, std::span<const float> quantiles,
                  std::span<const float> means, std::span<float> mixed, float* mean);

  /// Compares a mixture of a learned horizon and its members with the actual. `toward`: of WeightsOf. `sums`: the
  /// pool's; `regrets` [regret_floats()]: added to.
  void Gather(size_t demand_class, size_t group, size_t place, float actual, float scale,
              std::span<const uint8_t> awake, std::span<const float> quantiles, std::span<const float> means,
              std::span<const float> mixed, float mean, std::span<const float> toward, std::span<double> sums,
              std::span<float> regrets) const;
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
  size_t BandFloats() const { return kBands * MlPoly<float>::Size(experts_); }
  size_t experts_;
  OwnMeanWeights own_means_;
  std::vector<float> prior_;    ///< [experts], sum 1
  std::vector<float> weights_;  ///< [cells, experts]
  std::vector<float> trust_;    ///< [cells] how far the series's own weights are followed, 0 .. 1
};

}  // namespace tidecast
