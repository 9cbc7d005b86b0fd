#include "models/calendar_experts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tidecast {
namespace {

constexpr float kDayRate = .05F;   ///< of a part of the day, a visit
constexpr float kWeekRate = .1F;   ///< of a part of the week, a visit
constexpr float kDayPrior = 1;     ///< visits' worth of the mean of all parts in one of the day
constexpr float kWeekPrior = .7F;  ///< weeks' worth of day and part of the day in a part of the week
constexpr float kSlowRate = .1F;   ///< of the slow level, a day
constexpr float kSeenMax = 1e6F;

constexpr double kKeptForget = .995;  ///< a round
constexpr double kKeptPrior = 1;      ///< squares of departures of which nothing is left

constexpr float kCyclePrior = 1;    ///< weeks' worth of the mean day in a day of the week
constexpr float kWeekCounts = 4;    ///< sold in a part of the day: as much as another week's prior
constexpr float kFastRate = .3F;    ///< of the newest values' level, a bucket
constexpr float kLevelPrior = .1F;  ///< scales' worth of a level of 1
constexpr float kProfileMax = 2;    ///< a departure
constexpr double kProfileErrorMax = 3;
constexpr float kExtraVariance = .01F;  ///< of the square of what is expected
constexpr float kAmountUnit = .1F;      ///< in scales, what an amount is counted in
constexpr float kSpreadLeast = .05F;    ///< in scales

constexpr float kOffsetFastRate = .7F;  ///< of the newest departure, a bucket
constexpr double kOffsetErrorMax = 10;  ///< in scales; what is farther off says nothing of departures

std::string NameOf(const NestedSeasons& seasons) {
  return fmt::format("profile_{}x{}", seasons.first(), seasons.cycles());
}

}  // namespace

CalendarExpert::CalendarExpert(ValueDomain domain, const NestedSeasons& seasons, int horizon)
    : PointExpert(NameOf(seasons), domain), seasons_(seasons), horizon_(horizon) {}

void CalendarExpert::StartPooled(std::span<double> pooled) const {
  PointExpert::StartPooled(pooled);
  std::fill(pooled.begin() + static_cast<ptrdiff_t>(PointExpert::pooled_size()), pooled.end(), 0.0);
}

void CalendarExpert::Learn(float actual, float rate, float updates, float* mean) const {
  const float visit = static_cast<float>(seasons_.parts()) / static_cast<float>(seasons_.first());
  *mean += std::max(rate * visit, 1 / (updates + 1)) * (actual - *mean);
}

void CalendarExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  if (block.calendar == nullptr) return;
  const size_t phase = seasons_.PhaseOf(block.calendar->now);
  for (size_t i = 0; i < block.series; ++i) {
    if (!std::isfinite(block.actual[i])) continue;
    float* state = states.data() + i * state_floats();
    StepOne(block.actual[i], phase, state);
    state[kHead] = std::min(state[kHead] + 1, kSeenMax);
  }
}

void CalendarExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                               std::span<float> summaries) const {
  std::fill(summaries.begin(), summaries.end(), 0.0F);
  if (block.calendar == nullptr) return;
  std::vector<size_t> phases;
  for (int h = 0; h < horizon_; ++h) {
    // 0 is the calendar's newest bucket: an explained origin may be the one before it.
    const auto at = static_cast<size_t>(block.index + 1 + h - block.calendar->now.index);
    const std::vector<CalendarStep>& ahead = block.calendar->ahead;
    phases.push_back(seasons_.PhaseOf(at == 0 ? block.calendar->now : ahead[std::min(at, ahead.size()) - 1]));
  }
  for (size_t i = 0; i < block.series; ++i) {
    const float* state = states.data() + i * state_floats();
    if (DaysSeen(state) < 2) continue;
    float* out = summaries.data() + i * summary_floats();
    out[kAwake] = 1;
    SummariseOne(state, block.scale[i], AnchorOf(block, i, block.index), out);
    for (size_t h = 0; h < phases.size(); ++h) out[kForecasts + h] = ForecastOf(state, phases[h], block.scale[i], out);
  }
}

float CalendarExpert::Kept(std::span<const double> pooled, const ForecastTarget& target) const {
  const double* kept = pooled.data() + PointExpert::pooled_size();
  const auto at = [kept](size_t knot) {
    return std::clamp(kept[2 * knot] / (kept[2 * knot + 1] + kKeptPrior), 0.0, 1.0);
  };
  const double here = at(target.knot.below);
  const double share = static_cast<double>(target.knot.share);
  return static_cast<float>(share > 0 ? here + share * (at(target.knot.below + 1) - here) : here);
}

