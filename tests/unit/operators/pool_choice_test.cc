#include "operators/pool_choice.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "engine/core/hash.h"
#include "operators/series_table.h"

namespace tidecast {
namespace {

constexpr size_t kBuckets = 200;
constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

SeriesTable Table(size_t series, std::vector<int> seasons, const auto& value) {
  SeriesTable table;
  table.season_lengths = std::move(seasons);
  table.labels.resize(kBuckets);
  for (size_t s = 0; s < series; ++s) {
    table.names.push_back("s" + std::to_string(s));
    for (size_t t = 0; t < kBuckets; ++t) table.actual.push_back(static_cast<float>(value(s, t)));
  }
  return table;
}
bool Chosen(const SeriesTable& table, ValueDomain domain = ValueDomain::kNonNegative, size_t to = kBuckets,
            int horizon = 48) {
  return AreForecastAsReals(table, domain, horizon, 0, to);
}
const std::vector<int> kHours = {24, 168};

double Load(size_t, size_t t) { return 10.5 + 5 * std::sin(2 * std::numbers::pi * static_cast<double>(t) / 24); }
/// Moves by a share of itself each time.
auto Moving(double share) {
  return [share](size_t, size_t t) { return 100 * (1 + (t % 2 == 0 ? share : -share) / 2); };
}

TEST(PoolChoiceTest, HourlyLoadsAreForecastAsReals) {
  EXPECT_TRUE(Chosen(Table(3, kHours, Load)));
  EXPECT_TRUE(Chosen(Table(3, kHours, Load), ValueDomain::kCount));
  EXPECT_FALSE(Chosen(Table(3, kHours, Load), ValueDomain::kReal)) << "they are reals";
  EXPECT_FALSE(Chosen(Table(3, {7}, Load))) << "by the day";
  EXPECT_FALSE(Chosen(Table(3, {288}, Load))) << "the regressions by the hour do not fit";
}

TEST(PoolChoiceTest, NoMoreThanAShareOfThemselvesIsHowFarLoadsMoveOnTheAverage) {
  EXPECT_TRUE(Chosen(Table(2, kHours, Moving(.149))));
  EXPECT_FALSE(Chosen(Table(2, kHours, Moving(.151))));
  const auto one_wild = [](size_t s, size_t t) { return Moving(s == 0 ? .3 : .09)(s, t); };
  EXPECT_FALSE(Chosen(Table(3, kHours, one_wild)));
  EXPECT_TRUE(Chosen(Table(4, kHours, one_wild))) << "three steady ones outweigh it";
}

TEST(PoolChoiceTest, SmallCountsMoveTooFar) {
  const auto arrivals = [](double mean) {
    return [mean](size_t s, size_t t) {
      double product = 1;
      int count = -1;
      for (uint64_t k = 0; product > std::exp(-mean); ++k) {
        product *= UniformAt(s, t, static_cast<int64_t>(k), 9);
        ++count;
      }
      return count;
    };
  };
  EXPECT_FALSE(Chosen(Table(20, kHours, arrivals(20)), ValueDomain::kCount));
  EXPECT_TRUE(Chosen(Table(20, kHours, arrivals(60)), ValueDomain::kCount));
}

TEST(PoolChoiceTest, OneZeroInAHundredIsNotTooMany) {
  const auto out_every = [](size_t hours) {
    return [hours](size_t s, size_t t) { return t % hours == hours - 1 ? 0 : Load(s, t); };
  };
  EXPECT_TRUE(Chosen(Table(2, kHours, out_every(100))));
  EXPECT_FALSE(Chosen(Table(2, kHours, out_every(50))));
  // Closed at night, without a step that would tell.
  EXPECT_FALSE(Chosen(Table(2, kHours, [](size_t, size_t t) { return t % 24 < 8 ? 0 : 10.5; })));
}

TEST(PoolChoiceTest, YoungOrMissingSeriesSayNothing) {
  const auto born_late = [](size_t s, size_t t) {
    if (s == 0) return static_cast<float>(Load(s, t));
    return t < kBuckets - 49 ? kMissing : t % 2 == 0 ? 1.0F : 100.0F;
  };
  EXPECT_FALSE(Chosen(Table(2, kHours, born_late)));
  EXPECT_TRUE(Chosen(Table(2, kHours, born_late), ValueDomain::kNonNegative, kBuckets - 1)) << "48 values, 47 steps";
  EXPECT_FALSE(Chosen(Table(2, kHours, Load), ValueDomain::kNonNegative, 48));
  EXPECT_TRUE(Chosen(Table(2, kHours, Load), ValueDomain::kNonNegative, 49));
  EXPECT_FALSE(Chosen(Table(2, kHours, [](size_t, size_t) { return kMissing; })));
  EXPECT_FALSE(Chosen(Table(2, kHours, [](size_t, size_t) { return 0; })));
  EXPECT_FALSE(Chosen(Table(0, kHours, Load)));
}

TEST(PoolChoiceTest, WhatComesAfterTheWarmupSaysNothing) {
  const auto turns = [](size_t s, size_t t) { return t < 150 ? Load(s, t) : t % 2 == 0 ? 0 : 1000; };
  EXPECT_TRUE(Chosen(Table(2, kHours, turns), ValueDomain::kNonNegative, 150));
  EXPECT_FALSE(Chosen(Table(2, kHours, turns)));
}

TEST(PoolChoiceTest, MoreSeriesThanTheirStateLeavesRoomForKeepTheirOwnPool) {
  const auto table = [](size_t series) {
    SeriesTable table = Table(1, kHours, Load);
    table.names.assign(series, "s");
    std::vector<float> one = table.actual;
    for (size_t s = 1; s < series; ++s) table.actual.insert(table.actual.end(), one.begin(), one.end());
    return table;
  };
  const auto chosen = [&](size_t series, int horizon) {
    return Chosen(table(series), ValueDomain::kNonNegative, kBuckets, horizon);
  };
  EXPECT_TRUE(chosen(10'000, 48));
  EXPECT_FALSE(chosen(10'100, 48));
  EXPECT_TRUE(chosen(15'000, 24));
  EXPECT_TRUE(chosen(3, 144));
  EXPECT_FALSE(chosen(3, 145)) << "the regressions do not fit the history";
}

TEST(PoolChoiceTest, AmountsThatMoveByATwentiethAreLevelsByTheDayToo) {
  EXPECT_TRUE(Chosen(Table(2, {7}, Moving(.049))));
  EXPECT_FALSE(Chosen(Table(2, {7}, Moving(.051))));
  EXPECT_FALSE(Chosen(Table(2, {7}, Moving(.049)), ValueDomain::kCount));
  EXPECT_TRUE(Chosen(Table(2, {7}, Moving(.049)), ValueDomain::kNonNegative, 21));
  EXPECT_FALSE(Chosen(Table(2, {7}, Moving(.049)), ValueDomain::kNonNegative, 20));
}

}  // namespace
}  // namespace tidecast
