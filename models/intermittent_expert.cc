#include "models/intermittent_expert.h"

#include <algorithm>
#include <cmath>

namespace tidecast {
namespace {

constexpr float kRate = .1F;  ///< of sizes, intervals and probabilities: the customary one

void Smooth(float* level, float value) { *level += kRate * (value - *level); }

}  // namespace

void TsbExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  for (size_t i = 0; i < block.series; ++i) {
    const float value = block.actual[i];
    if (!std::isfinite(value)) continue;
    float* state = states.data() + 3 * i;
    const float demand = value > 0 ? 1 : 0;
    if (state[2] == 0) state[1] = demand;
    state[2] = 1;
    Smooth(&state[1], demand);
    if (demand == 0) continue;
    if (state[0] == 0) state[0] = value;
    Smooth(&state[0], value);
  }
}

void TsbExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                          std::span<float> summaries) const {
  for (size_t i = 0; i < block.series; ++i) summaries[i] = states[3 * i] * states[3 * i + 1] / block.scale[i];
}

PointExpert::Point TsbExpert::PointOf(const ExpertBlock&, size_t, const ForecastTarget&, float scale,
                                      const float* summary) const {
  const float value = summary[0] * scale;
  return {value, std::max(value, .05F * scale), summary[0] > 0};
}

void SbaExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  for (size_t i = 0; i < block.series; ++i) {
    const float value = block.actual[i];
    if (!std::isfinite(value)) continue;
    float* state = states.data() + 3 * i;
    state[2] += 1;
    if (!(value > 0)) continue;
    if (state[0] == 0) {
      state[0] = value;
      state[1] = state[2];
    }
    Smooth(&state[0], value);
    Smooth(&state[1], state[2]);
    state[2] = 0;
  }
}

void SbaExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                          std::span<float> summaries) const {
  for (size_t i = 0; i < block.series; ++i) {
    const float* state = states.data() + 3 * i;
    summaries[i] = state[0] > 0 ? (1 - kRate / 2) * state[0] / state[1] / block.scale[i] : 0;
  }
}

PointExpert::Point SbaExpert::PointOf(const ExpertBlock&, size_t, const ForecastTarget&, float scale,
                                      const float* summary) const {
  const float value = summary[0] * scale;
  return {value, std::max(value, .05F * scale), summary[0] > 0};
}

}  // namespace tidecast
