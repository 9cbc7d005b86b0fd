#include "models/autoregression_expert.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tidecast {
namespace {

constexpr float kForget = .99F;
constexpr float kSeenMin = 24;
constexpr double kReflectionMax = .97;
constexpr float kDifferenceMax = 10;  ///< scales

bool Sleeps(const ExpertBlock& block, size_t series) { return block.demand_class[series] >= 2; }

}  // namespace

bool AutoregressionExpert::Differences(const ExpertBlock& block, size_t series, int64_t index, float* out) const {
  const float* history = block.history.data() + series * kHistory;
  if (block.index - index + static_cast<int64_t>(kOrderMax) + 1 >= kHistory) return false;
  const auto value = [&](int64_t at) { return history[HistorySlot(at)] * block.inverse_factor[HistorySlot(at)]; };
  float newer = value(index);
  for (size_t k = 0; k <= kOrderMax; ++k) {
    const float older = value(index - 1 - static_cast<int64_t>(k));
    out[k] = newer - older;
    if (!std::isfinite(out[k])) return false;
    newer = older;
  }
  return true;
}

void AutoregressionExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  std::array<float, kOrderMax + 1> d;
  for (size_t i = 0; i < block.series; ++i) {
    if (!std::isfinite(block.actual[i])) continue;
    float* state = states.data() + i * state_floats();
    if (Sleeps(block, i)) {
      state[0] = 0;
      continue;
    }
    if (!Differences(block, i, block.index, d.data())) continue;
    if (state[0] == 0) std::fill_n(state, state_floats(), 0.0F);
    const float most = std::min(kDifferenceMax * block.scale[i], 1e15F);  // its square is finite
    for (float& difference : d) difference = std::clamp(difference, -most, most);
    state[0] += 1;
    state[1] = kForget * state[1] + 1;
    for (size_t k = 0; k <= kOrderMax; ++k) state[2 + k] = kForget * state[2 + k] + d[0] * d[k];
  }
}

void AutoregressionExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                                     std::span<float> summaries) const {
  std::array<float, kOrderMax + 1> d;
  for (size_t i = 0; i < block.series; ++i) {
    const float* state = states.data() + i * state_floats();
    float* out = summaries.data() + i * summary_floats();
    std::fill_n(out, summary_floats(), 0.0F);
    if (Sleeps(block, i) || state[0] < kSeenMin || !(state[2] > 0) || !Differences(block, i, block.index, d.data()))
      continue;
    std::array<double, kOrderMax> phi{}, before{};
    double variance = state[2];
    const auto criterion = [&](size_t order) {
      return static_cast<double>(state[1]) * std::log(variance) + 2 * static_cast<double>(order);
    };
    double least = criterion(0), best_variance = variance;
    for (size_t order = 1; order <= kOrderMax; ++order) {
      double reflection = state[2 + order];
      for (size_t k = 0; k + 1 < order; ++k) reflection -= phi[k] * static_cast<double>(state[1 + order - k]);
      reflection /= variance;
      if (!(std::fabs(reflection) <= kReflectionMax)) break;
      before = phi;
      for (size_t k = 0; k + 1 < order; ++k) phi[k] = before[k] - reflection * before[order - 2 - k];
      phi[order - 1] = reflection;
      variance *= 1 - reflection * reflection;
      if (criterion(order) >= least) continue;
      least = criterion(order);
      best_variance = variance;
      for (size_t k = 0; k < kOrderMax; ++k) out[k] = static_cast<float>(phi[k]);
    }
    const float deviation = static_cast<float>(std::sqrt(best_variance / static_cast<double>(state[1])));
    out[kOrderMax] = std::max(deviation / block.scale[i], 1e-3F);
  }
}

PointExpert::Point AutoregressionExpert::PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target,
                                                 float scale, const float* summary, std::span<const double>) const {
  std::array<float, kOrderMax + 1> d;
  if (summary[kOrderMax] <= 0 || !Differences(block, series, target.origin, d.data())) return {};
  const size_t slot = HistorySlot(target.origin);
  float value = block.history[series * kHistory + slot] * block.inverse_factor[slot];
  std::array<float, kOrderMax> psi{};  // of the differences, newest first
  float moved = 1, variance = 1;
  psi[0] = 1;
  for (int step = 1; step <= target.horizon; ++step) {
    float next = 0, next_psi = 0;
    for (size_t k = 0; k < kOrderMax; ++k) {
      next += summary[k] * d[k];
      next_psi += summary[k] * psi[k];
    }
    for (size_t k = kOrderMax - 1; k > 0; --k) d[k] = d[k - 1], psi[k] = psi[k - 1];
    d[0] = next;
    psi[0] = next_psi;
    value += next;
    if (step == target.horizon) break;
    moved += next_psi;
    variance += moved * moved;
  }
  value *= target.factor;
  if (domain() != ValueDomain::kReal) value = std::max(value, 0.0F);
  return {value, summary[kOrderMax] * std::sqrt(variance) * scale * target.factor, true};
}

}  // namespace tidecast
