#include "models/outer_mixer.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace tidecast {
namespace {

/// The net's weight after rounds in which it is right of nineteen small series and wrong of a large one.
float WeightOfANetThatFailsTheLargest(ValueDomain domain) {
  OuterMixer mixer(domain);
  std::vector<double> pooled(OuterMixer::pooled_size(), 0.0);
  std::array<float, kLevelCount> base, right, wrong;
  for (int round = 0; round < 30; ++round) {
    std::vector<double> sums(OuterMixer::sums_size(), 0.0);
    for (int series = 0; series < 20; ++series) {
      const float scale = series == 0 ? 10000 : 1;
      base.fill(10 * scale);
      right.fill(9 * scale);
      wrong.fill(11 * scale);
      mixer.Gather(0, 9 * scale, scale, base, series == 0 ? wrong : right, sums);
    }
    mixer.Fold(sums, pooled);
    mixer.Refresh(pooled);
  }
  return mixer.Weight(0, kMedian);
}

TEST(OuterMixerTest, OfRealsEachSeriesCountsAlikeOfAmountsTheLargeOnesMore) {
  EXPECT_GT(WeightOfANetThatFailsTheLargest(ValueDomain::kReal), .5F);
  EXPECT_EQ(WeightOfANetThatFailsTheLargest(ValueDomain::kNonNegative), 0);
}

}  // namespace
}  // namespace tidecast
