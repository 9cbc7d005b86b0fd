#include "models/count_table_expert.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr size_t kSeries = 200;

/// The table under series whose expected mean is given, and labels that come one bucket later.
struct Pool {
  Pool() : pooled(expert.pooled_size()) { expert.StartPooled(pooled); }
  ExpertBlock Block() const {
    ExpertBlock block;
    block.series = kSeries;
    block.actual = actual;
    block.scale = scale;
    return block;
  }
  static std::vector<float> Summaries(float mean, float trend) {
    std::vector<float> summaries;
    for (size_t i = 0; i < kSeries; ++i) summaries.insert(summaries.end(), {mean, trend});
    return summaries;
  }
  void Learn(float mean, const auto& actual_of, int rounds, float trend = 0) {
    for (int t = 0; t < rounds; ++t) {
      for (size_t i = 0; i < kSeries; ++i) actual[i] = actual_of(i, t);
      std::vector<double> sums(expert.sums_size(), 0.0);
      expert.Gather(Block(), {0, 1, 0, 1}, scale, rows, Summaries(mean, trend), pooled, sums);
      expert.Fold(sums, pooled);
    }
  }
  std::array<float, kLevelCount> Forecast(float mean, size_t group = 0, float trend = 0) {
    std::vector<float> quantiles(kSeries * kLevelCount), means(kSeries), zeros(kSeries);
    std::vector<uint8_t> awakes(kSeries);
    expert.Expand(Block(), {0, 1, group, 1}, scale, rows, Summaries(mean, trend), pooled,
                  {quantiles, means, zeros, awakes});
    expected = means[0];
    zero = zeros[0];
    awake = awakes[0] != 0;
    std::array<float, kLevelCount> out;
    std::copy_n(quantiles.begin(), kLevelCount, out.begin());
    return out;
  }
  const CountTableExpert expert{"count_table_800", .8F, .5F};
  std::vector<double> pooled;
  std::vector<float> actual = std::vector<float>(kSeries), scale = std::vector<float>(kSeries, 1.0F);
  std::vector<uint8_t> rows = std::vector<uint8_t>(kSeries, 1);
  float expected = 0, zero = 0;
  bool awake = false;
};

// Source: scipy 1.17.1, stats.nbinom.ppf(level, 1 / 1.5, 1 / (1 + 1.5 * 2.430209)); the mean is that of a row.
TEST(CountTableExpertTest, BeforeAnythingWasSeenItIsANegativeBinomialOfItsMean) {
  Pool pool;
  const float mean = .02F * std::exp(.4F * 12);
  EXPECT_EQ(pool.Forecast(mean), (std::array<float, kLevelCount>{0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 7, 9, 12, 15}));
  EXPECT_NEAR(pool.expected, mean, 1e-4);
  EXPECT_NEAR(pool.zero, .3590, .001);
}

TEST(CountTableExpertTest, LearnsWhatCameWhereSoMuchWasExpected) {
  Pool pool;
  // Half of them nothing, half of them six, where two were expected.
  pool.Learn(
      2, [](size_t i, int t) { return UniformAt(3, i, t) < .5 ? 0.0F : 6.0F; }, 300);
  const auto q = pool.Forecast(2);
  for (size_t l = 0; l < kLevelCount; ++l) {
    if (std::fabs(kLevels[l] - .5F) < .05F) continue;
    EXPECT_EQ(q[l], kLevels[l] < .5F ? 0 : 6) << kLevels[l];
  }
  EXPECT_NEAR(pool.expected, 3, .15);
  EXPECT_NEAR(pool.zero, .5, .03);
  const auto far = pool.Forecast(2, 2);
  EXPECT_LT(far[10], 6.5F) << "other horizons keep what they had";
  EXPECT_GT(far[10], 4) << "other horizons keep what they had";
}

TEST(CountTableExpertTest, WhatRisesHasARowOfItsOwn) {
  Pool pool;
  pool.Learn(
      2, [](size_t, int) { return 5.0F; }, 200, .8F);
  pool.Learn(
      2, [](size_t, int) { return 1.0F; }, 200, -.8F);
  EXPECT_EQ(pool.Forecast(2, 0, .8F)[kMedian], 5);
  EXPECT_EQ(pool.Forecast(2, 0, -.8F)[kMedian], 1);
  EXPECT_EQ(pool.Forecast(2, 0, 30)[kMedian], pool.Forecast(2, 0, 1.6F)[kMedian])
      << "beyond the last row it is the last";
}

TEST(CountTableExpertTest, LargeCountsAreSpreadInsideTheirCell) {
  Pool pool;
  pool.Learn(
      100, [](size_t i, int t) { return std::floor(50 + 100 * static_cast<float>(UniformAt(4, i, t))); }, 200);
  const auto q = pool.Forecast(100);
  EXPECT_NEAR(q[2], 60, 5);
  EXPECT_NEAR(q[kMedian], 100, 5);
  EXPECT_NEAR(q[10], 140, 5);
}

TEST(CountTableExpertTest, SleepsBeyondItsGreatestRow) {
  Pool pool;
  pool.Forecast(1000);
  EXPECT_TRUE(pool.awake);
  pool.Forecast(1e6);
  EXPECT_FALSE(pool.awake);
}

}  // namespace
}  // namespace tidecast
