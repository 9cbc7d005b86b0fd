#include "models/mean_scale.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace tidecast {
namespace {

struct Pool {
  void Round(float actual, float expected) {
    std::vector<double> sums(MeanScale::sums_size());
    MeanScale::Gather(actual, expected, sums);
    MeanScale::Fold(sums, pooled);
  }
  float ratio() const { return MeanScale::Ratio(pooled); }
  std::vector<double> pooled = std::vector<double>(MeanScale::pooled_size());
};

TEST(MeanScaleTest, ChangesNothingBeforeTheFirstRoundNorWhereMeansAreRight) {
  Pool pool;
  EXPECT_EQ(pool.ratio(), 1);
  for (int t = 0; t < 50; ++t) pool.Round(7, 7);
  EXPECT_FLOAT_EQ(pool.ratio(), 1);
}

// Ten rounds of a ratio of 1 against 1 / (1 - .985) = 66.7 of 1.1.
TEST(MeanScaleTest, FollowsALastingGapAndIsDrawnToOne) {
  Pool pool;
  pool.Round(110, 100);
  EXPECT_NEAR(pool.ratio(), 1 + .1 / 11, 1e-6);
  for (int t = 0; t < 2000; ++t) pool.Round(110, 100);
  EXPECT_NEAR(pool.ratio(), 1 + .1 * 66.667 / 76.667, 1e-4);
}

TEST(MeanScaleTest, TakesSeriesByWhatTheySell) {
  Pool pool;
  for (int t = 0; t < 500; ++t) {
    std::vector<double> sums(MeanScale::sums_size());
    MeanScale::Gather(110, 100, sums);
    MeanScale::Gather(0, 1, sums);
    MeanScale::Fold(sums, pool.pooled);
  }
  EXPECT_NEAR(pool.ratio(), 1 + (110.0 / 101 - 1) * 66.667 / 76.667, 1e-3);
}

TEST(MeanScaleTest, OneWildRoundIsBounded) {
  Pool pool;
  for (int t = 0; t < 100; ++t) pool.Round(10, 10);
  pool.Round(1e9F, 10);
  EXPECT_LT(pool.ratio(), 1.05);
  for (int t = 0; t < 100; ++t) pool.Round(1e9F, 10);
  EXPECT_EQ(pool.ratio(), 1.25F);
  for (int t = 0; t < 2000; ++t) pool.Round(0, 10);
  EXPECT_EQ(pool.ratio(), .8F);
}

TEST(MeanScaleTest, RoundsInWhichNothingWasExpectedTeachNothing) {
  Pool pool;
  pool.Round(5, 0);
  pool.Round(0, 0);
  EXPECT_EQ(pool.ratio(), 1);
}

}  // namespace
}  // namespace tidecast