void CalendarExpert::Gather(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
                            std::span<const uint8_t> rows, std::span<const float> summaries,
                            std::span<const double> pooled, std::span<double> sums) const {
  PointExpert::Gather(block, target, scale, rows, summaries, pooled, sums);
  double* kept = sums.data() + PointExpert::sums_size() + 2 * target.knot.below;
  for (size_t i = 0; i < block.series; ++i) {
    const float* summary = summaries.data() + i * summary_floats();
    if (rows[i] == 0 || summary[kAwake] <= 0) continue;
    const Error error = ErrorOf(block, i, target, scale[i], summary);
    const auto departure = static_cast<double>(summary[kDeparture]);
    kept[0] += error.weight * departure * error.value;
    kept[1] += error.weight * departure * departure;
  }
}

void CalendarExpert::Fold(std::span<const double> sums, std::span<double> pooled) const {
  PointExpert::Fold(sums, pooled);
  const double* kept = sums.data() + PointExpert::sums_size();
  double* all = pooled.data() + PointExpert::pooled_size();
  for (size_t k = 0; k < kKept; k += 2) {
    if (kept[k + 1] <= 0) continue;
    for (size_t j = k; j < k + 2; ++j) all[j] = kKeptForget * all[j] + kept[j];
  }
}

CalendarProfileExpert::CalendarProfileExpert(ValueDomain domain, const NestedSeasons& seasons, int horizon)
    : CalendarExpert(domain, seasons, horizon), slow_rate_(kSlowRate / static_cast<float>(seasons.first())) {}

float CalendarProfileExpert::MeanOf(const float* state) const {
  float sum = 0;
  int visited = 0;
  for (size_t p = 0; p < parts(); ++p) {
    if (Days(state)[p] < 0) continue;
    sum += Days(state)[p];
    ++visited;
  }
  return visited > 0 ? sum / static_cast<float>(visited) : 0;
}

float CalendarProfileExpert::SeasonalMean(const float* state, float mean, size_t phase) const {
  const float* days = Days(state);
  const float* weeks = Weeks(state);
  const float n = std::min(DaysSeen(state), 1 / kDayRate);
  const float m = std::min(DaysSeen(state) / static_cast<float>(seasons().cycles()), 1 / kWeekRate);
  const size_t cycle = phase / static_cast<size_t>(seasons().first()) * parts();
  float sold = kCyclePrior * mean, expected = sold;  // of the day as a whole, in the parts that were visited
  for (size_t p = 0; p < parts(); ++p) {
    if (weeks[cycle + p] < 0) continue;
    sold += m * weeks[cycle + p];
    expected += m * days[p];
  }
  const float in_day = days[seasons().PartOf(phase)];
  const float day = in_day < 0 ? mean : (n * in_day + kDayPrior * mean) / (n + kDayPrior);
  const float drawn_to = expected > 0 ? day * (sold / expected) : day;
  const float in_week = weeks[seasons().LongPartOf(phase)];
  if (in_week < 0) return drawn_to;
  const float counts = domain() == ValueDomain::kCount
                           ? mean * static_cast<float>(seasons().first()) / static_cast<float>(seasons().parts())
                           : 1 / kAmountUnit;
  const float prior = kWeekPrior + kWeekCounts / (counts + .1F);
  return (m * in_week + prior * drawn_to) / (m + prior);
}

void CalendarProfileExpert::StepOne(float actual, size_t phase, float* state) const {
  const float seen = Seen(state);
  if (seen == 0) std::fill_n(Days(state), parts() + seasons().long_parts(), -1.0F);
  const float expected = seen > 0 ? SeasonalMean(state, MeanOf(state), phase) : actual;
  const float slow = std::max(slow_rate_, 1 / (seen + 1));
  state[0] += kFastRate * (actual - state[0]);
  state[1] += kFastRate * (expected - state[1]);
  state[2] += slow * (actual - state[2]);
  state[3] += slow * (expected - state[3]);
  const auto learn = [&](float rate, size_t parts_in_all, float* mean) {
    if (*mean < 0) *mean = actual;
    Learn(actual, rate, seen / static_cast<float>(parts_in_all), mean);
  };
  learn(kDayRate, parts(), Days(state) + seasons().PartOf(phase));
  learn(kWeekRate, seasons().long_parts(), Weeks(state) + seasons().LongPartOf(phase));
}

void CalendarProfileExpert::SummariseOne(const float* state, float scale, float, float* out) const {
  const float drawn = kLevelPrior * scale;
  const float slow = (state[2] + drawn) / (state[3] + drawn);
  const float fast = (state[0] + drawn) / (state[1] + drawn);
  out[kDeparture] = std::clamp(fast / slow - 1, -1.0F, kProfileMax);
  out[kLevel] = slow * MeanOf(state) / scale;
}

float CalendarProfileExpert::ForecastOf(const float* state, size_t phase, float, const float* out) const {
  const float mean = MeanOf(state);
  return mean > 0 ? out[kLevel] / mean * SeasonalMean(state, mean, phase) : 0;
}

