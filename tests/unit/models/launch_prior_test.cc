#include "models/launch_prior.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidecast {
namespace {

struct Launches {
  double MeanOf(uint64_t category, uint32_t age) const { return LaunchPrior::MeanOf(pooled, category, age, 3.0); }
  /// So many launches of a category sell `value` at an age, in each of so many rounds.
  void Sell(uint64_t category, uint32_t age, float value, int launches, int rounds) {
    for (int t = 0; t < rounds; ++t) {
      std::vector<double> sums(LaunchPrior::sums_size());
      for (int i = 0; i < launches; ++i) LaunchPrior::Gather(value, category, age, MeanOf(category, age), sums);
      LaunchPrior::Fold(sums, pooled);
    }
  }
  std::vector<double> pooled = std::vector<double>(LaunchPrior::pooled_size());
};

constexpr uint64_t kLamps = 71, kCards = 72;

TEST(LaunchPriorTest, BeforeALaunchItIsTheMeanOfAllSeries) {
  EXPECT_DOUBLE_EQ(Launches().MeanOf(0, 2), 3);
  EXPECT_DOUBLE_EQ(Launches().MeanOf(kLamps, 20), 3);
}

// In the long run four values a round weigh 4 / (1 - .98) = 200; the pool's 400 are drawn to the fallback by 20 values,
// a category's 200 to the pool by 60.
TEST(LaunchPriorTest, ACategoryIsDrawnFromThePoolByItsOwnLaunches) {
  Launches shop;
  for (int t = 0; t < 500; ++t) {
    std::vector<double> sums(LaunchPrior::sums_size());
    for (int i = 0; i < 4; ++i) {
      LaunchPrior::Gather(1, kLamps, 2, 5, sums);
      LaunchPrior::Gather(9, kCards, 2, 5, sums);
    }
    LaunchPrior::Fold(sums, shop.pooled);
  }
  const double pool = (400 * 5 + 20 * 3) / 420.0;
  EXPECT_NEAR(shop.MeanOf(0, 2), pool, .01) << "who has no category begins at the pool's";
  EXPECT_NEAR(shop.MeanOf(kLamps, 2), (200 * 1 + 60 * pool) / 260, .01);
  EXPECT_NEAR(shop.MeanOf(kCards, 2), (200 * 9 + 60 * pool) / 260, .01);
  EXPECT_DOUBLE_EQ(shop.MeanOf(73, 2), shop.MeanOf(0, 2)) << "as does a category without a launch";
}

TEST(LaunchPriorTest, OneLaunchHardlyMovesItsCategory) {
  Launches shop;
  shop.Sell(kLamps, 2, 2, 10, 100);
  const double before = shop.MeanOf(kCards, 2);
  shop.Sell(kCards, 2, 12, 1, 1);
  EXPECT_GT(shop.MeanOf(kCards, 2), before);
  EXPECT_LT(shop.MeanOf(kCards, 2), before + 1);
}

TEST(LaunchPriorTest, AgesAreApartAndTheFirstBucketSaysNothing) {
  Launches shop;
  shop.Sell(0, 2, 8, 10, 100);
  EXPECT_GT(shop.MeanOf(0, 3), 7);
  EXPECT_DOUBLE_EQ(shop.MeanOf(0, 10), 3);
  shop.Sell(0, 0, 8, 10, 100);
  EXPECT_DOUBLE_EQ(shop.MeanOf(0, 0), shop.MeanOf(0, 3)) << "a series of one bucket is expected as what comes next";
  shop.Sell(0, LaunchPrior::kAgeMax + 1, 8, 10, 100);
  EXPECT_DOUBLE_EQ(shop.MeanOf(0, 40), 3);
}

TEST(LaunchPriorTest, AWildValueCountsForSoMuchOnly) {
  Launches shop;
  shop.Sell(kLamps, 2, 2, 10, 100);
  const double before = shop.MeanOf(kLamps, 2);
  shop.Sell(kLamps, 2, 1e9F, 1, 1);
  EXPECT_LT(shop.MeanOf(kLamps, 2), 2 * before);
}

}  // namespace
}  // namespace tidecast
