#include "models/holt_winters_expert.h"

#include <algorithm>
#include <cmath>

namespace tidecast {
namespace {

// Chosen on the months of the hospital set before its test window; neighbours are within .5 % of WQL.
constexpr float kLevelRate = .2F;
constexpr float kTrendRate = .05F;  ///< of the level's move
constexpr float kSeasonRate = .2F;
constexpr float kDamping = .9F;

constexpr float kResidualForget = .97F;
constexpr float kYoungResidual = .3F;  ///< weight of a residual in the first season
constexpr float kPoissonShare = .1F;   ///< a count's variance is drawn to its level
constexpr float kResidualMax = 5;      ///< deviations
constexpr float kRangeMargin = 3;      ///< deviations

enum State : size_t { kSeen, kLeast, kMost, kLevel, kTrend, kSquare, kWeight };

bool Sleeps(const ExpertBlock& block, size_t series) { return block.demand_class[series] >= 2; }

}  // namespace

HoltWintersExpert::HoltWintersExpert(ValueDomain domain, int season, int horizon)
    : PointExpert("holt_winters_" + std::to_string(season), domain), season_(static_cast<size_t>(season)) {
  double power = 1, sum = 0, variance = 1;
  for (int h = 1; h <= horizon; ++h) {
    growth_.push_back(static_cast<float>(std::sqrt(variance)));
    power *= kDamping;
    sum += power;
    damped_.push_back(static_cast<float>(sum));
    const double move = kLevelRate * (1 + kTrendRate * sum) + (season > 1 && h % season == 0 ? kSeasonRate : 0.0F);
    variance += move * move;
  }
}

size_t HoltWintersExpert::PhaseOf(int64_t index) const {
  const int64_t season = static_cast<int64_t>(season_);
  return static_cast<size_t>(((index % season) + season) % season);
}

void HoltWintersExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  const size_t phase = PhaseOf(block.index);
  for (size_t i = 0; i < block.series; ++i) {
    const float actual = block.actual[i];
    float* state = states.data() + i * state_floats();
    if (!std::isfinite(actual)) continue;
    if (Sleeps(block, i)) {
      state[kSeen] = 0;
      continue;
    }
    float* season = state + kHead;
    if (state[kSeen] == 0) {
      std::fill_n(state, state_floats(), 0.0F);
      state[kSeen] = 1;
      state[kLeast] = state[kMost] = state[kLevel] = actual;
      continue;
    }
    state[kLeast] = std::min(state[kLeast], actual);
    state[kMost] = std::max(state[kMost], actual);
    const float base = state[kLevel] + kDamping * state[kTrend];
    const float residual = actual - base - (season_ > 1 ? season[phase] : 0);
    float moved = residual;
    const bool grown = state[kSeen] > static_cast<float>(season_);
    if (grown && state[kWeight] > 0) {
      const float most = kResidualMax * std::sqrt(state[kSquare] / state[kWeight]);
      moved = std::clamp(residual, -most, most);
    }
    const float weight = state[kSeen] >= static_cast<float>(season_) ? 1 : kYoungResidual;
    const float bounded = std::clamp(residual, -1e15F, 1e15F);  // its square is finite
    state[kSquare] = kResidualForget * state[kSquare] + weight * bounded * bounded;
    state[kWeight] = kResidualForget * state[kWeight] + weight;
    state[kLevel] = base + std::max(kLevelRate, 1 / (state[kSeen] + 1)) * moved;
    state[kTrend] = kDamping * state[kTrend] + kTrendRate * kLevelRate * moved;
    const float visits = std::floor(state[kSeen] / static_cast<float>(season_));
    if (season_ > 1) season[phase] += std::max(kSeasonRate, 1 / (visits + 2)) * moved;
    state[kSeen] += 1;
  }
}

void HoltWintersExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                                  std::span<float> summaries) const {
  for (size_t i = 0; i < block.series; ++i) {
    const float* state = states.data() + i * state_floats();
    float* out = summaries.data() + i * summary_floats();
    std::fill_n(out, summary_floats(), 0.0F);
    float last = 0;
    if (Sleeps(block, i) || state[kSeen] <= static_cast<float>(season_) || state[kWeight] <= 0 ||
        !NewestAt(block, i, block.index, &last))
      continue;
    const float scale = block.scale[i];
    float variance = state[kSquare] / state[kWeight];
    if (domain() == ValueDomain::kCount)
      variance = (1 - kPoissonShare) * variance + kPoissonShare * std::max(state[kLevel], .3F);
    const float deviation = std::sqrt(variance);
    out[0] = (state[kLevel] - last) / scale;
    out[1] = state[kTrend] / scale;
    out[2] = std::max(deviation, 1e-3F * scale) / scale;
    // The season is kept as far as forecasts stay in the range at any level: the guard of PointOf without its numbers.
    const float least = state[kLeast] - kRangeMargin * deviation, most = state[kMost] + kRangeMargin * deviation;
    for (size_t phase = 0; phase < season_; ++phase) {
      const float season = season_ > 1 ? state[kHead + phase] : 0;
      out[3 + phase] = (std::clamp(state[kLevel] + season, least, most) - state[kLevel]) / scale;
    }
  }
}

float HoltWintersExpert::TrendAt(int horizon, float last, float scale, const float* summary) const {
  return last + (summary[0] + damped_[static_cast<size_t>(horizon) - 1] * summary[1]) * scale;
}

PointExpert::Point HoltWintersExpert::PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target,
                                              float scale, const float* summary, std::span<const double>) const {
  float last = 0;
  if (summary[2] <= 0 || !NewestAt(block, series, target.origin, &last)) return {};
  const size_t h = static_cast<size_t>(target.horizon) - 1;
  const size_t phase = PhaseOf(target.origin + target.horizon);
  float value = TrendAt(target.horizon, last, scale, summary) + summary[3 + phase] * scale;
  value *= target.year;
  if (domain() != ValueDomain::kReal) value = std::max(value, 0.0F);
  return {value, summary[2] * growth_[h] * scale, true};
}

float HoltWintersExpert::PresentLevel(const OneForecast& one) const {
  float last = 0;
  if (season_ == 1 || !NewestAt(one.block, 0, one.target.origin, &last)) return one.mean;
  // Level and season share an offset, which belongs to the level.
  float offset = 0;
  for (size_t phase = 0; phase < season_; ++phase) offset += one.summary[3 + phase] / static_cast<float>(season_);
  const float scale = one.block.scale[0];
  const float present = TrendAt(one.target.horizon, last, scale, one.summary.data()) + offset * scale;
  return domain() == ValueDomain::kReal ? present : std::max(present, 0.0F);
}

}  // namespace tidecast
