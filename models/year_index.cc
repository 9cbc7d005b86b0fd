#include "models/year_index.h"

#include <algorithm>
#include <cmath>

namespace tidecast {
namespace {

constexpr int64_t kYear = 364;  ///< weekdays meet
constexpr int64_t kDaySeconds = 86400;
constexpr int64_t kGapSlack = 4 * 3600;
constexpr int64_t kGapMax = 25 * kDaySeconds;  ///< a month is longer, a shop's summer break is not
constexpr int64_t kHalfWeek = 3;
constexpr int64_t kBaseBuckets = 28;
constexpr double kBaseDecay = .9;  ///< a bucket: as far back as most experts' levels
constexpr size_t kDaysLeast = 3;   ///< that a mean of days is made of
constexpr double kRatioMax = 6;
constexpr double kChainMax = .2;
constexpr double kForget = .998;    ///< a round
constexpr double kPriorWorth = .3;  ///< of a rise, before a year was seen to repeat itself
constexpr double kPrior = .2;       ///< squares of rises that it counts for

constexpr size_t kChain = 2 * YearIndex::kDays + kHistory;
constexpr size_t kWorth = kChain + 1;

size_t DateSlot(int64_t day) {
  constexpr auto kDays = static_cast<int64_t>(YearIndex::kDays);
  return 2 * static_cast<size_t>(((day % kDays) + kDays) % kDays);
}

std::optional<double> LevelOf(std::span<const double> pooled, int64_t day) {
  const size_t at = DateSlot(day);
  if (pooled[at + 1] != static_cast<double>(day + 1)) return std::nullopt;
  return pooled[at];
}

/// Mean level of the week around a day.
std::optional<double> WeekAround(std::span<const double> pooled, int64_t unit, int64_t day) {
  double sum = 0;
  size_t count = 0;
  for (int64_t d = day - kHalfWeek; d <= day + kHalfWeek; ++d) {
    if (const auto level = LevelOf(pooled, d)) {
      sum += *level;
      ++count;
    }
  }
  if (count < (unit == 1 ? kDaysLeast : 1)) return std::nullopt;
  return sum / static_cast<double>(count);
}

/// Discounted mean level up to a bucket.
std::optional<double> Base(std::span<const double> pooled, int64_t unit, int64_t day) {
  double sum = 0, weights = 0, weight = 1;
  size_t count = 0;
  for (int64_t back = 0; back < kBaseBuckets; ++back, weight *= kBaseDecay) {
    if (const auto level = LevelOf(pooled, day - back * unit)) {
      sum += weight * *level;
      weights += weight;
      ++count;
    }
  }
  if (count < kDaysLeast) return std::nullopt;
  return sum / weights;
}

/// Rise from an origin to a target a year before.
std::optional<double> LastYear(std::span<const double> pooled, int64_t unit, int64_t origin, int64_t target) {
  if (target - kYear + kHalfWeek > origin) return std::nullopt;
  const auto then = WeekAround(pooled, unit, target - kYear);
  const auto base = Base(pooled, unit, origin - kYear);
  if (!then || !base) return std::nullopt;
  return std::clamp(*then - *base, -1.0, 1.0);
}

double WorthAt(std::span<const double> pooled, size_t knot) {
  const double* worth = pooled.data() + kWorth + 2 * knot;
  return std::clamp((worth[0] + kPriorWorth * kPrior) / (worth[1] + kPrior), 0.0, 1.0);
}

}  // namespace

int64_t YearIndex::LocalDay(const CalendarStep& step) {
  // Local midnights of zones that move their clocks lie between 10:15 the day before and 10:00 by UTC.
  const int64_t seconds = step.start.us / 1'000'000 + 13 * 3600 + 2700;
  return seconds / kDaySeconds - (seconds % kDaySeconds < 0 ? 1 : 0);
}

int64_t YearIndex::UnitOf(const std::vector<int>& seasons) {
  if (seasons.size() != 1) return 0;
  return seasons[0] >= 2 && seasons[0] <= 7 ? 1 : seasons[0] == 52 ? 7 : 0;
}

std::optional<int64_t> YearIndex::DayOf(int64_t unit, const CalendarStep& step, const CalendarStep& next) {
  const int64_t gap = (next.start.us - step.start.us) / 1'000'000;
  if (unit == 0 || gap < unit * kDaySeconds - kGapSlack || gap > kGapMax) return std::nullopt;
  return LocalDay(step);
}

void YearIndex::Forget(int64_t index, std::span<double> pooled) { pooled[2 * kDays + HistorySlot(index)] = 0; }

void YearIndex::Gather(float actual, float scale, float scale_after, std::span<double> sums) {
  sums[0] += std::min(static_cast<double>(actual / scale), kRatioMax);
  // By the logarithm, so that noise alone does not lift the chain.
  sums[1] += std::log(static_cast<double>(scale_after) / static_cast<double>(scale));
  sums[2] += 1;
}

std::optional<int64_t> YearIndex::DayOfBucket(std::span<const double> pooled, int64_t index) {
  const double day = pooled[2 * kDays + HistorySlot(index)];
  if (day == 0) return std::nullopt;
  return static_cast<int64_t>(day) - 1;
}

void YearIndex::Fold(int64_t unit, int64_t day, int64_t index, double factor, const HorizonPlan& plan,
                     std::span<const double> sums, std::span<double> pooled) {
  pooled[2 * kDays + HistorySlot(index)] = static_cast<double>(day + 1);
  if (sums[2] <= 0) return;
  double& chain = pooled[kChain];
  const double level = chain + std::log(std::max(sums[0] / sums[2], .05) / factor);
  const size_t at = DateSlot(day);
  pooled[at] = level;
  pooled[at + 1] = static_cast<double>(day + 1);
  chain += std::clamp(sums[1] / sums[2], -kChainMax, kChainMax);
  for (size_t k = 0; k < plan.learned().size(); ++k) {
    const int horizon = plan.learned()[k];
    if (horizon >= kHistory) break;
    const auto origin = DayOfBucket(pooled, index - horizon);
    if (!origin || *origin >= day || day - *origin > unit * (4 * horizon + 5)) continue;
    const auto rise = LastYear(pooled, unit, *origin, day);
    const auto base = Base(pooled, unit, *origin);
    if (!rise || !base) continue;
    double* worth = pooled.data() + kWorth + 2 * k;
    const double came = std::clamp(level - *base, -1.0, 1.0);
    worth[0] = kForget * worth[0] + *rise * came;
    worth[1] = kForget * worth[1] + *rise * *rise;
  }
}

float YearIndex::Factor(std::span<const double> pooled, int64_t unit, int64_t origin, int64_t target,
                        const HorizonKnot& knot) {
  const auto rise = LastYear(pooled, unit, origin, target);
  if (!rise) return 1;
  double worth = WorthAt(pooled, knot.below);
  if (knot.share > 0) worth += static_cast<double>(knot.share) * (WorthAt(pooled, knot.below + 1) - worth);
  return static_cast<float>(std::exp(worth * *rise));
}

}  // namespace tidecast
