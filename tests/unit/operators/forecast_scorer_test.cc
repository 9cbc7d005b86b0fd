#include "operators/forecast_scorer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "engine/core/hash.h"
#include "tests/unit/operators/label_calendar.h"

namespace tidecast {
namespace {

constexpr int kHorizon = 9;  // beyond a week
constexpr int64_t kFirst = 15000;

/// A year of days in which a forecaster publishes noise; keeps what a naive recomputation needs.
class World {
 public:
  explicit World(ForecastScorer::Options options = Defaults()) : options_(options), scorer_(calendar_, options) {}

  static ForecastScorer::Options Defaults() {
    ForecastScorer::Options options;
    options.horizon = kHorizon;
    options.target_feature = 1;
    options.age_buckets_min = 5;
    options.allowed_lateness = std::chrono::hours(48);
    return options;
  }
  static std::string Name(int series) { return "s" + std::to_string(series); }

  void Row(int series, int day, double value, uint32_t revision = 1) {
    const std::vector<double> features = {-1, value};
    ClosedBucket bucket;
    const std::string name = Name(series);
    bucket.series = name;
    bucket.start = LabelCalendar::Day(kFirst + day);
    bucket.end = LabelCalendar::Day(kFirst + day + 1);
    bucket.revision = revision;
    bucket.features = features;
    scorer_.OnBucket(bucket);
    actual_[{series, day}] = value;
  }
  void Forecast(int series, int cutoff, uint32_t age, const std::vector<int>& days) {
    std::vector<float> mean;
    std::vector<float> quantiles;
    std::vector<EventTime> steps;
    for (int day : days) {
      const double centre = 20 * UniformAt(1, static_cast<uint64_t>(series), cutoff * 1000 + day);
      mean.push_back(static_cast<float>(centre + 1));
      for (size_t level = 0; level < kLevelCount; ++level)
        quantiles.push_back(static_cast<float>(centre + 4 * (kLevels[level] - .5)));
      steps.push_back(LabelCalendar::Day(kFirst + day));
      forecasts_[{series, cutoff, day}] = {age, mean.back(), {quantiles.end() - kLevelCount, quantiles.end()}};
    }
    const std::string name = Name(series);
    scorer_.OnForecast({name, mean, quantiles, mean, age}, LabelCalendar::Day(kFirst + cutoff), steps);
  }
  void End(int day) { scorer_.OnBucketEnd(LabelCalendar::Day(kFirst + day + 1)); }

  /// One day: rows, end of bucket, forecasts of the next open days (Sundays are closed: day % 7 == 6).
  void Day(int day, int series_count) {
    if (Closed(day)) return End(day);
    for (int s = 0; s < series_count; ++s) Row(s, day, Value(s, day));
    End(day);
    ForecastAfter(day, series_count);
  }
  void ForecastAfter(int day, int series_count) {
    std::vector<int> days;
    for (int d = day + 1; static_cast<int>(days.size()) < kHorizon; ++d) {
      if (!Closed(d)) days.push_back(d);
    }
    for (int s = 0; s < series_count; ++s) Forecast(s, day, static_cast<uint32_t>(day + 1), days);
  }
  static bool Closed(int day) { return day % 7 == 6; }
  static double Value(int series, int day) { return std::floor(25 * UniformAt(2, static_cast<uint64_t>(series), day)); }

  /// Share of the actual's possible PITs between `tail` and 1 - tail, whole units. A PIT may lie anywhere between the
  /// levels around the actual; where quantiles equal it, from half way before them to half way behind them.
  static double Inside(const std::vector<float>& quantiles, double y, double tail) {
    std::vector<double> below = {0}, equal, above;
    for (size_t l = 0; l < kLevelCount; ++l) {
      const double q = std::round(quantiles[l]);
      (q < y ? below : q > y ? above : equal).push_back(kLevels[l]);
    }
    above.push_back(1);
    double from = below.back(), to = above.front();
    if (!equal.empty()) {
      from = (from + equal.front()) / 2;
      to = (to + equal.back()) / 2;
    }
    return std::max(0.0, std::min(to, 1 - tail) - std::max(from, tail)) / (to - from);
  }

