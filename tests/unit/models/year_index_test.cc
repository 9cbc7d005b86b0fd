#include "models/year_index.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr int64_t kFirst = 15000;  ///< days since 1970

/// The pool of a shop, day after day: `sold` of a day, in units of the mean day.
class Years {
 public:
  explicit Years(int horizon) : plan_(horizon), pooled_(YearIndex::pooled_size()) {}
  void Day(double sold, int series = 50) {
    std::vector<double> sums(YearIndex::sums_size());
    const double after = .96 * scale_ + .04 * sold;
    for (int s = 0; s < series; ++s) {
      YearIndex::Gather(static_cast<float>(sold), static_cast<float>(scale_), static_cast<float>(after), sums);
    }
    YearIndex::Fold(1, day_, day_ - kFirst, 1, plan_, sums, pooled_);
    scale_ = after;
    ++day_;
  }
  /// What a forecast of that many days ahead is multiplied by.
  float Factor(int horizon) const {
    return YearIndex::Factor(pooled_, 1, day_ - 1, day_ - 1 + horizon, plan_.KnotOf(horizon));
  }
  int64_t days() const { return day_ - kFirst; }
  std::vector<double>& pooled() { return pooled_; }

 private:
  HorizonPlan plan_;
  std::vector<double> pooled_;
  int64_t day_ = kFirst;
  double scale_ = 1;
};

double Christmas(int64_t day) { return day % 364 >= 343 ? 2.5 : 1; }

TEST(YearIndexTest, WhatLastYearRoseByIsExpectedOnceItHasBeenWorthIt) {
  Years years(14);
  while (years.days() < 364 + 343 - 7) {
    EXPECT_TRUE(years.days() > 364 || years.Factor(14) == 1) << "the first year knows nothing";
    years.Day(Christmas(years.days()));
  }
  EXPECT_NEAR(years.Factor(1), 1, .05);
  EXPECT_NEAR(years.Factor(14), 1.29, .08) << "nothing was confirmed yet: a little is believed";
  while (years.days() < 2 * 364 + 343 - 7) years.Day(Christmas(years.days()));
  EXPECT_NEAR(years.Factor(14), 2.5, .35);
  EXPECT_NEAR(years.Factor(1), 1, .05);
}

TEST(YearIndexTest, YearsThatDoNotRepeatAreWorthNothing) {
  Years years(14);
  while (years.days() < 3 * 364 - 28) {
    const int64_t year = years.days() / 364;
    years.Day(
        1 + .6 * std::sin(static_cast<double>(years.days() % 364) / 364 * 6.283 * 4 + 2.1 * static_cast<double>(year)));
  }
  EXPECT_NEAR(years.Factor(14), 1, .12);
}

TEST(YearIndexTest, AShopThatGrowsIsNotTakenForAYear) {
  Years years(14);
  while (years.days() < 3 * 364) years.Day(std::exp(static_cast<double>(years.days()) / 364));
  EXPECT_NEAR(years.Factor(14), std::exp(18.0 / 364), .05) << "as fast as last year, from where levels stand";
}

// Of series that sell now and then the mean of a ratio is above 1 without any rise.
TEST(YearIndexTest, NoiseDoesNotLiftTheChain) {
  const HorizonPlan plan(14);
  std::vector<double> pooled(YearIndex::pooled_size());
  constexpr size_t kSeries = 60;
  std::vector<double> scales(kSeries, 1);
  for (int64_t t = 0; t < 3 * 364; ++t) {
    std::vector<double> sums(YearIndex::sums_size());
    for (size_t s = 0; s < kSeries; ++s) {
      const double sold = UniformAt(31, s, t) < .1 ? 10 : 0;
      const double after = std::max(.2, .96 * scales[s] + .04 * sold);
      YearIndex::Gather(static_cast<float>(sold), static_cast<float>(scales[s]), static_cast<float>(after), sums);
      scales[s] = after;
    }
    YearIndex::Fold(1, kFirst + t, t, 1, plan, sums, pooled);
  }
  const int64_t origin = kFirst + 3 * 364 - 1;
  EXPECT_NEAR(YearIndex::Factor(pooled, 1, origin, origin + 1, plan.KnotOf(1)), 1, .05);
  EXPECT_NEAR(YearIndex::Factor(pooled, 1, origin, origin + 14, plan.KnotOf(14)), 1, .05);
}

TEST(YearIndexTest, WeeksHaveTheirYearToo) {
  const HorizonPlan plan(4);
  std::vector<double> pooled(YearIndex::pooled_size());
  double scale = 1;
  for (int64_t week = 0; week < 3 * 52 - 4; ++week) {
    std::vector<double> sums(YearIndex::sums_size());
    const double sold = week % 52 >= 48 ? 2 : 1, after = .96 * scale + .04 * sold;
    for (int s = 0; s < 50; ++s) {
      YearIndex::Gather(static_cast<float>(sold), static_cast<float>(scale), static_cast<float>(after), sums);
    }
    YearIndex::Fold(7, kFirst + 7 * week, week, 1, plan, sums, pooled);
    scale = after;
    if (week == 52 + 47) {
      EXPECT_NEAR(YearIndex::Factor(pooled, 7, kFirst + 7 * week, kFirst + 7 * (week + 2), plan.KnotOf(2)), 1.2, .1)
          << "one year is believed a little";
    }
  }
  const int64_t last = kFirst + 7 * (3 * 52 - 5);
  EXPECT_NEAR(YearIndex::Factor(pooled, 7, last, last + 7, plan.KnotOf(1)), 1.9, .15);
  EXPECT_NEAR(YearIndex::Factor(pooled, 7, last, last + 28, plan.KnotOf(4)), 1.9, .2);
  EXPECT_NEAR(YearIndex::Factor(pooled, 7, last - 70, last - 49, plan.KnotOf(3)), 1, .1);
}

