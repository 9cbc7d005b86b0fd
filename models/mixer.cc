#include "models/mixer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "engine/core/check.h"

namespace tidecast {
namespace {

constexpr float kFixedShare = .01F;
constexpr float kShrinkBuckets = 200;  ///< resolved forecasts after which own and pooled weights count alike
constexpr float kMeanErrorMax = 10;    ///< a residual beyond so many scales counts as this much
constexpr size_t kExpertsMax = MixRules::kExpertsMax;

size_t BandOf(size_t level) { return level < 4 ? 0 : level < 9 ? 1 : 2; }

}  // namespace

Mixer::Mixer(std::vector<float> prior, std::vector<int> own_means)
    : experts_(prior.size()),
      own_means_(prior.size(), std::move(own_means)),
      prior_(std::move(prior)),
      trust_(Cells(), .5F) {
  const float sum = std::accumulate(prior_.begin(), prior_.end(), 0.0F);
  for (float& weight : prior_) weight /= sum;
  for (size_t cell = 0; cell < Cells(); ++cell) weights_.insert(weights_.end(), prior_.begin(), prior_.end());
}

void Mixer::WeightsOf(size_t demand_class, size_t group, std::span<const float> state, uint32_t resolved,
                      std::span<const uint8_t> awake, std::span<float> weights, std::span<float> toward) const {
  TC_CHECK_LE(experts_, kExpertsMax);
  const float own_share = static_cast<float>(resolved) / (static_cast<float>(resolved) + kShrinkBuckets);
  std::array<std::array<float, kExpertsMax>, kBands> own;
  std::array<bool, kBands> has_own{};
  const size_t size = MlPoly<float>::Size(experts_);
  const auto share_out = [&](float* row) {
    float sum = 0;
    for (size_t k = 0; k < experts_; ++k) sum += awake[k] != 0 ? row[k] : 0;
    for (size_t k = 0; k < experts_; ++k) row[k] = awake[k] != 0 && sum > 0 ? row[k] / sum : 0;
    return sum > 0;
  };
  for (size_t band = 0; band < kBands; ++band) {
    // MlPoly is a view for both uses; Weights alone does not write.
    const std::span<float> numbers(const_cast<float*>(state.data()) + band * size, size);
    has_own[band] = MlPoly<float>::Over(numbers, experts_).Weights(std::span(own[band]).first(experts_)) &&
                    share_out(own[band].data());
  }
  for (size_t row = 0; row < kRows; ++row) {
    const size_t cell = Cell(demand_class, group, row);
    float* out = weights.data() + row * experts_;
    std::copy_n(weights_.begin() + static_cast<ptrdiff_t>(cell * experts_), experts_, out);
    share_out(out);
    const size_t band = row < kLevelCount ? BandOf(row) : kBands;
    const float share = band < kBands && has_own[band] ? own_share : 0;
    for (size_t k = 0; k < experts_; ++k) {
      const float step = share > 0 ? share * (own[band][k] - out[k]) : 0;
      if (!toward.empty()) toward[row * experts_ + k] = step;
      out[k] += trust_[cell] * step;
    }
  }
}

void Mixer::MeanWeightsOf(size_t place, std::span<const float> state, std::span<const uint8_t> awake,
                          std::span<float> weights) const {
  if (own_means_.empty()) return;
  own_means_.Weights(place, state.subspan(BandFloats()), prior_, awake, weights.last(experts_));
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

void Mixer::Gather(size_t demand_class, size_t group, size_t place, float actual, float scale,
                   std::span<const uint8_t> awake, std::span<const float> quantiles, std::span<const float> means,
                   std::span<const float> mixed, float mean, std::span<const float> toward, std::span<double> sums,
                   std::span<float> regrets) const {
  // A large series counts more, by the root of its scale: between "every series alike" and "every unit alike".
  const float pooled_unit = 1 / std::sqrt(scale);
  const float own_unit = 1 / scale;
  for (size_t l = 0; l < kLevelCount; ++l) {
    const float slope = (actual <= mixed[l] ? 1.0F : 0.0F) - kLevels[l];
    const size_t at = Cell(demand_class, group, l);
    double* cell = sums.data() + at * CellSums();
    float* own = regrets.data() + BandOf(l) * experts_;
    float way = 0;
    for (size_t k = 0; k < experts_; ++k) {
      if (awake[k] != 0) way += toward[l * experts_ + k] * quantiles[k * kLevelCount + l];
    }
    cell[experts_] += static_cast<double>(slope * trust_[at] * way * pooled_unit);
    cell[experts_ + 1] += static_cast<double>(slope * (trust_[at] - 1) * way * pooled_unit);
    for (size_t k = 0; k < experts_; ++k) {
      if (awake[k] == 0) continue;
      const float regret = slope * (mixed[l] - quantiles[k * kLevelCount + l]);
      cell[k] += static_cast<double>(regret * pooled_unit);
      own[k] += regret * own_unit;
    }
    cell[experts_ + 2] += 1;
  }
  double* cell = sums.data() + Cell(demand_class, group, kLevelCount) * CellSums();
  const float slope = 2 * std::clamp((mean - actual) / scale, -kMeanErrorMax, kMeanErrorMax);
  for (size_t k = 0; k < experts_; ++k) {
    if (awake[k] == 0) continue;
    cell[k] += static_cast<double>(slope * std::clamp((mean - means[k]) / scale, -kMeanErrorMax, kMeanErrorMax));
  }
  cell[experts_ + 2] += 1;
  if (!own_means_.empty()) {
    own_means_.Gather(place, actual, mean, means, awake, regrets.subspan(kBands * experts_));
  }
}

void Mixer::LearnSeries(std::span<const float> regrets, std::span<float> state) const {
  const size_t size = MlPoly<float>::Size(experts_);
  for (size_t band = 0; band < kBands; ++band) {
    MlPoly<float>::Over(state.subspan(band * size, size), experts_).Learn(regrets.subspan(band * experts_, experts_));
  }
  if (!own_means_.empty()) own_means_.Learn(regrets.subspan(kBands * experts_), state.subspan(BandFloats()));
}

void Mixer::Fold(std::span<const double> sums, std::span<double> pooled) const {
  std::array<double, kExpertsMax> r;
  for (size_t cell = 0; cell < Cells(); ++cell) {
    const double* sum = sums.data() + cell * CellSums();
    const double count = sum[experts_ + 2];
    if (count <= 0) continue;
    for (size_t k = 0; k < experts_; ++k) r[k] = sum[k] / count;
    const std::span<double> numbers = pooled.subspan(cell * CellNumbers(), CellNumbers());
    MixRules(numbers.first(MixRules::Size(experts_)), experts_, prior_)
        .Learn(std::span<const double>(r.data(), experts_));
    const std::array<double, 2> ways = {sum[experts_] / count, sum[experts_ + 1] / count};
    MlPoly<double>::Over(numbers.last(MlPoly<double>::Size(2)), 2).Learn(std::span<const double>(ways));
  }
}

void Mixer::Refresh(std::span<const double> pooled) {
  std::vector<double> numbers(CellNumbers());
  for (size_t cell = 0; cell < Cells(); ++cell) {
    std::copy_n(pooled.begin() + static_cast<ptrdiff_t>(cell * CellNumbers()), CellNumbers(), numbers.begin());
    const std::span<float> weights(weights_.data() + cell * experts_, experts_);
    MixRules(std::span(numbers).first(MixRules::Size(experts_)), experts_, prior_).Weights(weights);
    for (size_t k = 0; k < experts_; ++k) weights[k] = (1 - kFixedShare) * weights[k] + kFixedShare * prior_[k];
    std::array<float, 2> ways;
    MlPoly<double>::Over(std::span(numbers).last(MlPoly<double>::Size(2)), 2).Weights(std::span<float>(ways));
    trust_[cell] = ways[1];
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