  /// The definition, spelled out over everything that was ever published.
  AccuracyFigures Plain(int horizon_only = 0) const {
    double wql = 0, naive = 0, absolute = 0, median = 0, residual = 0;
    double in50 = 0, in80 = 0, in95 = 0;
    int64_t n = 0;
    std::map<std::pair<int, int>, int> horizon;
    for (const auto& [key, forecast] : forecasts_) {
      const auto& [series, cutoff, day] = key;
      const int h = ++horizon[{series, cutoff}];
      if (horizon_only != 0 && h != horizon_only) continue;
      const auto actual = actual_.find({series, day});
      const auto week = actual_.find({series, day - 7});
      if (forecast.age < options_.age_buckets_min || actual == actual_.end() || week == actual_.end()) continue;
      const double y = actual->second;
      for (size_t level = 2; level <= 10; ++level) {
        const double tau = .1 * static_cast<double>(level - 1);
        const double q = forecast.quantiles[level];
        wql += 2 * (y >= q ? tau * (y - q) : (1 - tau) * (q - y)) / 9;
        naive += 2 * (y >= week->second ? tau * (y - week->second) : (1 - tau) * (week->second - y)) / 9;
      }
      const auto& q = forecast.quantiles;
      absolute += std::abs(y);
      median += std::abs(y - q[6]);
      residual += y - forecast.mean;
      in50 += Inside(q, y, .25);
      in80 += Inside(q, y, .1);
      in95 += Inside(q, y, .025);
      ++n;
    }
    AccuracyFigures figures;
    figures.forecasts = n;
    figures.wql = wql / absolute;
    figures.wql_seasonal_naive = naive / absolute;
    figures.wape = median / absolute;
    figures.bias = residual / absolute;
    figures.coverage_50 = in50 / static_cast<double>(n);
    figures.coverage_80 = in80 / static_cast<double>(n);
    figures.coverage_95 = in95 / static_cast<double>(n);
    return figures;
  }
  ForecastScorer& scorer() { return scorer_; }

