#include "models/negative_binomial_expert.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "models/negative_binomial.h"

namespace tidecast {
namespace {

constexpr float kPriorBuckets = 4;  ///< weight of the slow mean in the fast one
constexpr float kPoolBuckets = 1;   ///< weight of the pool's mean in the slow one
constexpr float kSlowDecay = .99F;
constexpr float kDispersionDecay = .98F;
constexpr double kDispersionPrior = 8;  ///< buckets' worth of the class's dispersion
constexpr double kPooledDecay = .98;
constexpr double kDispersionMax = 20;
constexpr double kErrorMax = 6;  ///< a residual beyond so many means counts as this much

}  // namespace

void NegativeBinomialExpert::StartPooled(std::span<double> pooled) const {
  for (size_t c = 0; c < kDemandClasses; ++c) {
    pooled[2 * c] = 10;
    pooled[2 * c + 1] = 10;
  }
}

double NegativeBinomialExpert::MeanOf(const float* state, double prior_mean) const {
  const double slow = (state[2] + kPoolBuckets * prior_mean) / (state[3] + kPoolBuckets);
  return (state[0] + kPriorBuckets * slow) / (state[1] + kPriorBuckets);
}

void NegativeBinomialExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  const float inverse = block.inverse_factor[HistorySlot(block.index)];
  for (size_t i = 0; i < block.series; ++i) {
    if (!std::isfinite(block.actual[i])) continue;
    float* state = states.data() + i * state_floats();
    const double value = static_cast<double>(block.actual[i]) * inverse;
    const double mean = std::max(MeanOf(state, static_cast<double>(block.prior_mean[i])), 1e-3);
    const double error = std::clamp((value - mean) / mean, -1.0, kErrorMax * (1 + 1 / std::sqrt(mean)));
    state[4] = static_cast<float>(kDispersionDecay * state[4] + error * error - 1 / mean);
    state[5] = static_cast<float>(kDispersionDecay * state[5] + 1);
    state[0] = static_cast<float>(decay_ * state[0] + value);
    state[1] = decay_ * state[1] + 1;
    state[2] = static_cast<float>(kSlowDecay * state[2] + value);
    state[3] = kSlowDecay * state[3] + 1;
  }
}

void NegativeBinomialExpert::Summarise(const ExpertBlock& block, std::span<const float> states,
                                       std::span<const double> pooled, std::span<float> summaries) const {
  for (size_t i = 0; i < block.series; ++i) {
    const float* state = states.data() + i * state_floats();
    const double* pool = pooled.data() + 2 * block.demand_class[i];
    const double shared = pool[1] > 0 ? pool[0] / pool[1] : 1;
    const double dispersion = (state[4] + kDispersionPrior * shared) / (state[5] + kDispersionPrior);
    summaries[2 * i] = static_cast<float>(MeanOf(state, static_cast<double>(block.prior_mean[i]))) / block.scale[i];
    summaries[2 * i + 1] = static_cast<float>(std::clamp(dispersion, 0.01, kDispersionMax));
  }
}

void NegativeBinomialExpert::Expand(const ExpertBlock& block, const ForecastTarget& target,
                                    std::span<const float> scale, std::span<const uint8_t> rows,
                                    std::span<const float> summaries, std::span<const double>,
                                    const ExpertOutput& out) const {
  for (size_t i = 0; i < block.series; ++i) {
    out.awake[i] = rows[i];
    if (rows[i] == 0) continue;
    const NegativeBinomial law{static_cast<double>(summaries[2 * i]) * scale[i] * target.factor, summaries[2 * i + 1]};
    law.Quantiles(kLevels, out.quantiles.subspan(i * kLevelCount, kLevelCount));
    out.mean[i] = static_cast<float>(law.mean);
    out.zero_probability[i] = static_cast<float>(law.ZeroProbability());
  }
}

void NegativeBinomialExpert::Gather(const ExpertBlock& block, const ForecastTarget& target,
                                    std::span<const float> scale, std::span<const uint8_t> rows,
                                    std::span<const float> summaries, std::span<const double>,
                                    std::span<double> sums) const {
  if (target.horizon != 1) return;
  for (size_t i = 0; i < block.series; ++i) {
    if (rows[i] == 0) continue;
    const double mean = std::max(static_cast<double>(summaries[2 * i]) * scale[i] * target.factor, 1e-3);
    const double error = std::clamp((block.actual[i] - mean) / mean, -1.0, kErrorMax * (1 + 1 / std::sqrt(mean)));
    sums[2 * block.demand_class[i]] += error * error - 1 / mean;
    sums[2 * block.demand_class[i] + 1] += 1;
  }
}

void NegativeBinomialExpert::Fold(std::span<const double> sums, std::span<double> pooled) const {
  for (size_t c = 0; c < kDemandClasses; ++c) {
    if (sums[2 * c + 1] <= 0) continue;
    pooled[2 * c] = kPooledDecay * pooled[2 * c] + sums[2 * c];
    pooled[2 * c + 1] = kPooledDecay * pooled[2 * c + 1] + sums[2 * c + 1];
    pooled[2 * c] = std::max(pooled[2 * c], 0.01 * pooled[2 * c + 1]);
  }
}

}  // namespace tidecast
