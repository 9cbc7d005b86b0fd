#include "models/intermittent_expert.h"

#include <algorithm>
#include <cmath>

namespace tidecast {
namespace {

constexpr float kRate = .1F;  ///< of sizes, intervals and probabilities: the customary one

void Smooth(float* level, float value) { *level += kRate * (value - *level); }

}  // namespace

void IntermittentExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  for (size_t i = 0; i < block.series; ++i) {
    const float value = block.actual[i];
    if (!std::isfinite(value)) continue;
    float& size = states[3 * i];
    float& often = states[3 * i + 1];
    float& buckets = states[3 * i + 2];
    const bool is_demand = value > 0;
    const bool is_first = size == 0;
    buckets += 1;
    if (rule_ == Rule::kTsb) {
      const float demand = is_demand ? 1 : 0;
      if (buckets == 1) often = demand;
      Smooth(&often, demand);
    }
    if (!is_demand) continue;
    if (is_first) size = value;
    Smooth(&size, value);
    if (rule_ == Rule::kTsb) continue;
    if (is_first) often = buckets;
    Smooth(&often, buckets);
    buckets = 0;
  }
}

void IntermittentExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                                   std::span<float> summaries) const {
  for (size_t i = 0; i < block.series; ++i) {
    const float size = states[3 * i], often = states[3 * i + 1];
    const float mean = size == 0 ? 0 : rule_ == Rule::kTsb ? size * often : (1 - kRate / 2) * size / often;
    summaries[i] = mean / block.scale[i];
  }
}

PointExpert::Point IntermittentExpert::PointOf(const ExpertBlock&, size_t, const ForecastTarget&, float scale,
                                               const float* summary, std::span<const double>) const {
  const float value = summary[0] * scale;
  return {value, std::max(value, .05F * scale), summary[0] > 0};
}

}  // namespace tidecast