 private:
  struct Published {
    uint32_t age = 0;
    float mean = 0;
    std::vector<float> quantiles;
  };
  LabelCalendar calendar_;
  ForecastScorer::Options options_;
  ForecastScorer scorer_;
  std::map<std::pair<int, int>, double> actual_;
  std::map<std::tuple<int, int, int>, Published> forecasts_;
};

void ExpectSame(const AccuracyFigures& a, const AccuracyFigures& b) {
  EXPECT_EQ(a.forecasts, b.forecasts);
  EXPECT_NEAR(a.wql, b.wql, 1e-9);
  EXPECT_NEAR(a.wql_seasonal_naive, b.wql_seasonal_naive, 1e-9);
  EXPECT_NEAR(a.wape, b.wape, 1e-9);
  EXPECT_NEAR(a.bias, b.bias, 1e-9);
  EXPECT_NEAR(a.coverage_50, b.coverage_50, 1e-9);
  EXPECT_NEAR(a.coverage_80, b.coverage_80, 1e-9);
  EXPECT_NEAR(a.coverage_95, b.coverage_95, 1e-9);
}

TEST(ForecastScorerTest, AgreesWithTheDefinitionSpelledOut) {
  World world;
  for (int day = 0; day < 100; ++day) world.Day(day, 4);
  const AccuracyFigures plain = world.Plain();
  ASSERT_GT(plain.forecasts, 1000);
  ExpectSame(world.scorer().Figures(), plain);
  const std::vector<AccuracyFigures> by_horizon = world.scorer().FiguresByHorizon();
  ASSERT_EQ(by_horizon.size(), static_cast<size_t>(kHorizon));
  for (int h = 1; h <= kHorizon; ++h) ExpectSame(by_horizon[static_cast<size_t>(h) - 1], world.Plain(h));
}

TEST(ForecastScorerTest, ForecastsThatComeBehindTheirActualsCountAtEveryHorizon) {
  World world;
  for (int day = 0; day < 60; ++day) {
    for (int s = 0; s < 3 && !World::Closed(day); ++s) world.Row(s, day, World::Value(s, day));
  }
  for (int day = 0; day < 60; ++day) {
    world.End(day);
    if (World::Closed(day)) continue;
    world.ForecastAfter(day, 3);
    world.scorer().Figures();  // as the status asks for them all the time
  }
  ASSERT_GT(world.Plain().forecasts, 500);
  ExpectSame(world.scorer().Figures(), world.Plain());
}

TEST(ForecastScorerTest, APerfectForecastScoresZeroAndCoversAll) {
  LabelCalendar calendar;
  ForecastScorer::Options options;
  options.horizon = 1;
  options.age_buckets_min = 1;
  ForecastScorer scorer(calendar, options);
  const std::vector<double> five = {5};
  for (int day = 0; day <= 8; ++day) {
    ClosedBucket bucket;
    bucket.series = "a";
    bucket.start = LabelCalendar::Day(day);
    bucket.end = LabelCalendar::Day(day + 1);
    bucket.features = five;
    scorer.OnBucket(bucket);
    scorer.OnBucketEnd(bucket.end);
    const std::vector<float> mean = {5};
    const std::vector<float> quantiles(kLevelCount, 5.F);
    const std::vector<EventTime> steps = {LabelCalendar::Day(day + 1)};
    scorer.OnForecast({"a", mean, quantiles, mean, 1}, bucket.start, steps);
  }
  EXPECT_EQ(scorer.Figures().forecasts, 2) << "days 7 and 8 have a value a week earlier";
  EXPECT_EQ(scorer.Figures().wql, 0);
  EXPECT_EQ(scorer.Figures().bias, 0);
  EXPECT_NEAR(scorer.Figures().coverage_50, .5 / (.995 - .0125), 1e-6) << "all levels from .025 to .99 say 5";
}

TEST(ForecastScorerTest, ARevisionReplacesTheScoreOfItsDayAndOfTheWeekAfter) {
  World world;
  for (int day = 0; day < 60; ++day) world.Day(day, 3);
  const AccuracyFigures before = world.scorer().Figures();
  world.Row(1, 58, 400, 2);
  ExpectSame(world.scorer().Figures(), world.Plain());
  EXPECT_GT(world.scorer().Figures().wql, before.wql);
  for (int day = 60; day < 80; ++day) world.Day(day, 3);
  ExpectSame(world.scorer().Figures(), world.Plain());
}

TEST(ForecastScorerTest, ARevisionOnTheLastDayOfItsTimeStillCounts) {
  World world;
  for (int day = 0; day < 60; ++day) world.Day(day, 3);
  world.Row(2, 57, 300, 2);  // day 57 ends at 58; 48 h of lateness end with day 59
  ExpectSame(world.scorer().Figures(), world.Plain());
}

TEST(ForecastScorerTest, ALateRevisionReachesTheWeekAfterThatWasScoredAlready) {
  ForecastScorer::Options options = World::Defaults();
  options.allowed_lateness = std::chrono::hours(12 * 24);
  World world(options);
  for (int day = 0; day < 60; ++day) world.Day(day, 3);
  ExpectSame(world.scorer().Figures(), world.Plain());
  world.Row(1, 50, 400, 2);
  ExpectSame(world.scorer().Figures(), world.Plain());
}

TEST(ForecastScorerTest, RowsMayRunAheadOfTheModel) {
  World world;
  World lagging;
  for (int day = 0; day < 70; ++day) {
    world.Day(day, 3);
    if (!World::Closed(day)) {
      for (int s = 0; s < 3; ++s) lagging.Row(s, day, World::Value(s, day));
    }
    lagging.End(day);
    // The model's rounds come ten at a time.
    if (day % 10 == 9) {
      for (int late = day - 9; late <= day; ++late) {
        if (!World::Closed(late)) lagging.ForecastAfter(late, 3);
      }
    }
  }
  ExpectSame(lagging.scorer().Figures(), world.scorer().Figures());
}

TEST(ForecastScorerTest, WhatComesTwiceCountsOnce) {
  World world;
  for (int day = 0; day < 60; ++day) {
    world.Day(day, 3);
    if (day % 9 == 4 && !World::Closed(day)) {
      for (int s = 0; s < 3; ++s) world.Row(s, day, World::Value(s, day));
      world.ForecastAfter(day, 3);
    }
  }
  ExpectSame(world.scorer().Figures(), world.Plain());
}

TEST(ForecastScorerTest, MemoryHoldsOnlyWhatIsOpen) {
  World world;
  for (int day = 0; day < 50; ++day) world.Day(day, 20);
  const size_t then = world.scorer().memory_bytes();
  for (int day = 50; day < 197; ++day) world.Day(day, 20);  // the same weekday
  EXPECT_LE(world.scorer().memory_bytes(), then + then / 10);
}

TEST(ForecastScorerTest, BeyondItsMemoryItFollowsASampleOfTheSeries) {
  ForecastScorer::Options options = World::Defaults();
  options.memory_bytes_max = 200'000;
  World world(options);
  for (int day = 0; day < 60; ++day) world.Day(day, 400);
  const ForecastScorer& scorer = world.scorer();
  EXPECT_LE(scorer.memory_bytes(), options.memory_bytes_max);
  EXPECT_LT(scorer.sample_share(), 1);
  // Of 400 names the share that is said, give or take what a hash does.
  const double expected = 400 * scorer.sample_share();
  EXPECT_GT(static_cast<double>(scorer.series_followed()), expected / 2);
  EXPECT_LT(static_cast<double>(scorer.series_followed()), expected * 2);
  EXPECT_GT(scorer.Figures().forecasts, 0);
}

TEST(ForecastScorerTest, ASampleIsScoredAsIfTheOthersHadNeverBeen) {
  ForecastScorer::Options options = World::Defaults();
  options.memory_bytes_max = 200'000;
  World all(options);
  for (int day = 0; day < 60; ++day) all.Day(day, 400);
  // The first days end in halvings; who is left from then on is scored in full, so the share of a later stretch is
  // exact.
  const int64_t before = all.scorer().Figures().forecasts;
  for (int day = 60; day < 67; ++day) all.Day(day, 400);
  const int64_t after = all.scorer().Figures().forecasts;
  // Six open days a week, each the last of kHorizon forecasts of every series that is followed.
  EXPECT_EQ(after - before, static_cast<int64_t>(all.scorer().series_followed()) * 6 * kHorizon);
}

TEST(ForecastScorerTest, SaysNothingBeforeThereIsATruth) {
  World world;
  EXPECT_EQ(world.scorer().Figures().forecasts, 0);
  EXPECT_TRUE(std::isnan(world.scorer().Figures().wql));
}

}  // namespace
}  // namespace tidecast
