#include "models/empirical_expert.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "models/sorted_history.h"

namespace tidecast {
namespace {

struct Sample {
  float value;
  float weight;
};

/// Writes quantiles at kLevels of `count` samples sorted by value.
void WeightedQuantiles(const Sample* samples, size_t count, float total, float* quantiles) {
  size_t j = 0;
  float below = 0;  // weight of samples before j
  for (size_t l = 0; l < kLevelCount; ++l) {
    const float at = kLevels[l] * total;
    while (j < count && below + samples[j].weight / 2 < at) below += samples[j++].weight;
    if (j == 0) {
      quantiles[l] = samples[0].value;
    } else if (j == count) {
      quantiles[l] = samples[count - 1].value;
    } else {
      const float left = below - samples[j - 1].weight / 2;
      const float right = below + samples[j].weight / 2;
      const float part = right > left ? (at - left) / (right - left) : 1;
      quantiles[l] = samples[j - 1].value + part * (samples[j].value - samples[j - 1].value);
    }
    if (l > 0) quantiles[l] = std::max(quantiles[l], quantiles[l - 1]);
  }
}

}  // namespace

EmpiricalExpert::EmpiricalExpert(std::string name, ValueDomain domain, float decay)
    : name_(std::move(name)), domain_(domain), weight_by_age_(kHistory) {
  for (int64_t age = 0; age < kHistory; ++age) {
    weight_by_age_[static_cast<size_t>(age)] = static_cast<float>(std::pow(static_cast<double>(decay), age));
  }
}

void EmpiricalExpert::Summarise(const ExpertBlock& block, std::span<const float>, std::span<const double>,
                                std::span<float> summaries) const {
  const bool real = domain_ == ValueDomain::kReal;
  std::array<float, kHistory> weights;
  for (size_t slot = 0; slot < kHistory; ++slot) weights[slot] = weight_by_age_[static_cast<size_t>(block.age[slot])];
  std::array<Sample, kHistory + 1> samples;
  SortedHistory own;
  if (block.sorted == nullptr) own.Take(block, !real);
  const SortedHistory& sorted = block.sorted != nullptr ? *block.sorted : own;
  for (size_t i = 0; i < block.series; ++i) {
    float* out = summaries.data() + i * summary_floats();
    float zeros = 0;
    for (const uint8_t slot : sorted.ZerosOf(i)) zeros += weights[slot];
    size_t count = real ? 0 : 1;  // all zeros are one sample: cheaper, and the same quantiles
    float total = zeros;
    double sum = 0;
    for (const SortedHistory::Entry& entry : sorted.Of(i)) {
      const float weight = weights[entry.slot];
      samples[count++] = {entry.value, weight};
      total += weight;
      sum += static_cast<double>(weight) * entry.value;
    }
    if (total <= 0) {
      std::fill(out, out + summary_floats(), 0.0F);
      continue;
    }
    const size_t first = !real && zeros <= 0 ? 1 : 0;
    if (!real) samples[0] = {0, zeros};
    // The heap of zeros reaches to its end, not to its middle: below its share every quantile is 0.
    if (first == 0 && !real) {
      std::array<float, kLevelCount> rest;
      WeightedQuantiles(samples.data(), count, total, rest.data());
      float before_first = count > 1 ? samples[1].value : 0;
      for (size_t l = 0; l < kLevelCount; ++l) {
        const float at = kLevels[l] * total;
        if (at <= zeros) {
          out[l] = 0;
        } else if (count > 1 && at < zeros + samples[1].weight / 2) {
          out[l] = before_first * (at - zeros) / (samples[1].weight / 2);
        } else {
          out[l] = rest[l];
        }
        if (l > 0) out[l] = std::max(out[l], out[l - 1]);
      }
    } else {
      WeightedQuantiles(samples.data() + first, count - first, total, out);
    }
    const float inverse_scale = 1 / block.scale[i];
    for (size_t l = 0; l < kLevelCount; ++l) out[l] *= inverse_scale;
    out[kLevelCount] = static_cast<float>(sum / total) * inverse_scale;
    out[kLevelCount + 1] = zeros / total;
  }
}

void EmpiricalExpert::Expand(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
                             std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double>,
                             const ExpertOutput& out) const {
  const float factor = domain_ == ValueDomain::kReal ? 1 : target.factor;
  for (size_t i = 0; i < block.series; ++i) {
    out.awake[i] = rows[i] != 0 && block.observed[i] >= kSamplesMin ? 1 : 0;
    if (out.awake[i] == 0) continue;
    const float* summary = summaries.data() + i * summary_floats();
    const float unit = scale[i] * factor;
    for (size_t l = 0; l < kLevelCount; ++l) out.quantiles[i * kLevelCount + l] = summary[l] * unit;
    out.mean[i] = summary[kLevelCount] * unit;
    out.zero_probability[i] = summary[kLevelCount + 1];
  }
}

}  // namespace tidecast