// The level that a rise is told from reaches back as many weeks as it would days.
TEST(YearIndexTest, ThreeGoodWeeksAreNotYetTheLevelThatLastYearFellFrom) {
  const HorizonPlan plan(4);
  std::vector<double> pooled(YearIndex::pooled_size());
  double scale = 1;
  for (int64_t week = 0; week < 2 * 52 + 31; ++week) {
    std::vector<double> sums(YearIndex::sums_size());
    const double sold = week % 52 >= 28 && week % 52 < 31 ? 2 : 1, after = .96 * scale + .04 * sold;
    for (int s = 0; s < 50; ++s) {
      YearIndex::Gather(static_cast<float>(sold), static_cast<float>(scale), static_cast<float>(after), sums);
    }
    YearIndex::Fold(7, kFirst + 7 * week, week, 1, plan, sums, pooled);
    scale = after;
  }
  const int64_t last = kFirst + 7 * (2 * 52 + 30);
  EXPECT_NEAR(YearIndex::Factor(pooled, 7, last, last + 7, plan.KnotOf(1)), std::exp(-.29 * std::log(2)), .06);
}

TEST(YearIndexTest, AForgottenBucketHasNoDay) {
  Years years(14);
  for (int t = 0; t < 20; ++t) years.Day(1);
  YearIndex::Forget(12, years.pooled());
  EXPECT_EQ(YearIndex::DayOfBucket(years.pooled(), 12), std::nullopt);
  EXPECT_EQ(YearIndex::DayOfBucket(years.pooled(), 13), kFirst + 13);
}

TEST(YearIndexTest, ClosedDaysAreLeftOut) {
  Years years(7);
  while (years.days() < 2 * 364 + 343 - 5) {
    years.Day(Christmas(years.days()), years.days() % 7 == 6 ? 0 : 50);
  }
  EXPECT_GT(years.Factor(7), 1.4);
}

TEST(YearIndexTest, NothingBeyondAYearAndNothingThatHasNotCome) {
  Years years(14);
  for (int t = 0; t < 800; ++t) years.Day(Christmas(t));
  const std::vector<double>& pooled = years.pooled();
  const int64_t origin = kFirst + 799;
  EXPECT_EQ(YearIndex::Factor(pooled, 1, origin, origin + 364 - 2, {0, 0}), 1) << "half a week of last year's is ahead";
  EXPECT_EQ(YearIndex::Factor(pooled, 1, origin, origin + 400, {0, 0}), 1);
  // An origin before Christmas, looked at again when Christmas has come: what it did not know counts for nothing.
  EXPECT_EQ(YearIndex::Factor(pooled, 1, kFirst + 705, kFirst + 705 + 365, {0, 0}), 1);
  EXPECT_EQ(YearIndex::Factor(pooled, 1, origin - 500, origin - 490, {0, 0}), 1) << "two years back nothing is kept";
  EXPECT_EQ(YearIndex::DayOfBucket(pooled, 799), origin);
  EXPECT_EQ(YearIndex::DayOfBucket(std::vector<double>(YearIndex::pooled_size()), 3), std::nullopt);
}

CalendarStep At(int64_t seconds) {
  CalendarStep step;
  step.start = EventTime::FromSeconds(seconds);
  return step;
}

TEST(YearIndexTest, OnlyBucketsOfADayHaveADay) {
  const int64_t day = 86400;
  EXPECT_EQ(YearIndex::DayOf(YearIndex::UnitOf({7}), At(100 * day), At(101 * day)), 100);
  EXPECT_EQ(YearIndex::DayOf(YearIndex::UnitOf({5}), At(100 * day), At(115 * day)), 100) << "over a summer break";
  EXPECT_EQ(YearIndex::DayOf(YearIndex::UnitOf({24, 168}), At(100 * day), At(101 * day)), std::nullopt)
      << "hours, a night between them";
  EXPECT_EQ(YearIndex::DayOf(YearIndex::UnitOf({52}), At(100 * day), At(107 * day)), 100) << "weeks";
  EXPECT_EQ(YearIndex::DayOf(YearIndex::UnitOf({52}), At(100 * day), At(103 * day)), std::nullopt) << "no weeks";
  EXPECT_EQ(YearIndex::DayOf(YearIndex::UnitOf({4}), At(100 * day), At(190 * day)), std::nullopt) << "quarters";
  EXPECT_EQ(YearIndex::DayOf(YearIndex::UnitOf({182}), At(100 * day), At(102 * day)), std::nullopt) << "two days each";
  EXPECT_EQ(YearIndex::DayOf(YearIndex::UnitOf({7}), At(100 * day), At(100 * day)), std::nullopt) << "no calendar";
  // Midnights of Auckland in winter and summer, of Honolulu and the Chatham Islands in summer.
  for (const int64_t offset : {12 * 3600, 13 * 3600, -10 * 3600, 13 * 3600 + 2700}) {
    EXPECT_EQ(YearIndex::LocalDay(At(100 * day - offset)), 100) << offset;
    EXPECT_EQ(YearIndex::LocalDay(At(101 * day - offset)), 101) << offset;
  }
  EXPECT_EQ(YearIndex::LocalDay(At(-day)), -1);
}

}  // namespace
}  // namespace tidecast
