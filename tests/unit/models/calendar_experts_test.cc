#include "models/calendar_experts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/unit/models/driven_expert.h"

namespace tidecast {
namespace {

/// Hours 8 to 19 sell 40 a bucket, others 10; half of that on the sixth day, nothing on the seventh.
float Demand(int64_t hour) {
  const int64_t day = hour / 24 % 7;
  return (hour % 24 >= 8 && hour % 24 < 20 ? 40.0F : 10.0F) * (day == 5 ? .5F : day == 6 ? 0.0F : 1.0F);
}

TEST(NestedSeasonsTest, AreThoseOfWhichTheLongerOneIsAFewOfTheShorter) {
  EXPECT_EQ(NestedSeasons({24, 168}).cycles(), 7);
  EXPECT_EQ(NestedSeasons({10, 50}).cycles(), 5);
  EXPECT_EQ(NestedSeasons({7}).cycles(), 1);
  EXPECT_EQ(NestedSeasons({}).phases(), 1U);
  EXPECT_EQ(NestedSeasons({60, 3600}).cycles(), 1) << "an hour of minutes of seconds: too many";
  EXPECT_EQ(NestedSeasons({24, 100}).cycles(), 1) << "no whole number of days";
  EXPECT_EQ(NestedSeasons({1, 7}).cycles(), 1);
}

TEST(NestedSeasonsTest, PartsAreSeveralPhasesLongWhereThereAreManyPhases) {
  const NestedSeasons minutes({288, 2016});
  EXPECT_EQ(minutes.parts(), 24);
  EXPECT_EQ(minutes.long_parts(), 168U);
  EXPECT_EQ(minutes.PartOf(11), 0U);
  EXPECT_EQ(minutes.PartOf(12), 1U);
  EXPECT_EQ(minutes.LongPartOf(288 + 12), 25U);
  EXPECT_EQ(minutes.LongPartOf(2015), 167U);
  const NestedSeasons open({10, 50});
  EXPECT_EQ(open.PartOf(17), 7U);
  EXPECT_EQ(open.LongPartOf(17), 17U);
  CalendarStep step;
  step.season_phase = {7, 27};
  EXPECT_EQ(open.PhaseOf(step), 27U);
  EXPECT_EQ(NestedSeasons({10}).PhaseOf(step), 7U);
  step.season_phase = {3, 27};
  EXPECT_EQ(open.PhaseOf(step), 23U) << "the first season's own clock";
  step.season_phase = {3};
  EXPECT_EQ(open.PhaseOf(step), 3U) << "the longer one is not told";
  step.season_phase = {};
  EXPECT_EQ(open.PhaseOf(step), 0U);
}

TEST(CalendarProfileExpertTest, KnowsHoursAndDaysLongGone) {
  const CalendarProfileExpert expert(ValueDomain::kCount, NestedSeasons({24, 168}), 168);
  Driven driven(expert);
  driven.horizon = 168;
  for (int64_t t = 0; t < 8 * 168; ++t) driven.Step(t, {Demand(t), 10 * Demand(t), Demand(t + 1)});
  for (const int h : {1, 30, 100, 125, 150, 168}) {
    const Driven::Answer a = driven.Forecast(h);
    const float value = Demand(8 * 168 - 1 + h);
    EXPECT_NEAR(a.mean[1], 10 * value, 10 + value) << h;
    EXPECT_NEAR(a.mean[2], Demand(8 * 168 + h), 3) << h;
  }
}

TEST(CalendarProfileExpertTest, OfFiveMinutesWhereADayIsLongerThanTheHistory) {
  const CalendarProfileExpert expert(ValueDomain::kCount, NestedSeasons({288, 2016}), 12);
  Driven driven(expert);
  driven.seasons = {288, 2016};
  driven.horizon = 12;
  const int64_t end = 3 * 2016 + 288 + 20 * 12 - 6;  // half an hour before the shop closes on a Tuesday
  for (int64_t t = 0; t < end; ++t) driven.Step(t, {Demand(t / 12), Demand(t / 12), Demand(t / 12)});
  EXPECT_NEAR(driven.Forecast(3).mean[0], 40, 4);
  EXPECT_NEAR(driven.Forecast(12).mean[0], 10, 3) << "the shop closes";
}

TEST(CalendarProfileExpertTest, InTheFirstWeekADayIsLikeTheOthers) {
  const CalendarProfileExpert expert(ValueDomain::kCount, NestedSeasons({24, 168}), 24);
  Driven driven(expert);
  driven.horizon = 24;
  for (int64_t t = 0; t < 47; ++t) driven.Step(t, {Demand(t), Demand(t), Demand(t)});
  EXPECT_EQ(driven.Forecast(1).awake[0], 0) << "two days were not seen";
  driven.Step(47, {Demand(47), Demand(47), Demand(47)});
  EXPECT_EQ(driven.Forecast(1).awake[0], 1);
  // Its parts are drawn to the mean of all, 25, by half; the newest values stood lower than what was said of them.
  EXPECT_NEAR(driven.Forecast(10).mean[0] / driven.Forecast(3).mean[0], (2 * 40 + 25.0F) / (2 * 10 + 25.0F), .2);
  EXPECT_NEAR(driven.Forecast(10).mean[0], 37, 5);
}

TEST(CalendarProfileExpertTest, LittleIsDrawnToTheDayMoreThanMuch) {
  const CalendarProfileExpert expert(ValueDomain::kCount, NestedSeasons({24, 168}), 24);
  Driven driven(expert);
  driven.horizon = 24;
  const auto peak = [](int64_t t) { return t % 168 == 12 ? 5.0F : 1.0F; };  // Mondays at noon
  for (int64_t t = 0; t < 10 * 168; ++t) driven.Step(t, {peak(t) / 4, 4 * peak(t), 100 * peak(t)});
  const Driven::Answer a = driven.Forecast(13);
  EXPECT_LT(a.mean[0] / .25F, 3.5F);
  EXPECT_GT(a.mean[1] / 4, a.mean[0] / .25F + .5F);
  EXPECT_GT(a.mean[2] / 100, 4.6F);
}

TEST(CalendarProfileExpertTest, BandsAreAsWideAsCountsVary) {
  const CalendarProfileExpert expert(ValueDomain::kCount, NestedSeasons({24, 168}), 24);
  const CalendarProfileExpert of_amounts(ValueDomain::kNonNegative, NestedSeasons({24, 168}), 24);
  for (const CalendarProfileExpert* one : {&expert, &of_amounts}) {
    Driven driven(*one);
    driven.horizon = 24;
    driven.scale = {25, 25, 25};
    for (int64_t t = 0; t < 8 * 168; ++t) driven.Step(t, {Demand(t), Demand(t), Demand(t)});
    const auto width = [&](int h) {
      const Driven::Answer a = driven.Forecast(h);
      return a.quantiles[10] - a.mean[0];
    };
    // 40 and 10: the root of 4, a little more for what varies beyond that.
    EXPECT_NEAR(width(10) / width(3), 2.2, .2);
  }
}

TEST(CalendarProfileExpertTest, ThePoolLearnsHowLongADepartureLasts) {
  const CalendarProfileExpert expert(ValueDomain::kCount, NestedSeasons({24, 168}), 24);
  Driven driven(expert);
  driven.horizon = 24;
  int64_t t = 0;
  for (; t < 6 * 168; ++t) driven.Step(t, {10, 10, 10});
  for (; t < 6 * 168 + 6; ++t) driven.Step(t, {20, 20, 20});
  const float before = driven.Forecast(1).mean[0];
  EXPECT_LT(before, 12) << "nothing is known of departures yet";
  // What came one bucket later stayed, and was gone at the next learned horizon.
  const std::vector<float> scale = driven.scale;
  const std::vector<uint8_t> rows(Driven::kSeries, 1);
  for (int round = 0; round < 50; ++round) {
    std::vector<double> sums(expert.sums_size());
    for (const size_t knot : {0U, 1U}) {
      ForecastTarget target{t - 1, knot == 0 ? 1 : 12, knot, 1, {}};
      target.knot = {knot, 0};
      driven.Forecast(1);
      const float came = knot == 0 ? 20 : 10;
      driven.actual = {came, came, came};
      expert.Gather(driven.Block(t - 1), target, scale, rows, driven.summaries, driven.pooled, sums);
    }
    expert.Fold(sums, driven.pooled);
  }
  const auto at = [&](int horizon, HorizonKnot knot) {
    std::vector<float> q(Driven::kSeries * kLevelCount), mean(Driven::kSeries), zero(Driven::kSeries);
    std::vector<uint8_t> awake(Driven::kSeries);
    ForecastTarget target{t - 1, horizon, 0, 1, {}};
    target.knot = knot;
    expert.Expand(driven.Block(t - 1), target, scale, rows, driven.summaries, driven.pooled, {q, mean, zero, awake});
    return mean[0];
  };
  EXPECT_GT(at(1, {0, 0}), 17);
  EXPECT_LT(at(12, {1, 0}), 12);
  EXPECT_NEAR(at(6, {0, .5F}), (at(1, {0, 0}) + at(12, {1, 0})) / 2, .5) << "drawn straight between";
}

TEST(CalendarExpertsTest, WithoutACalendarAreAsleep) {
  const CalendarProfileExpert expert(ValueDomain::kCount, NestedSeasons({24, 168}), 4);
  Driven driven(expert);
  driven.horizon = 4;
  for (int64_t t = 0; t < 100; ++t) driven.Step(t, {1, 2, 3});
  ExpertBlock block = driven.Block(99);
  block.calendar = nullptr;
  expert.Summarise(block, driven.states, driven.pooled, driven.summaries);
  for (const float number : driven.summaries) EXPECT_EQ(number, 0);
}

TEST(CalendarOffsetExpertTest, KnowsHoursAndDaysOfWhatLiesAnywhere) {
  const CalendarOffsetExpert expert(NestedSeasons({24, 168}), 168);
  Driven driven(expert);
  driven.horizon = 168;
  const auto value = [](int64_t t) { return Demand(t) / 10 - 50; };
  for (int64_t t = 0; t < 10 * 168; ++t) driven.Step(t, {value(t), 10 * value(t), value(t + 1) + 1000});
  for (const int h : {1, 30, 100, 125, 150, 168}) {
    const Driven::Answer a = driven.Forecast(h);
    EXPECT_NEAR(a.mean[0], value(10 * 168 - 1 + h), .4) << h;
    EXPECT_NEAR(a.mean[2], value(10 * 168 + h) + 1000, .4) << h;
  }
}

TEST(CalendarExpertsTest, AreMadeWhereThereIsALongerSeasonAndTheHorizonIsNotTooLong) {
  const auto has = [](ValueDomain domain, std::vector<int> seasons, int horizon, std::string_view name) {
    const auto pool = MakeExperts({.domain = domain, .season_lengths = std::move(seasons), .horizon = horizon}, {});
    return std::any_of(pool.begin(), pool.end(), [name](const auto& expert) { return expert->name() == name; });
  };
  for (const ValueDomain domain : {ValueDomain::kCount, ValueDomain::kNonNegative, ValueDomain::kReal}) {
    EXPECT_TRUE(has(domain, {24, 168}, 144, "profile_24x7"));
    EXPECT_FALSE(has(domain, {24, 168}, 145, "profile_24x7"));
    EXPECT_TRUE(has(domain, {24, 168}, 145, "profile_24"));
    EXPECT_FALSE(has(domain, {7}, 14, "profile_7x1"));
  }
  EXPECT_FALSE(has(ValueDomain::kCount, {24, 168}, 24, "profile_24"));
}

TEST(CalendarProfileExpertTest, AmountsAreForecastAlikeInAnyUnit) {
  const CalendarProfileExpert expert(ValueDomain::kNonNegative, NestedSeasons({24, 168}), 24);
  Driven driven(expert);
  driven.horizon = 24;
  driven.scale = {25, 25e-3F, 25e18F};
  for (int64_t t = 0; t < 5 * 168; ++t) {
    const float sold = Demand(t) + static_cast<float>(t * t % 13);
    driven.Step(t, {sold, sold * 1e-3F, sold * 1e18F});
  }
  const Driven::Answer a = driven.Forecast(9);
  for (size_t l = 0; l < kLevelCount; ++l) {
    EXPECT_NEAR(a.quantiles[kLevelCount + l] * 1e3F, a.quantiles[l], .01F);
    EXPECT_NEAR(a.quantiles[2 * kLevelCount + l] / 1e18F, a.quantiles[l], .01F);
  }
}

}  // namespace
}  // namespace tidecast
