#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "models/expert.h"

namespace tidecast {

/// One expert over a few series, driven as the forecaster drives it.
struct Driven {
  explicit Driven(const Expert& e)
      : expert(e),
        pooled(e.pooled_size()),
        states(kSeries * e.state_floats()),
        summaries(kSeries * e.summary_floats()) {
    e.StartPooled(pooled);
    history.assign(kSeries * kHistory, std::numeric_limits<float>::quiet_NaN());
    actual.resize(kSeries);
  }
  static constexpr size_t kSeries = 3;
  ExpertBlock Block(int64_t index) {
    for (int64_t age = 0; age < kHistory; ++age) ages[HistorySlot(index - age)] = static_cast<float>(age);
    ExpertBlock block{kSeries, index, actual, history, scale, demand_class, observed, inverse, ages, prior, launch};
    calendar = {StepAt(index), {}};
    for (int h = 1; h <= horizon; ++h) calendar.ahead.push_back(StepAt(index + h));
    block.calendar = &calendar;
    return block;
  }
  CalendarStep StepAt(int64_t index) const {
    CalendarStep step;
    step.index = index;
    for (const int season : seasons) step.season_phase.push_back(static_cast<int32_t>(index % season));
    return step;
  }
  void Step(int64_t index, const std::vector<float>& values) {
    actual = values;
    for (size_t i = 0; i < kSeries; ++i) {
      history[i * kHistory + HistorySlot(index)] = values[i];
      observed[i] += std::isfinite(values[i]) ? 1 : 0;
    }
    expert.Step(Block(index), states, pooled);
    std::vector<double> sums(expert.sums_size());
    expert.GatherStates(Block(index), states, sums);
    if (own_pool) expert.Fold(sums, pooled);
    last = index;
  }
  struct Answer {
    std::vector<float> quantiles, mean, zero;
    std::vector<uint8_t> awake;
    bool operator==(const Answer&) const = default;
  };
  Answer Forecast(int horizon) {
    const ExpertBlock block = Block(last);
    expert.Summarise(block, states, pooled, summaries);
    Answer a{std::vector<float>(kSeries * kLevelCount), std::vector<float>(kSeries), std::vector<float>(kSeries),
             std::vector<uint8_t>(kSeries)};
    const std::vector<uint8_t> rows(kSeries, 1);
    expert.Expand(block, {last, horizon, 0, 1.3F}, scale, rows, summaries, pooled,
                  {a.quantiles, a.mean, a.zero, a.awake});
    return a;
  }
  /// Of the forecast of one series that Forecast(horizon) gave. `as_others`: as an expert says that has no way of its
  /// own.
  float PresentLevel(size_t series, int horizon, float level, const Answer& answer, bool as_others = false) {
    const ExpertBlock all = Block(last);
    ExpertBlock one = all;
    one.series = 1;
    one.actual = all.actual.subspan(series, 1);
    one.history = all.history.subspan(series * kHistory, kHistory);
    one.scale = all.scale.subspan(series, 1);
    one.demand_class = all.demand_class.subspan(series, 1);
    one.observed = all.observed.subspan(series, 1);
    one.prior_mean = all.prior_mean.subspan(series, 1);
    one.launch = all.launch.subspan(series, 1);
    const ForecastTarget target{last, horizon, 0, 1.3F};
    const size_t floats = expert.state_floats(), width = expert.summary_floats();
    const OneForecast forecast{one,
                               target,
                               std::span<const float>(states).subspan(series * floats, floats),
                               std::span<const float>(summaries).subspan(series * width, width),
                               pooled,
                               level,
                               answer.mean[series]};
    return as_others ? expert.Expert::PresentLevel(forecast) : expert.PresentLevel(forecast);
  }
  const Expert& expert;
  std::vector<int> seasons = {24, 168};
  int horizon = 14;
  BucketContext calendar;
  std::vector<double> pooled;
  std::vector<float> states, summaries, history, actual;
  std::vector<float> scale = {1, 4, 50}, inverse = std::vector<float>(kHistory, .9F),
                     ages = std::vector<float>(kHistory);
  std::vector<uint8_t> demand_class = {2, 1, 0};
  std::vector<uint32_t> observed = {0, 0, 0};
  std::vector<float> prior = std::vector<float>(kSeries, 3);
  std::vector<uint8_t> launch = {1, 2,
                                 3};  ///< new series of three ages, however old they are: only experts of launches look
  int64_t last = 0;
  bool own_pool = false;  ///< fold what the states give: then series meet in the pool
};

/// A linear congruential generator: the same numbers in [0, 1) in other languages.
class Noise {
 public:
  double Next() {
    random_ = (random_ * 1103515245 + 12345) % 2147483648;
    return static_cast<double>(random_) / 2147483648;
  }

 private:
  uint64_t random_ = 1;
};

/// y(t) = .6 y(t-1) - .3 y(t-2) + noise.
class Autoregression {
 public:
  float Next() {
    const double value = .6 * one_ - .3 * two_ + noise_.Next() - .5;
    two_ = one_;
    one_ = value;
    return static_cast<float>(value);
  }

 private:
  Noise noise_;
  double one_ = 0, two_ = 0;
};

}  // namespace tidecast
