#include "models/mean_calibrator.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidecast {
namespace {

/// Rounds of `rows` rows in a class: mean 10, actual as given.
void Learn(size_t demand_class, size_t rows, float actual, int rounds, std::vector<double>* pooled) {
  for (int t = 0; t < rounds; ++t) {
    std::vector<double> sums(MeanCalibrator::sums_size(), 0.0);
    for (size_t i = 0; i < rows; ++i) MeanCalibrator::Gather(demand_class, 0, actual, 10, 10, sums);
    MeanCalibrator::Fold(sums, *pooled);
  }
}

TEST(MeanCalibratorTest, ScalesTheMeanToTheSumOfWhatCame) {
  std::vector<double> pooled(MeanCalibrator::pooled_size());
  EXPECT_EQ(MeanCalibrator::Ratio(0, 0, pooled), 1) << "nothing seen";
  Learn(0, 5000, 12, 100, &pooled);
  EXPECT_NEAR(MeanCalibrator::Ratio(0, 0, pooled), 1.2, .01);
  EXPECT_EQ(MeanCalibrator::Ratio(0, 1, pooled), 1) << "another horizon group";
  Learn(0, 5000, 9, 200, &pooled);
  EXPECT_NEAR(MeanCalibrator::Ratio(0, 0, pooled), .9, .01) << "the past is forgotten";
}

TEST(MeanCalibratorTest, AClassThatWasSeldomSeenFollowsTheOthers) {
  std::vector<double> pooled(MeanCalibrator::pooled_size());
  Learn(0, 5000, 12, 100, &pooled);
  EXPECT_NEAR(MeanCalibrator::Ratio(3, 0, pooled), 1.2, .01);
  Learn(3, 10, 5, 10, &pooled);
  EXPECT_GT(MeanCalibrator::Ratio(3, 0, pooled), 1);
}

TEST(MeanCalibratorTest, AWildActualIsBounded) {
  std::vector<double> pooled(MeanCalibrator::pooled_size()), sums(MeanCalibrator::sums_size(), 0.0);
  for (int i = 0; i < 1000; ++i) MeanCalibrator::Gather(0, 0, i == 0 ? 1e9F : 10, 10, 10, sums);
  MeanCalibrator::Fold(sums, pooled);
  EXPECT_LT(MeanCalibrator::Ratio(0, 0, pooled), 1.03);
}

}  // namespace
}  // namespace tidecast
