#include "models/point_expert.h"

#include <algorithm>
#include <cmath>

#include "models/negative_binomial.h"

namespace tidecast {
namespace {

constexpr double kPriorErrors = 10;  ///< of one scale each, at any horizon
constexpr double kErrorForget = .99;
constexpr double kErrorMost = 20;     ///< one break is no horizon's
constexpr double kErrorLeast = 1e-9;  ///< what never moves has no error to compare
constexpr float kPriorBuckets = 1;    ///< weight of the pool's typical mean in a young level

constexpr float kVisitDecay = .9F;  ///< of a phase's value from visit to visit
constexpr float kFastRate = .1F;    ///< of the level that moves a profile
constexpr float kPriorVisits = 1;   ///< weight of the pool's seasonal factor in a profile

}  // namespace

void PointExpert::StartPooled(std::span<double> pooled) const {
  for (size_t shape = 0; shape < kShapes; ++shape) {
    for (size_t l = 0; l < kLevelCount; ++l) {
      const double normal = NormalQuantile(kLevels[l]);
      pooled[shape * kLevelCount + l] = domain_ == ValueDomain::kReal ? normal : std::max(-1.0, normal);
    }
  }
  pooled[kRounds] = 0;
  if (growth_size() == 0) return;
  for (size_t k = 0; k < HorizonPlan::kKnotsMax + kHorizonGroups; ++k) {
    pooled[kGrowth + 2 * k] = pooled[kGrowth + 2 * k + 1] = kPriorErrors;
  }
}

float PointExpert::Growth(std::span<const double> pooled, const ForecastTarget& target) const {
  if (growth_size() == 0) return 1;
  const auto mean = [&](size_t k) {
    return std::max(kErrorLeast, pooled[kGrowth + 2 * k] / pooled[kGrowth + 2 * k + 1]);
  };
  const size_t at = target.knot.below;
  const double here = mean(at);
  const double error = target.knot.share > 0 ? here + target.knot.share * (mean(at + 1) - here) : here;
  return static_cast<float>(std::clamp(error / mean(HorizonPlan::kKnotsMax + target.group), .1, 10.0));
}

void PointExpert::Expand(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
                         std::span<const uint8_t> rows, std::span<const float> summaries,
                         std::span<const double> pooled, const ExpertOutput& out) const {
  const float floor = domain_ == ValueDomain::kReal ? -3e38F : 0.0F;
  const float growth = Growth(pooled, target);
  for (size_t i = 0; i < block.series; ++i) {
    out.awake[i] = 0;
    if (rows[i] == 0) continue;
    const Point point = PointOf(block, i, target, scale[i], summaries.data() + i * summary_floats(), pooled);
    if (!point.awake) continue;
    out.awake[i] = 1;
    const double* shape = pooled.data() + (block.demand_class[i] * kHorizonGroups + target.group) * kLevelCount;
    float* q = out.quantiles.data() + i * kLevelCount;
    float zero = 0;
    for (size_t l = 0; l < kLevelCount; ++l) {
      q[l] = std::max(floor, point.value + growth * point.spread * static_cast<float>(shape[l]));
      if (q[l] <= 0) zero = kLevels[l];
    }
    out.mean[i] = point.value;
    out.zero_probability[i] = domain_ == ValueDomain::kReal ? 0 : zero;
  }
}

void PointExpert::Gather(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
                         std::span<const uint8_t> rows, std::span<const float> summaries,
                         std::span<const double> pooled, std::span<double> sums) const {
  const double growth = static_cast<double>(Growth(pooled, target));
  for (size_t i = 0; i < block.series; ++i) {
    if (rows[i] == 0) continue;
    const Point point = PointOf(block, i, target, scale[i], summaries.data() + i * summary_floats(), pooled);
    if (!point.awake) continue;
    const size_t shape = block.demand_class[i] * kHorizonGroups + target.group;
    const double* theta = pooled.data() + shape * kLevelCount;
    double* sum = sums.data() + shape * (kLevelCount + 1);
    const double error = (static_cast<double>(block.actual[i]) - point.value) / point.spread;
    const double z = error / growth;
    for (size_t l = 0; l < kLevelCount; ++l) sum[l] += kLevels[l] - (z <= theta[l] ? 1.0 : 0.0);
    sum[kLevelCount] += 1;
    if (growth_size() == 0) continue;
    for (const size_t k : {target.knot.below, HorizonPlan::kKnotsMax + target.group}) {
      double* errors = sums.data() + kShapes * (kLevelCount + 1) + 2 * k;
      errors[0] += std::min(std::fabs(error), kErrorMost * growth);
      errors[1] += 1;
    }
  }
}

void PointExpert::Fold(std::span<const double> sums, std::span<double> pooled) const {
  double& rounds = pooled[kRounds];
  rounds += 1;
  const double rate = std::max(0.1, 2 / std::sqrt(rounds));
  for (size_t shape = 0; shape < kShapes; ++shape) {
    const double* sum = sums.data() + shape * (kLevelCount + 1);
    if (sum[kLevelCount] <= 0) continue;
    double* theta = pooled.data() + shape * kLevelCount;
    // A few series move the shape less than many do.
    const double weight = rate / (sum[kLevelCount] + 10);
    for (size_t l = 0; l < kLevelCount; ++l) {
      theta[l] += weight * sum[l] / std::max(0.05, static_cast<double>(std::min(kLevels[l], 1 - kLevels[l])) * 2);
      if (domain_ != ValueDomain::kReal) theta[l] = std::max(theta[l], -20.0);
      if (l > 0) theta[l] = std::max(theta[l], theta[l - 1]);
    }
  }
  for (size_t k = 0; k < growth_size(); k += 2) {
    const double* errors = sums.data() + kShapes * (kLevelCount + 1) + k;
    if (errors[1] <= 0) continue;  // an expert asleep forgets nothing
    for (size_t i = 0; i < 2; ++i) pooled[kGrowth + k + i] = kErrorForget * pooled[kGrowth + k + i] + errors[i];
  }
}

bool PointExpert::NewestAt(const ExpertBlock& block, size_t series, int64_t origin, float* value) {
  const float* history = block.history.data() + series * kHistory;
  for (int64_t index = origin; block.index - index < kHistory; --index) {
    *value = history[HistorySlot(index)];
    if (std::isfinite(*value)) return true;
  }
  return false;
}

float PointExpert::AnchorOf(const ExpertBlock& block, size_t series, int64_t origin) const {
  float anchor = 0;
  return domain_ == ValueDomain::kReal && NewestAt(block, series, origin, &anchor) ? anchor : 0;
}

void PersistenceExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  for (size_t i = 0; i < block.series; ++i) {
    if (std::isfinite(block.actual[i])) states[i] = block.actual[i];
  }
}

void PersistenceExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                                  std::span<float> summaries) const {
  for (size_t i = 0; i < block.series; ++i) summaries[i] = states[i] / block.scale[i];
}

PointExpert::Point PersistenceExpert::PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target,
                                              float scale, const float* summary, std::span<const double>) const {
  float value = 0;
  if (!NewestAt(block, series, target.origin, &value)) value = summary[0] * scale;
  return {value, scale, block.observed[series] > 0};
}

PointExpert::Point SeasonalNaiveExpert::PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target,
                                                float scale, const float*, std::span<const double>) const {
  const int64_t seasons = (target.horizon + season_ - 1) / season_;
  for (int64_t index = target.origin + target.horizon - seasons * season_; block.index - index < kHistory;
       index -= season_) {
    const float value = block.history[series * kHistory + HistorySlot(index)];
    if (std::isfinite(value)) return {value, scale, true};
  }
  return {};
}

ProfileExpert::ProfileExpert(ValueDomain domain, int season)
    : PointExpert("profile_" + std::to_string(season), domain),
      season_(season),
      slow_rate_(1 - std::pow(kVisitDecay, 1 / static_cast<float>(season))) {}

void ProfileExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  const float inverse = block.inverse_factor[HistorySlot(block.index)];
  for (size_t i = 0; i < block.series; ++i) {
    if (!std::isfinite(block.actual[i])) continue;
    float* state = states.data() + 4 * i;
    const float value = block.actual[i] * inverse;
    state[0] += kFastRate * (value - state[0]);
    state[1] += kFastRate * (1 - state[1]);
    state[2] += slow_rate_ * (value - state[2]);
    state[3] += slow_rate_ * (1 - state[3]);
  }
}

void ProfileExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                              std::span<float> summaries) const {
  for (size_t i = 0; i < block.series; ++i) {
    const float* state = states.data() + 4 * i;
    const bool any = state[1] > 0;
    const float anchor = AnchorOf(block, i, block.index);
    summaries[2 * i] = any ? (state[0] / state[1] - anchor) / block.scale[i] : 0;
    summaries[2 * i + 1] = any ? (state[2] / state[3] - anchor) / block.scale[i] : 0;
  }
}

PointExpert::Point ProfileExpert::PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target,
                                          float scale, const float* summary, std::span<const double>) const {
  const int64_t seasons = (target.horizon + season_ - 1) / season_;
  const float* history = block.history.data() + series * kHistory;
  const bool real = domain() == ValueDomain::kReal;
  const float anchor = AnchorOf(block, series, target.origin);
  const float fast = anchor + summary[0] * scale;
  const float slow = anchor + summary[1] * scale;
  float sum = kPriorVisits * slow * target.factor / (target.year * target.month);
  float weights = kPriorVisits;
  float weight = 1;
  int visits = 0;
  for (int64_t index = target.origin + target.horizon - seasons * season_; block.index - index < kHistory;
       index -= season_) {
    const float value = history[HistorySlot(index)];
    if (std::isfinite(value)) {
      sum += weight * value;
      weights += weight;
      ++visits;
    }
    weight *= kVisitDecay;
  }
  if (visits < kVisitsMin) return {};
  const float mean = sum / weights;
  if (real) return {mean + fast - slow, scale, true};
  const float value = target.year * target.month * mean * (fast + .1F * scale) / (slow + .1F * scale);
  return {value, std::max(value, 0.05F * scale), true};
}

float ProfileExpert::PresentLevel(const OneForecast& one) const {
  return AnchorOf(one.block, 0, one.target.origin) + one.summary[0] * one.block.scale[0];
}

void SmoothingExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  const float inverse = block.inverse_factor[HistorySlot(block.index)];
  for (size_t i = 0; i < block.series; ++i) {
    if (!std::isfinite(block.actual[i])) continue;
    float* state = states.data() + 2 * i;
    state[0] += alpha_ * (block.actual[i] * inverse - state[0]);
    state[1] += alpha_ * (1 - state[1]);
  }
}

void SmoothingExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                                std::span<float> summaries) const {
  const float prior = domain() == ValueDomain::kReal ? 0 : alpha_ * kPriorBuckets;
  for (size_t i = 0; i < block.series; ++i) {
    const float sum = states[2 * i] + prior * block.prior_mean[i] * (1 - states[2 * i + 1]);
    const float weight = states[2 * i + 1] + prior * (1 - states[2 * i + 1]);
    summaries[i] = weight > 0 ? (sum / weight - AnchorOf(block, i, block.index)) / block.scale[i] : 0;
  }
}

PointExpert::Point SmoothingExpert::PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target,
                                            float scale, const float* summary, std::span<const double>) const {
  const float value = (AnchorOf(block, series, target.origin) + summary[0] * scale) * target.factor;
  if (domain() == ValueDomain::kReal) return {value, scale, block.observed[series] > 0};
  return {value, std::max(value, 0.05F * scale), true};
}

}  // namespace tidecast
