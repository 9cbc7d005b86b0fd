#include "models/month_profile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr int64_t kFirst = 18262;  ///< 2020-01-01

float FactorOf(const std::vector<double>& pooled, int64_t day) {
  return MonthProfile::FactorsOf(pooled)[MonthProfile::DayOfMonth(day)];
}

/// Days of 40 series whose demand is `factor` of what is usual; forecasts know the profile.
template <typename Factor>
std::vector<double> Learned(int64_t days, Factor factor) {
  std::vector<double> pooled(MonthProfile::pooled_size());
  for (int64_t day = kFirst; day < kFirst + days; ++day) {
    std::vector<double> sums(MonthProfile::sums_size());
    for (int s = 0; s < 40; ++s) {
      MonthProfile::Gather(static_cast<float>(factor(day)), FactorOf(pooled, day), sums);
    }
    MonthProfile::Fold(day, sums, pooled);
  }
  return pooled;
}

TEST(MonthProfileTest, DaysOfTheMonth) {
  EXPECT_EQ(MonthProfile::DayOfMonth(kFirst), 0U);
  EXPECT_EQ(MonthProfile::DayOfMonth(kFirst + 30), 30U);
  EXPECT_EQ(MonthProfile::DayOfMonth(kFirst + 31 + 28), 28U) << "the 29th of February";
  EXPECT_EQ(MonthProfile::DayOfMonth(-1), 30U) << "1969-12-31";
}

TEST(MonthProfileTest, PayDaysAreKnownAfterSomeMonths) {
  const auto pooled = Learned(540, [](int64_t day) {
    const size_t at = MonthProfile::DayOfMonth(day);
    return at >= 27 || at <= 1 ? 1.3 : .97;
  });
  const int64_t first = kFirst + 547;  // 2021-07-01
  EXPECT_EQ(MonthProfile::DayOfMonth(first), 0U);
  EXPECT_NEAR(FactorOf(pooled, first), 1.2, .06);
  EXPECT_NEAR(FactorOf(pooled, first + 14), .97, .02);
  EXPECT_NEAR(FactorOf(Learned(40, [](int64_t) { return 1.0; }), first), 1, 1e-6);
}

// Forecasts that are always too high or too low: what no factor cures is no day's.
TEST(MonthProfileTest, WhatAllDaysHaveInCommonIsNotTheMonths) {
  std::vector<double> pooled(MonthProfile::pooled_size());
  for (int64_t day = kFirst; day < kFirst + 1000; ++day) {
    std::vector<double> sums(MonthProfile::sums_size());
    for (int s = 0; s < 40; ++s) MonthProfile::Gather(.8F, 1, sums);
    MonthProfile::Fold(day, sums, pooled);
  }
  for (const float factor : MonthProfile::FactorsOf(pooled)) EXPECT_NEAR(factor, 1, .01);
}

TEST(MonthProfileTest, MonthsThatDoNotRepeatAreWorthLittle) {
  const auto pooled = Learned(720, [](int64_t day) { return std::exp(.4 * (UniformAt(1, 2, day) - .5)); });
  for (int64_t day = kFirst + 720; day < kFirst + 751; ++day) {
    EXPECT_NEAR(FactorOf(pooled, day), 1, .02) << day;
  }
}

TEST(MonthProfileTest, ADayWithoutForecastsTeachesNothing) {
  auto pooled = Learned(90, [](int64_t day) { return MonthProfile::DayOfMonth(day) == 0 ? 2.0 : 1.0; });
  const auto before = pooled;
  MonthProfile::Fold(kFirst + 90, std::vector<double>(MonthProfile::sums_size()), pooled);
  EXPECT_EQ(pooled, before);
}

}  // namespace
}  // namespace tidecast
