#include "models/horizon_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace tidecast {
namespace {

TEST(HorizonPlanTest, EveryGroupHasALearnedHorizonAtWhichTheNetIsWeighed) {
  for (int horizon = 1; horizon <= 192; ++horizon) {
    const HorizonPlan plan(horizon);
    std::set<size_t> groups, weighed;
    for (int h = 1; h <= horizon; ++h) groups.insert(plan.GroupOf(h));
    for (const int h : plan.outer(ValueDomain::kCount)) {
      weighed.insert(plan.GroupOf(h));
      EXPECT_NE(std::find(plan.learned().begin(), plan.learned().end(), h), plan.learned().end())
          << horizon << " " << h;
    }
    EXPECT_EQ(weighed, groups) << horizon;
    EXPECT_EQ(plan.outer(ValueDomain::kCount).size(), groups.size()) << horizon;
  }
}

TEST(HorizonPlanTest, OfRealsTheMiddleOfAGroupStandsForIt) {
  EXPECT_EQ(HorizonPlan(24).outer(ValueDomain::kCount), (std::vector<int>{1, 9, 24}));
  EXPECT_EQ(HorizonPlan(24).outer(ValueDomain::kReal), (std::vector<int>{4, 13, 24}));
  EXPECT_EQ(HorizonPlan(48).outer(ValueDomain::kReal), (std::vector<int>{3, 9, 48}));
}

TEST(HorizonPlanTest, KnotsLieAtTheLearnedHorizonsAndBetweenThem) {
  const HorizonPlan plan(24);
  for (size_t k = 0; k < plan.learned().size(); ++k) {
    EXPECT_EQ(plan.KnotOf(plan.learned()[k]).below, k);
    EXPECT_EQ(plan.KnotOf(plan.learned()[k]).share, 0);
  }
  EXPECT_EQ(plan.KnotOf(12).below, plan.KnotOf(9).below);
  EXPECT_FLOAT_EQ(plan.KnotOf(12).share, .75F);
  for (const int horizon : {1, 8, 192, 1000}) EXPECT_LE(HorizonPlan(horizon).learned().size(), HorizonPlan::kKnotsMax);
}

}  // namespace
}  // namespace tidecast
