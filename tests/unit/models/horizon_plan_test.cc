#include "models/horizon_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tidecast {
namespace {

TEST(HorizonPlanTest, EveryGroupHasALearnedHorizonAtWhichTheNetIsWeighed) {
  for (int horizon = 1; horizon <= 192; ++horizon) {
    const HorizonPlan plan(horizon);
    std::set<size_t> groups, weighed;
    for (int h = 1; h <= horizon; ++h) groups.insert(plan.GroupOf(h));
    for (const int h : plan.outer()) {
      weighed.insert(plan.GroupOf(h));
      EXPECT_NE(std::find(plan.learned().begin(), plan.learned().end(), h), plan.learned().end())
          << horizon << " " << h;
    }
    EXPECT_EQ(weighed, groups) << horizon;
    EXPECT_EQ(plan.outer().size(), groups.size()) << horizon;
  }
}

}  // namespace
}  // namespace tidecast
