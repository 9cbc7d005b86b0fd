#include "models/mixer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/core/check.h"

namespace tidecast {
namespace {

constexpr float kFixedShare = .01F;
constexpr float kShrinkBuckets = 200;  ///< resolved forecasts after which own and pooled weights count alike
constexpr float kMeanErrorMax = 10;    ///< a residual beyond so many scales counts as this much
constexpr size_t kExpertsMax = 32;

size_t BandOf(size_t level) { return level < 4 ? 0 : level < 9 ? 1 : 2; }

}  // namespace

void Mixer::WeightsOf(size_t demand_class, size_t group, std::span<const float> state, uint32_t resolved,
                      std::span<const uint8_t> awake, std::span<float> weights) const {
  TC_CHECK_LE(experts_, kExpertsMax);
  const float own_share = static_cast<float>(resolved) / (static_cast<float>(resolved) + kShrinkBuckets);
  std::array<std::array<float, kExpertsMax>, kBands> own;
  std::array<bool, kBands> has_own{};
  const size_t size = MlPoly<float>::Size(experts_);
  for (size_t band = 0; band < kBands; ++band) {
    // MlPoly is a view for both uses; Weights alone does not write.
    const std::span<float> numbers(const_cast<float*>(state.data()) + band * size, size);
    has_own[band] = MlPoly<float>::Over(numbers, experts_).Weights(std::span(own[band]).first(experts_));
  }
  for (size_t row = 0; row < kRows; ++row) {
    const float* pooled = weights_.data() + Cell(demand_class, group, row) * experts_;
    float* out = weights.data() + row * experts_;
    const size_t band = row < kLevelCount ? BandOf(row) : 1;
    const float share = row < kLevelCount && has_own[band] ? own_share : 0;
    float sum = 0;
    for (size_t k = 0; k < experts_; ++k) {
      out[k] = awake[k] != 0 ? (1 - share) * pooled[k] + share * own[band][k] : 0;
      sum += out[k];
    }
    if (sum <= 0) continue;
    for (size_t k = 0; k < experts_; ++k) out[k] /= sum;
  }
}

void Mixer::Mix(size_t experts, std::span<const float> weights, std::span<const float> quantiles,
                std::span<const float> means, std::span<float> mixed, float* mean) {
  for (size_t l = 0; l < kLevelCount; ++l) {
    float sum = 0;
    const float* w = weights.data() + l * experts;
    for (size_t k = 0; k < experts; ++k) {
      if (w[k] > 0) sum += w[k] * quantiles[k * kLevelCount + l];
    }
    mixed[l] = sum;
  }
  std::sort(mixed.begin(), mixed.end());
  float sum = 0;
  const float* w = weights.data() + kLevelCount * experts;
  for (size_t k = 0; k < experts; ++k) {
    if (w[k] > 0) sum += w[k] * means[k];
  }
  *mean = sum;
}

void Mixer::Gather(size_t demand_class, size_t group, float actual, float scale, std::span<const uint8_t> awake,
                   std::span<const float> quantiles, std::span<const float> means, std::span<const float> mixed,
                   float mean, std::span<double> sums, std::span<float> regrets) const {
  // A large series counts more, by the root of its scale: between "every series alike" and "every unit alike".
  const float pooled_unit = 1 / std::sqrt(scale);
  const float own_unit = 1 / scale;
  for (size_t l = 0; l < kLevelCount; ++l) {
    const float slope = (actual <= mixed[l] ? 1.0F : 0.0F) - kLevels[l];
    double* cell = sums.data() + Cell(demand_class, group, l) * (experts_ + 1);
    float* own = regrets.data() + BandOf(l) * experts_;
    for (size_t k = 0; k < experts_; ++k) {
      if (awake[k] == 0) continue;
      const float regret = slope * (mixed[l] - quantiles[k * kLevelCount + l]);
      cell[k] += static_cast<double>(regret * pooled_unit);
      own[k] += regret * own_unit;
    }
    cell[experts_] += 1;
  }
  double* cell = sums.data() + Cell(demand_class, group, kLevelCount) * (experts_ + 1);
  const float residual = std::clamp((mean - actual) / scale, -kMeanErrorMax, kMeanErrorMax);
  for (size_t k = 0; k < experts_; ++k) {
    if (awake[k] != 0) cell[k] += static_cast<double>(2 * residual * (mean - means[k]) / scale);
  }
  cell[experts_] += 1;
}

void Mixer::LearnSeries(std::span<const float> regrets, std::span<float> state) const {
  const size_t size = MlPoly<float>::Size(experts_);
  for (size_t band = 0; band < kBands; ++band) {
    MlPoly<float>::Over(state.subspan(band * size, size), experts_).Learn(regrets.subspan(band * experts_, experts_));
  }
}

void Mixer::Fold(std::span<const double> sums, std::span<double> pooled) const {
  std::array<double, kExpertsMax> r;
  const size_t size = MlPoly<double>::Size(experts_);
  for (size_t cell = 0; cell < Cells(); ++cell) {
    const double* sum = sums.data() + cell * (experts_ + 1);
    if (sum[experts_] <= 0) continue;
    for (size_t k = 0; k < experts_; ++k) r[k] = sum[k] / sum[experts_];
    MlPoly<double>::Over(pooled.subspan(cell * size, size), experts_)
        .Learn(std::span<const double>(r.data(), experts_));
  }
}

void Mixer::Refresh(std::span<const double> pooled) {
  const size_t size = MlPoly<double>::Size(experts_);
  std::vector<double> numbers(size);
  for (size_t cell = 0; cell < Cells(); ++cell) {
    std::copy_n(pooled.begin() + static_cast<ptrdiff_t>(cell * size), size, numbers.begin());
    const std::span<float> weights(weights_.data() + cell * experts_, experts_);
    MlPoly<double>::Over(numbers, experts_).Weights(weights);
    for (float& weight : weights) weight = (1 - kFixedShare) * weight + kFixedShare / static_cast<float>(experts_);
  }
}

std::vector<double> Mixer::MeanWeights() const {
  std::vector<double> mean(experts_, 0);
  for (size_t cell = 0; cell < Cells(); ++cell) {
    for (size_t k = 0; k < experts_; ++k) mean[k] += weights_[cell * experts_ + k] / static_cast<double>(Cells());
  }
  return mean;
}

}  // namespace tidecast
