#include "models/autoregression_expert.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "tests/unit/models/driven_expert.h"

namespace tidecast {
namespace {

TEST(AutoregressionExpertTest, ForecastsByTheOrderOfLeastAicAsTheReferenceDoes) {
  const AutoregressionExpert expert(ValueDomain::kReal);
  Driven driven(expert);
  driven.demand_class = {0, 1, 2};
  driven.inverse.assign(kHistory, 1);
  Autoregression series;
  for (int64_t t = 0; t < 150; ++t) {
    const float y = series.Next();
    driven.Step(t, {y, 4 * y, y});
  }
  // Pinned: statsmodels 0.15.0, levinson_durbin on the discounted autocovariances (numpy 2.4.6); order 3 of 6.
  const std::array<std::pair<int, float>, 3> pinned = {{{1, .234793F}, {2, .072431F}, {5, .177850F}}};
  for (const auto& [h, value] : pinned) {
    const auto a = driven.Forecast(h);  // factor 1.3
    ASSERT_EQ(a.awake[0], 1);
    EXPECT_NEAR(a.mean[0] / 1.3F, value, 1e-4) << h;
    EXPECT_NEAR(a.mean[1] / 1.3F, 4 * value, 4e-4) << h;
    EXPECT_EQ(a.awake[2], 0) << "intermittent";
  }
}

TEST(AutoregressionExpertTest, SleepsWhereANewestDifferenceIsMissing) {
  const AutoregressionExpert expert(ValueDomain::kReal);
  Driven driven(expert);
  driven.demand_class = {0, 0, 0};
  Autoregression series;
  int64_t t = 0;
  for (; t < 60; ++t) driven.Step(t, {series.Next(), 1, 1});
  EXPECT_EQ(driven.Forecast(1).awake[0], 1);
  driven.Step(t++, {std::numeric_limits<float>::quiet_NaN(), 1, 1});
  EXPECT_EQ(driven.Forecast(1).awake[0], 0);
  for (int n = 0; n < 8; ++n) driven.Step(t++, {series.Next(), 1, 1});
  EXPECT_EQ(driven.Forecast(1).awake[0], 1);
}

}  // namespace
}  // namespace tidecast
