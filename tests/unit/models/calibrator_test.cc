#include "models/calibrator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr size_t kLow = 3;  // level .2

/// Rounds of 100 series: zero with probability .6, else 3. Every quantile starts at `quantile`. Returns them shifted.
std::vector<float> Calibrated(float quantile, float heap, int rounds) {
  const Calibrator calibrator(ValueDomain::kCount);
  std::vector<double> pooled(Calibrator::pooled_size());
  const std::vector<float> quantiles(kLevelCount, quantile);
  for (int t = 0; t < rounds; ++t) {
    std::vector<double> sums(Calibrator::sums_size(), 0.0);
    for (uint64_t i = 0; i < 100; ++i) {
      const float actual = UniformAt(1, i, t) < .6 ? 0.0F : 3.0F;
      calibrator.Learn(0, 0, 1, {actual, .6F, heap, UniformAt(2, i, t)}, 10, quantiles, pooled, {}, sums);
    }
    calibrator.Fold(sums, pooled);
  }
  std::vector<float> shifted = quantiles;
  calibrator.Apply(0, 0, 1, {}, pooled, shifted);
  return shifted;
}

TEST(CalibratorTest, ZerosAreSharedOutAmongTheQuantilesThatStandForZero) {
  EXPECT_NEAR(Calibrated(.3F, .5F, 300)[kLow], .3, .1) << "within the heap nothing is wrong with it";
  EXPECT_EQ(Calibrated(.3F, 0, 300)[kLow], 0) << "above the heap too many fall below it";
}

TEST(CalibratorTest, QuantilesEndAtTheirLevel) {
  const std::vector<float> shifted = Calibrated(1.5F, .5F, 1500);
  for (size_t l = 0; l < kLevelCount; ++l) {
    if (kLevels[l] < .55F) {
      EXPECT_LE(shifted[l], .6F) << kLevels[l];
    } else if (kLevels[l] > .65F) {
      EXPECT_NEAR(shifted[l], 3, .3) << kLevels[l];
    }
  }
}

TEST(CalibratorTest, AShiftThatWouldPushBelowZeroStandsStill) {
  const Calibrator calibrator(ValueDomain::kCount);
  std::vector<double> pooled(Calibrator::pooled_size()), sums(Calibrator::sums_size(), 0.0);
  const std::vector<float> quantiles(kLevelCount, 0.0F);
  for (int i = 0; i < 100; ++i) calibrator.Learn(0, 0, 1, {0, 1, .5F, 0}, 10, quantiles, pooled, {}, sums);
  calibrator.Fold(sums, pooled);
  EXPECT_TRUE(std::all_of(pooled.begin(), pooled.end() - 1, [](double shift) { return shift >= 0; }));
}

}  // namespace
}  // namespace tidecast
