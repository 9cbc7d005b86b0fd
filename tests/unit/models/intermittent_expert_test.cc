#include "models/intermittent_expert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/models/driven_expert.h"

namespace tidecast {
namespace {

using Rule = IntermittentExpert::Rule;
constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

/// A third of the buckets sell, 1 to 9 units.
class NowAndThen {
 public:
  float Next() {
    const double sells = noise_.Next(), size = noise_.Next();
    return sells < .35 ? static_cast<float>(std::floor(1 + 9 * size)) : 0;
  }

 private:
  Noise noise_;
};

/// Means after 20 and after 60 of those buckets, for every horizon.
void ExpectMeans(const Expert& expert, float after_20, float after_60) {
  Driven driven(expert);
  NowAndThen sales;
  for (int64_t t = 0; t < 60; ++t) {
    const float value = sales.Next();
    driven.Step(t, {value, value, value});
    if (t != 19 && t != 59) continue;
    const float expected = t == 19 ? after_20 : after_60;
    for (const int h : {1, 9}) {
      for (size_t i = 0; i < Driven::kSeries; ++i) EXPECT_NEAR(driven.Forecast(h).mean[i], expected, 1e-4) << t << h;
    }
  }
}

// Pinned: statsforecast 2.1.1, TSB(.1, .1) and CrostonSBA().
TEST(IntermittentExpertTest, TsbForecastsAsTheReferenceDoes) {
  ExpectMeans(IntermittentExpert(ValueDomain::kCount, Rule::kTsb), 1.16252824F, 1.83804544F);
}
TEST(IntermittentExpertTest, SbaForecastsAsTheReferenceDoes) {
  ExpectMeans(IntermittentExpert(ValueDomain::kCount, Rule::kSba), 1.78842827F, 1.78629061F);
}

TEST(IntermittentExpertTest, SleepsUntilTheFirstDemandAndAMissingBucketIsNone) {
  const IntermittentExpert tsb(ValueDomain::kNonNegative, Rule::kTsb);
  const IntermittentExpert sba(ValueDomain::kNonNegative, Rule::kSba);
  for (const IntermittentExpert* expert : {&tsb, &sba}) {
    Driven driven(*expert);
    driven.Step(0, {0, kMissing, 4});
    EXPECT_EQ(driven.Forecast(1).awake, (std::vector<uint8_t>{0, 0, 1})) << expert->name();
    const float before = driven.Forecast(1).mean[2];
    driven.Step(1, {0, 0, kMissing});
    EXPECT_EQ(driven.Forecast(1).awake, (std::vector<uint8_t>{0, 0, 1})) << expert->name();
    EXPECT_EQ(driven.Forecast(1).mean[2], before) << expert->name();
  }
}

TEST(IntermittentExpertTest, OnlyTsbForgetsWhatIsNoLongerSold) {
  const IntermittentExpert tsb(ValueDomain::kCount, Rule::kTsb);
  const IntermittentExpert sba(ValueDomain::kCount, Rule::kSba);
  Driven forgets(tsb), keeps(sba);
  for (int64_t t = 0; t < 80; ++t) {
    const float value = t < 40 ? 6 : 0;
    forgets.Step(t, {value, value, value});
    keeps.Step(t, {value, value, value});
  }
  EXPECT_LT(forgets.Forecast(1).mean[1], .1);
  EXPECT_NEAR(keeps.Forecast(1).mean[1], 6 * .95, 1e-4);
}

}  // namespace
}  // namespace tidecast
