#include "models/holt_winters_expert.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "tests/unit/models/driven_expert.h"

namespace tidecast {
namespace {

TEST(HoltWintersExpertTest, ForecastsAsTheReferenceDoesFromTheStateWhereTheRatesHaveSettled) {
  const HoltWintersExpert expert(ValueDomain::kCount, 4, 9);
  Driven driven(expert);
  driven.demand_class = {0, 1, 2};
  Noise noise;
  const std::array<double, 4> season = {0, 6, -5, 2};
  for (int64_t t = 0; t < 60; ++t) {
    const double y =
        std::floor(20 + season[static_cast<size_t>(t % 4)] + .2 * static_cast<double>(t) + 6 * noise.Next());
    driven.Step(t, {static_cast<float>(y), static_cast<float>(y), static_cast<float>(y)});
  }
  // Pinned: statsmodels 0.15.0, ExponentialSmoothing over the last 48 values from the state after the first 12 (numpy),
  // additive, damped. Horizon 4 is left out: the reference takes the season of the newest phase as it was a visit
  // before.
  const std::array<std::pair<int, float>, 3> pinned = {{{1, 32.73471F}, {6, 40.75432F}, {9, 32.86907F}}};
  for (const auto& [h, value] : pinned) {
    const auto a = driven.Forecast(h);
    EXPECT_NEAR(a.mean[0], value, 1e-3) << h;
    EXPECT_NEAR(a.mean[1], value, 1e-3) << "in units of another scale " << h;
    EXPECT_EQ(a.awake[2], 0) << "intermittent";
  }
  // Deviation of one step and its growth by the formula of ETS(A,Ad,A), in numpy.
  const auto deviation = [&](int h) {
    const auto a = driven.Forecast(h);
    return (a.quantiles[10] - a.mean[0]) / 1.28155F;
  };
  EXPECT_NEAR(deviation(1), 2.66069, 1e-3);
  EXPECT_NEAR(deviation(4) / deviation(1), 1.06825, 1e-4);
  EXPECT_NEAR(deviation(9) / deviation(1), 1.30624, 1e-4);
}

TEST(HoltWintersExpertTest, ForgetsWhileItSleepsAndBeginsAnew) {
  const HoltWintersExpert expert(ValueDomain::kCount, 4, 4);
  Driven driven(expert);
  driven.demand_class = {0, 0, 0};
  int64_t t = 0;
  for (; t < 20; ++t) driven.Step(t, {500, 8, 8});
  driven.demand_class[0] = 3;
  driven.Step(t++, {0, 8, 8});
  driven.demand_class[0] = 0;
  for (int n = 0; n < 4; ++n) driven.Step(t++, {8, 8, 8});
  EXPECT_EQ(driven.Forecast(1).awake[0], 0) << "a season has not been seen since";
  driven.Step(t++, {8, 8, 8});
  ASSERT_EQ(driven.Forecast(1).awake[0], 1);
  EXPECT_NEAR(driven.Forecast(1).mean[0], 8, 1e-3);
}

TEST(HoltWintersExpertTest, AWildValueMovesItByFiveDeviationsAtMost) {
  const HoltWintersExpert expert(ValueDomain::kReal, 4, 4);
  Driven driven(expert);
  driven.demand_class = {0, 0, 0};
  int64_t t = 0;
  for (; t < 40; ++t) driven.Step(t, {t % 2 == 0 ? 9.0F : 11.0F, 8, 8});
  driven.Step(t, {1e6F, 8, 8});
  EXPECT_LT(driven.Forecast(1).mean[0], 20);
}

TEST(HoltWintersExpertTest, ItsOwnSeasonIsTheSeasonOfAnExplanation) {
  const HoltWintersExpert expert(ValueDomain::kReal, 4, 9);
  Driven driven(expert);
  driven.demand_class = {0, 0, 0};
  const std::array<float, 4> season = {0, 6, -5, -1};
  for (int64_t t = 0; t < 160; ++t) {
    const float wave = season[static_cast<size_t>(t % 4)];
    driven.Step(t, {1000 + wave, -20 + wave, 8});
  }
  for (const int h : {1, 2, 7}) {
    const auto a = driven.Forecast(h);
    const float wave = season[static_cast<size_t>((159 + h) % 4)];
    const float up = driven.PresentLevel(0, h, 0, a), down = driven.PresentLevel(1, h, 0, a);
    EXPECT_NEAR(up, 1000, .2) << h;
    EXPECT_NEAR(a.mean[0] - up, wave, .2) << h;
    EXPECT_NEAR(down, -20, .2) << h;
    EXPECT_NEAR(a.mean[1] - down, wave, .2) << h;
  }
}

TEST(ProfileExpertTest, OfRealsThePresentLevelOfAnExplanationIsTheFastOne) {
  const ProfileExpert expert(ValueDomain::kReal, 4);
  Driven driven(expert);
  driven.inverse.assign(kHistory, 1);
  for (int64_t t = 0; t < 60; ++t) driven.Step(t, {1000, -20, 8});
  const auto a = driven.Forecast(3);
  EXPECT_NEAR(driven.PresentLevel(0, 3, 0, a), 1000, .5);
  EXPECT_NEAR(driven.PresentLevel(1, 3, 0, a), -20, .5);
}

}  // namespace
}  // namespace tidecast