CalendarExpert::Error CalendarProfileExpert::ErrorOf(const ExpertBlock& block, size_t series,
                                                     const ForecastTarget& target, float scale,
                                                     const float* summary) const {
  const auto expected = static_cast<double>(scale * Forecast(summary, target));
  if (!(expected > 0)) return {0, 0};
  const double error = std::min(static_cast<double>(block.actual[series]) / expected - 1, kProfileErrorMax);
  const auto unit = static_cast<double>(domain() == ValueDomain::kCount ? 1 : kAmountUnit * scale);
  return {error, expected / (expected + unit)};  // small counts are noise
}

PointExpert::Point CalendarProfileExpert::PointOf(const ExpertBlock&, size_t, const ForecastTarget& target, float scale,
                                                  const float* summary, std::span<const double> pooled) const {
  if (summary[kAwake] <= 0) return {};
  const float value = scale * Forecast(summary, target) * (1 + Kept(pooled, target) * summary[kDeparture]);
  const float unit = domain() == ValueDomain::kCount ? 1 : kAmountUnit * scale;
  const float deviation = std::sqrt(value) * std::sqrt(unit + kExtraVariance * value);
  return {value, std::max(deviation, kSpreadLeast * scale), true};
}

float CalendarProfileExpert::PresentLevel(const OneForecast& one) const {
  const float kept = Kept(one.pooled, one.target) * one.summary[kDeparture];
  return one.block.scale[0] * one.summary[kLevel] * (1 + kept);
}

CalendarOffsetExpert::CalendarOffsetExpert(const NestedSeasons& seasons, int horizon)
    : CalendarExpert(ValueDomain::kReal, seasons, horizon),
      slow_rate_(kSlowRate / static_cast<float>(seasons.first())) {}

float CalendarOffsetExpert::OffsetOf(const float* state, size_t phase) const {
  const float n = std::min(DaysSeen(state), 1 / kDayRate);
  const float m = std::min(DaysSeen(state) / static_cast<float>(seasons().cycles()), 1 / kWeekRate);
  const float day = n * Days(state)[seasons().PartOf(phase)] / (n + kDayPrior);
  return (m * Weeks(state)[seasons().LongPartOf(phase)] + kWeekPrior * day) / (m + kWeekPrior);
}

void CalendarOffsetExpert::StepOne(float actual, size_t phase, float* state) const {
  const float seen = Seen(state);
  if (seen == 0) state[0] = actual;
  const float offset = actual - state[0];
  state[1] += kOffsetFastRate * (offset - OffsetOf(state, phase) - state[1]);
  Learn(offset, kDayRate, seen / static_cast<float>(parts()), Days(state) + seasons().PartOf(phase));
  Learn(offset, kWeekRate, seen / static_cast<float>(seasons().long_parts()),
        Weeks(state) + seasons().LongPartOf(phase));
  state[0] += std::max(slow_rate_, 1 / (seen + 1)) * offset;
}

void CalendarOffsetExpert::SummariseOne(const float* state, float scale, float anchor, float* out) const {
  out[kDeparture] = state[1] / scale;
  out[kLevel] = (state[0] - anchor) / scale;
}

float CalendarOffsetExpert::ForecastOf(const float* state, size_t phase, float scale, const float* out) const {
  return out[kLevel] + OffsetOf(state, phase) / scale;
}

CalendarExpert::Error CalendarOffsetExpert::ErrorOf(const ExpertBlock& block, size_t series,
                                                    const ForecastTarget& target, float scale,
                                                    const float* summary) const {
  float anchor = 0;
  if (!NewestAt(block, series, target.origin, &anchor)) return {0, 0};
  const float moved = (block.actual[series] - anchor) / scale;
  const auto error = static_cast<double>(moved - Forecast(summary, target));
  const bool is_wild = std::fabs(error) > kOffsetErrorMax || std::fabs(summary[kDeparture]) > kOffsetErrorMax;
  return {error, is_wild ? 0.0 : 1.0};
}

PointExpert::Point CalendarOffsetExpert::PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target,
                                                 float scale, const float* summary,
                                                 std::span<const double> pooled) const {
  float anchor = 0;
  if (summary[kAwake] <= 0 || !NewestAt(block, series, target.origin, &anchor)) return {};
  const float moved = Forecast(summary, target) + Kept(pooled, target) * summary[kDeparture];
  return {anchor + scale * moved, scale, true};
}

float CalendarOffsetExpert::PresentLevel(const OneForecast& one) const {
  const float moved = one.summary[kLevel] + Kept(one.pooled, one.target) * one.summary[kDeparture];
  return AnchorOf(one.block, 0, one.target.origin) + one.block.scale[0] * moved;
}

}  // namespace tidecast
