#include "models/calendar_profile_expert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace tidecast {
namespace {

float Env(const char* name, float otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<float>(std::atof(text)) : otherwise;
}
const float kDayRate = Env("CP_DAY", .05F);
const float kWeekRate = Env("CP_WEEK", .1F);
const float kDayPrior = Env("CP_DP", 1);
const float kWeekPrior = Env("CP_WP", 1);
const float kWeekCounts = Env("CP_WC", 4);
constexpr int kPartsMax = 24;
constexpr int kCyclesMax = 7;

}  // namespace

bool CalendarProfileExpert::Fits(const PoolShape& shape) {
  if (shape.season_lengths.size() < 2) return false;
  const int day = shape.season_lengths[0];
  const int week = shape.season_lengths[1];
  return day > 1 && week > day && week % day == 0 && week / day <= kCyclesMax;
}

CalendarProfileExpert::CalendarProfileExpert(ValueDomain domain, const PoolShape& shape, float rate)
    : PointExpert(fmt::format("calendar_profile_{}", std::lround(rate * 100)), domain),
      day_(shape.season_lengths[0]),
      cycles_(shape.season_lengths[1] / day_),
      parts_(std::min(day_, kPartsMax)),
      horizon_(shape.horizon),
      rate_(rate) {}

CalendarProfileExpert::Place CalendarProfileExpert::PlaceOf(const CalendarStep& step) const {
  const int week = step.season_phase.size() > 1 ? step.season_phase[1] : 0;
  const int cycle = std::clamp(week / day_, 0, cycles_ - 1);
  const int part = week % day_ * parts_ / day_;
  return {static_cast<size_t>(part), static_cast<size_t>(cycle * parts_ + part)};
}

float CalendarProfileExpert::MeanOf(const float* state, const Place& place) const {
  const float* days = state + kHead;
  const float* weeks = days + parts_;
  const float seen = state[2];
  float mean = 0;
  int visited = 0;
  for (int p = 0; p < parts_; ++p) {
    if (days[p] < 0) continue;
    mean += days[p];
    ++visited;
  }
  if (visited == 0) return 0;
  mean /= static_cast<float>(visited);
  const float n = std::min(seen / static_cast<float>(day_), 1 / kDayRate);
  const float day = days[place.day] < 0 ? mean : (n * days[place.day] + kDayPrior * mean) / (n + kDayPrior);
  if (weeks[place.week] < 0) return day;
  const float m = std::min(seen / static_cast<float>(day_ * cycles_), 1 / kWeekRate);
  const float prior = kWeekPrior + kWeekCounts / (mean * static_cast<float>(day_) / static_cast<float>(parts_) + .1F);
  return (m * weeks[place.week] + prior * day) / (m + prior);
}

void CalendarProfileExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  if (block.calendar == nullptr) return;
  const Place place = PlaceOf(block.calendar->now);
  const float per_visit = static_cast<float>(parts_) / static_cast<float>(day_);
  for (size_t i = 0; i < block.series; ++i) {
    const float actual = block.actual[i];
    if (!std::isfinite(actual)) continue;
    float* state = states.data() + i * state_floats();
    float* days = state + kHead;
    float* weeks = days + parts_;
    if (state[2] == 0) std::fill(days, days + parts_ + parts_ * cycles_, -1.0F);
    const float mean = MeanOf(state, place);
    state[0] += rate_ * (actual - state[0]);
    state[1] += rate_ * ((state[2] > 0 ? mean : actual) - state[1]);
    const auto learn = [&](float* at, float rate, float updates) {
      if (*at < 0) {
        *at = actual;
      } else {
        *at += std::max(rate * per_visit, 1 / (updates + 1)) * (actual - *at);
      }
    };
    learn(days + place.day, kDayRate, state[2] / static_cast<float>(parts_));
    learn(weeks + place.week, kWeekRate, state[2] / static_cast<float>(parts_ * cycles_));
    state[2] = std::min(state[2] + 1, 1e6F);
  }
}

void CalendarProfileExpert::Summarise(const ExpertBlock& block, std::span<const float> states,
                                      std::span<const double>, std::span<float> summaries) const {
  for (size_t i = 0; i < block.series; ++i) {
    const float* state = states.data() + i * state_floats();
    float* out = summaries.data() + i * summary_floats();
    const float scale = block.scale[i];
    if (block.calendar == nullptr || state[2] < 2 * static_cast<float>(day_)) {
      std::fill_n(out, summary_floats(), 0.0F);
      continue;
    }
    out[0] = (state[0] + .1F * scale) / (state[1] + .1F * scale);
    float sum = 0;
    for (int h = 0; h < horizon_; ++h) {
      const int64_t ahead = block.index + h - block.calendar->now.index;  // 0: the bucket behind the calendar's newest
      const auto last = static_cast<int64_t>(block.calendar->ahead.size()) - 1;
      const CalendarStep& step = ahead < 0 ? block.calendar->now : block.calendar->ahead[static_cast<size_t>(std::min(ahead, last))];
      out[2 + h] = MeanOf(state, PlaceOf(step)) / scale;
      sum += out[2 + h];
    }
    out[1] = sum / static_cast<float>(horizon_);
  }
}

PointExpert::Point CalendarProfileExpert::PointOf(const ExpertBlock&, size_t, const ForecastTarget& target, float scale,
                                                  const float* summary) const {
  if (summary[0] <= 0) return {};
  const float value = summary[0] * summary[1 + target.horizon] * scale;
  return {value, std::max(value, .05F * scale), true};
}

void CalendarProfileExpert::Explain(const OneForecast& one, ForecastSteps* steps) const {
  steps->present = one.summary[0] * one.summary[1] * one.block.scale[0];
  steps->seasonal = one.mean;
}

}  // namespace tidecast
