#include "models/rls_expert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/core/hash.h"
#include "tests/unit/models/driven_expert.h"

namespace tidecast {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

TEST(RlsExpertTest, ForecastsAsTheDiscountedRidgeOfEachHorizonDoes) {
  const RlsExpert expert("rls", ValueDomain::kReal, {.memory = .998, .lags = 8, .horizon = 3});
  Driven driven(expert);
  Autoregression series;
  for (int64_t t = 0; t < 150; ++t) {
    const float y = series.Next();
    driven.Step(t, {y, 4 * y, 100 + y});
  }
  // Pinned: numpy 2.4.6, linalg.solve of each horizon's normal equations over the origins whose labels are known, ridge
  // = the squared scale.
  const float pinned[] = {.1840450F, -.0065960F, -.0630419F};
  for (int h = 1; h <= 3; ++h) {
    const auto a = driven.Forecast(h);
    ASSERT_EQ(a.awake[0], 1);
    EXPECT_NEAR(a.mean[0], pinned[h - 1], 2e-4);
    EXPECT_NEAR(a.mean[1], 4 * pinned[h - 1], 8e-4) << "units";
  }
}

TEST(RlsExpertTest, FindsTheDayOfAnHourlySeries) {
  const RlsExpert expert("rls", ValueDomain::kReal, {.memory = .9995, .lags = 48, .day = 24, .horizon = 48});
  Driven driven(expert);
  const auto value = [](int64_t t) {
    return static_cast<float>(std::sin(static_cast<double>(t % 24) / 24 * 6.2832) * 5 + UniformAt(3, 1, t));
  };
  for (int64_t t = 0; t < 600; ++t) driven.Step(t, {value(t), 4 * value(t), 50 * value(t)});
  for (const int h : {1, 12, 24, 48}) {
    const auto a = driven.Forecast(h);
    EXPECT_NEAR(a.mean[0], value(599 + h), 1.1) << h;
    EXPECT_NEAR(a.mean[2], 50 * value(599 + h), 55) << h;
  }
}

TEST(RlsExpertTest, ForecastsByTheHourAsTheDiscountedRidgeDoes) {
  // Pinned: numpy, as above, origins of leverage beyond 1 weighed by its inverse; without and with the mean of the
  // week.
  const float pinned[2][3] = {{-.4096938F, -.6065598F, -.5473969F}, {-.0499346F, -.0396485F, .0101601F}};
  for (const bool week : {false, true}) {
    const RlsExpert expert(
        "rls", ValueDomain::kReal,
        {.memory = .998, .lags = 4, .day = 24, .season = RlsExpert::Season::kHour, .week = week, .horizon = 3});
    Driven driven(expert);
    Autoregression series;
    for (int64_t t = 0; t < 300; ++t) {
      const float y = series.Next() + (t % 24 == 7 ? 2.0F : 0.0F);
      driven.Step(t, {y, 4 * y, 100 + y});
    }
    for (int h = 1; h <= 3; ++h) {
      const auto a = driven.Forecast(h);
      ASSERT_EQ(a.awake[0], 1);
      EXPECT_NEAR(a.mean[0], pinned[week][h - 1], 1e-4) << week << " " << h;
      EXPECT_NEAR(a.mean[1], 4 * pinned[week][h - 1], 4e-4) << "units";
    }
  }
}

constexpr RlsExpert::Shape kByHour{
    .memory = 1, .lags = 2, .day = 24, .season = RlsExpert::Season::kHour, .horizon = 48};

/// One hour of the day stands out: two lags cannot tell when it comes.
float Pulse(int64_t t) { return (t % 24 == 7 ? 10.0F : 0.0F) + static_cast<float>(UniformAt(3, 1, t)); }

TEST(RlsExpertTest, KnowsTheHourThatStandsOut) {
  const RlsExpert expert("rls", ValueDomain::kReal, kByHour);
  Driven driven(expert);
  for (int64_t t = -100; t < 900; ++t) driven.Step(t, {Pulse(t + 240), 4 * Pulse(t + 240), 50 * Pulse(t + 240)});
  for (int h = 1; h <= 48; ++h) {
    const auto a = driven.Forecast(h);
    ASSERT_EQ(a.awake[0], 1);
    EXPECT_NEAR(a.mean[0], Pulse(899 + 240 + h), 1.5) << h;
    EXPECT_NEAR(a.mean[2], 50 * Pulse(899 + 240 + h), 75) << h;
  }
}

TEST(RlsExpertTest, AnHourIsInUnitsOfTheScaleThatItsOriginHad) {
  const RlsExpert expert("rls", ValueDomain::kReal, kByHour);
  Driven driven(expert);
  // The next hour that stands out is an odd number of buckets ahead, and so at the other scale.
  for (int64_t t = 0; t < 1501; ++t) {
    driven.scale.assign(Driven::kSeries, t % 2 == 0 ? 1.0F : 2.0F);
    driven.Step(t, {Pulse(t), Pulse(t), Pulse(t)});
  }
  for (int h = 1; h <= 48; ++h) EXPECT_NEAR(driven.Forecast(h).mean[0], Pulse(1500 + h), 1.5) << h;
}

TEST(RlsExpertTest, StaysWithinTheRangeSeenAndThreeScales) {
  const RlsExpert expert("rls", ValueDomain::kReal, {.memory = .998, .lags = 8, .horizon = 14});
  Driven driven(expert);
  for (int64_t t = 0; t < 400; ++t) {
    // Quiet for long, then bursts and a ramp: an unguarded regression explodes.
    const float quiet = static_cast<float>(t % 2) * 1e-3F;
    const float y = t < 200 ? quiet : t % 37 == 0 ? 60.0F : static_cast<float>(t - 200) * .3F;
    driven.Step(t, {y, y, y});
    for (const int h : {1, 5, 14}) {
      const auto a = driven.Forecast(h);
      if (a.awake[0] != 0) {
        ASSERT_TRUE(a.mean[0] >= -3.001F && a.mean[0] <= 63.5F) << t << " " << h << " " << a.mean[0];
      }
    }
  }
}

TEST(RlsExpertTest, IsSilentWhileAJumpUnlikeAnythingBeforeIsAmongItsRegressors) {
  const RlsExpert expert("rls", ValueDomain::kReal, {.memory = .9995, .lags = 8, .horizon = 2});
  Driven driven(expert);
  Autoregression series;
  int64_t t = 0;
  for (; t < 100; ++t) driven.Step(t, {series.Next(), 0, 0});
  ASSERT_EQ(driven.Forecast(1).awake[0], 1);
  driven.Step(t++, {19, 0, 0});
  EXPECT_EQ(driven.Forecast(1).awake[0], 0);
  for (int n = 0; n < 12; ++n) driven.Step(t++, {19 + series.Next(), 0, 0});
  EXPECT_EQ(driven.Forecast(1).awake[0], 1) << "it has learnt from the jump";
}

TEST(RlsExpertTest, StaysAtANewLevelOnceASecondValueBearsItOut) {
  const RlsExpert expert("rls", ValueDomain::kReal, {.memory = .9995, .lags = 8, .horizon = 2});
  Driven driven(expert);
  Autoregression series;
  int64_t t = 0;
  // The second series has one wild value, the third moves on from its own.
  for (; t < 100; ++t) driven.Step(t, {series.Next(), series.Next(), series.Next()});
  driven.Step(t++, {30, 30, 30});
  for (const uint8_t awake : driven.Forecast(1).awake) EXPECT_EQ(awake, 0);
  driven.Step(t++, {31, .5F, 60});
  const auto after = driven.Forecast(1);
  ASSERT_EQ(after.awake[0], 1);
  EXPECT_NEAR(after.mean[0], 31, 2) << "trusted as far as leverage 1 goes";
  EXPECT_EQ(after.awake[1], 0);
  EXPECT_EQ(after.awake[2], 0);
}

TEST(RlsExpertTest, SleepsAfterThreeWildForecastsAndWakesWhenItHasLearntAgain) {
  const RlsExpert expert("rls", ValueDomain::kReal, {.memory = 1, .lags = 8, .horizon = 2});
  Driven driven(expert);
  Autoregression series;
  int64_t t = 0;
  for (; t < 60; ++t) driven.Step(t, {series.Next(), 0, 0});
  ASSERT_EQ(driven.Forecast(1).awake[0], 1);
  for (int n = 0; n < 2; ++n, ++t) driven.Step(t, {t % 2 == 0 ? 900.0F : -900.0F, 0, 0});
  EXPECT_GT(driven.states[3], 50) << "two are not three: what was learnt is kept";
  driven.Step(t, {t % 2 == 0 ? 900.0F : -900.0F, 0, 0});
  EXPECT_LE(driven.states[3], 2) << "values learnt from: anew";
  EXPECT_EQ(driven.Forecast(1).awake[0], 0);
  for (++t; t < 90; ++t) driven.Step(t, {series.Next(), 0, 0});
  EXPECT_EQ(driven.Forecast(1).awake[0], 1);
}

TEST(RlsExpertTest, GoesOnOverAGapAndSleepsWhenTooMuchIsMissing) {
  const RlsExpert expert("rls", ValueDomain::kReal, {.memory = 1, .lags = 8, .horizon = 2});
  Driven driven(expert);
  Autoregression series;
  int64_t t = 0;
  float newest = 0;
  for (; t < 60; ++t) driven.Step(t, {newest = series.Next(), 0, 0});
  const std::vector<float> states = driven.states;
  driven.Step(t, {kMissing, 0, 0});
  auto a = driven.Forecast(1);
  ASSERT_EQ(a.awake[0], 1);
  EXPECT_NEAR(a.mean[0], newest, 1) << "the missing value is the one before it";
  for (int n = 0; n < 2; ++n) driven.Step(++t, {kMissing, 0, 0});
  EXPECT_EQ(driven.Forecast(1).awake[0], 0);
  EXPECT_TRUE(std::equal(states.begin(), states.begin() + static_cast<ptrdiff_t>(expert.state_floats()),
                         driven.states.begin()));
}

}  // namespace
}  // namespace tidecast
