#include "models/calendar_profile_expert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tidecast {
namespace {

constexpr float kDayRate = .05F;    ///< of the mean of a part of the day, a visit
constexpr float kWeekRate = .1F;    ///< of a part of the week
constexpr float kDayPrior = 1;      ///< visits' worth of the mean of all parts in one of the day
constexpr float kCyclePrior = 1;    ///< weeks' worth of the mean day in a day of the week
constexpr float kWeekPrior = .7F;   ///< weeks' worth of day and part of the day in a part of the week, of large counts
constexpr float kWeekCounts = 4;    ///< and of this many sold in a part of the day
constexpr float kFastRate = .3F;    ///< of the newest values' level, a bucket
constexpr float kSlowRate = .1F;    ///< of the slow level, a day
constexpr float kLevelPrior = .1F;  ///< scales' worth of a level of 1
constexpr float kExtraVariance = .01F;  ///< of the square of what is expected
constexpr float kAmountUnit = .1F;      ///< in scales, what an amount is counted in
constexpr float kSpreadLeast = .05F;    ///< in scales
constexpr float kDepartureMax = 2;
constexpr double kErrorMax = 3;
constexpr double kForget = .99;         ///< of what departures are worth, a round
constexpr double kPriorDepartures = 1;  ///< squares of departures worth nothing
constexpr float kSeenMax = 1e6F;

}  // namespace

CalendarProfileExpert::CalendarProfileExpert(ValueDomain domain, const NestedSeasons& seasons, int horizon)
    : PointExpert(fmt::format("profile_{}x{}", seasons.first(), seasons.cycles()), domain),
      seasons_(seasons),
      horizon_(horizon),
      slow_rate_(kSlowRate / static_cast<float>(seasons.first())) {}

float CalendarProfileExpert::MeanOf(const float* state) const {
  const float* days = state + kMeans;
  float sum = 0;
  int visited = 0;
  for (size_t p = 0; p < parts(); ++p) {
    if (days[p] < 0) continue;
    sum += days[p];
    ++visited;
  }
  return visited > 0 ? sum / static_cast<float>(visited) : 0;
}

float CalendarProfileExpert::SeasonalMean(const float* state, float mean, size_t phase) const {
  const float* days = state + kMeans;
  const float* weeks = days + parts();
  const float days_seen = state[kSeen] / static_cast<float>(seasons_.first());
  const float n = std::min(days_seen, 1 / kDayRate);
  const auto of_day = [&](size_t part) {
    return days[part] < 0 ? mean : (n * days[part] + kDayPrior * mean) / (n + kDayPrior);
  };
  const float m = std::min(days_seen / static_cast<float>(seasons_.cycles()), 1 / kWeekRate);
  // The day as a whole, by the parts of it that were visited.
  const size_t cycle = phase / static_cast<size_t>(seasons_.first()) * parts();
  float sold = 0, expected = 0;
  for (size_t p = 0; p < parts(); ++p) {
    if (weeks[cycle + p] < 0) continue;
    sold += weeks[cycle + p];
    expected += days[p];
  }
  const float drawn = kCyclePrior * mean;
  const float ratio = m * expected + drawn > 0 ? (m * sold + drawn) / (m * expected + drawn) : 1;
  const size_t part = seasons_.PartOf(phase);
  const float drawn_to = of_day(part) * ratio;
  if (weeks[cycle + part] < 0) return drawn_to;
  const float counts = mean * static_cast<float>(seasons_.first()) / static_cast<float>(seasons_.parts());
  const float prior = kWeekPrior + kWeekCounts / (counts + .1F);
  return (m * weeks[cycle + part] + prior * drawn_to) / (m + prior);
}

void CalendarProfileExpert::StartPooled(std::span<double> pooled) const {
  PointExpert::StartPooled(pooled);
  std::fill(pooled.begin() + static_cast<ptrdiff_t>(PointExpert::pooled_size()), pooled.end(), 0.0);
}

void CalendarProfileExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  if (block.calendar == nullptr) return;
  const size_t phase = seasons_.PhaseOf(block.calendar->now);
  const float share = static_cast<float>(seasons_.parts()) / static_cast<float>(seasons_.first());  // of a visit
  for (size_t i = 0; i < block.series; ++i) {
    const float actual = block.actual[i];
    if (!std::isfinite(actual)) continue;
    float* state = states.data() + i * state_floats();
    float* days = state + kMeans;
    float* weeks = days + parts();
    const float seen = state[kSeen];
    if (seen == 0) std::fill(days, state + state_floats(), -1.0F);
    const float expected = seen > 0 ? SeasonalMean(state, MeanOf(state), phase) : actual;
    const float slow = std::max(slow_rate_, 1 / (seen + 1));
    state[0] += kFastRate * (actual - state[0]);
    state[1] += kFastRate * (expected - state[1]);
    state[2] += slow * (actual - state[2]);
    state[3] += slow * (expected - state[3]);
    const auto learn = [&](float* mean, float rate, float updates) {
      *mean = *mean < 0 ? actual : *mean + std::max(rate * share, 1 / (updates + 1)) * (actual - *mean);
    };
    learn(days + seasons_.PartOf(phase), kDayRate, seen / static_cast<float>(parts()));
    learn(weeks + seasons_.LongPartOf(phase), kWeekRate, seen / static_cast<float>(seasons_.long_parts()));
    state[kSeen] = std::min(seen + 1, kSeenMax);
  }
}

void CalendarProfileExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                                      std::span<float> summaries) const {
  for (size_t i = 0; i < block.series; ++i) {
    const float* state = states.data() + i * state_floats();
    float* out = summaries.data() + i * summary_floats();
    if (block.calendar == nullptr || state[kSeen] < 2 * static_cast<float>(seasons_.first())) {
      std::fill_n(out, summary_floats(), 0.0F);
      continue;
    }
    const float scale = block.scale[i];
    const float drawn = kLevelPrior * scale;
    const float slow = (state[2] + drawn) / (state[3] + drawn);
    const float fast = (state[0] + drawn) / (state[1] + drawn);
    const float mean = MeanOf(state);
    out[0] = slow * mean / scale;
    out[1] = std::clamp(fast / slow - 1, -1.0F, kDepartureMax);
    const std::vector<CalendarStep>& ahead = block.calendar->ahead;
    for (int h = 0; h < horizon_; ++h) {
      // 0 is the calendar's newest bucket: an explained origin may be the one before it.
      const int64_t at = block.index + 1 + h - block.calendar->now.index;
      const CalendarStep& step =
          at <= 0 ? block.calendar->now : ahead[std::min(static_cast<size_t>(at), ahead.size()) - 1];
      out[kForecasts + static_cast<size_t>(h)] = slow * SeasonalMean(state, mean, seasons_.PhaseOf(step)) / scale;
    }
  }
}

float CalendarProfileExpert::Kept(std::span<const double> pooled, const ForecastTarget& target) const {
  const double* sums = pooled.data() + PointExpert::pooled_size();
  const auto at = [&](size_t knot) {
    return std::clamp(sums[2 * knot] / (sums[2 * knot + 1] + kPriorDepartures), 0.0, 1.0);
  };
  const double here = at(target.knot.below);
  if (target.knot.share <= 0) return static_cast<float>(here);
  return static_cast<float>(here + static_cast<double>(target.knot.share) * (at(target.knot.below + 1) - here));
}

PointExpert::Point CalendarProfileExpert::PointOf(const ExpertBlock&, size_t, const ForecastTarget& target, float scale,
                                                  const float* summary, std::span<const double> pooled) const {
  if (summary[0] <= 0) return {};
  const float value =
      scale * summary[kForecasts - 1 + static_cast<size_t>(target.horizon)] * (1 + Kept(pooled, target) * summary[1]);
  const float unit = domain() == ValueDomain::kCount ? 1 : kAmountUnit * scale;
  const float variance = value * (unit + kExtraVariance * value);
  return {value, std::max(std::sqrt(variance), kSpreadLeast * scale), true};
}

void CalendarProfileExpert::Gather(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
                                   std::span<const uint8_t> rows, std::span<const float> summaries,
                                   std::span<const double> pooled, std::span<double> sums) const {
  PointExpert::Gather(block, target, scale, rows, summaries, pooled, sums);
  double* departures = sums.data() + PointExpert::sums_size() + 2 * target.knot.below;
  for (size_t i = 0; i < block.series; ++i) {
    const float* summary = summaries.data() + i * summary_floats();
    if (rows[i] == 0 || summary[0] <= 0) continue;
    const auto base = static_cast<double>(scale[i] * summary[kForecasts - 1 + static_cast<size_t>(target.horizon)]);
    if (!(base > 0)) continue;
    const double error = std::min(static_cast<double>(block.actual[i]) / base - 1, kErrorMax);
    const double weight = base / (base + 1);  // small counts are noise
    const auto departure = static_cast<double>(summary[1]);
    departures[0] += weight * departure * error;
    departures[1] += weight * departure * departure;
  }
}

void CalendarProfileExpert::Fold(std::span<const double> sums, std::span<double> pooled) const {
  PointExpert::Fold(sums, pooled);
  const std::span<const double> departures = sums.subspan(PointExpert::sums_size());
  double* kept = pooled.data() + PointExpert::pooled_size();
  for (size_t k = 0; k < departures.size(); k += 2) {
    if (departures[k + 1] <= 0) continue;
    kept[k] = kForget * kept[k] + departures[k];
    kept[k + 1] = kForget * kept[k + 1] + departures[k + 1];
  }
}

void CalendarProfileExpert::Explain(const OneForecast& one, ForecastSteps* steps) const {
  const float* summary = one.summary.data();
  steps->present = summary[0] * one.block.scale[0] * (1 + Kept(one.pooled, one.target) * summary[1]);
  steps->seasonal = one.mean;
}

}  // namespace tidecast
