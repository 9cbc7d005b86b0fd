#include "models/predictive_distribution.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "models/half_float.h"
#include "models/negative_binomial.h"

namespace tidecast {
namespace {

std::array<float, kLevelCount> CountQuantiles() {
  std::array<float, kLevelCount> q;
  NegativeBinomial{20, 1.2}.Quantiles(kLevels, q);
  return q;
}

TEST(PredictiveDistributionTest, CdfAndQuantileAreMonotoneAndInverseInEveryDomain) {
  const auto q = CountQuantiles();
  for (const ValueDomain domain : {ValueDomain::kCount, ValueDomain::kNonNegative, ValueDomain::kReal}) {
    const PredictiveDistribution law(domain, 20, .068F, q);
    double before = -1;
    for (double y = -5; y < 500; y += .5) {
      const double p = law.Cdf(y);
      EXPECT_GE(p, before) << y;
      EXPECT_LE(p, 1);
      before = p;
    }
    for (double level = .1; level < .9995; level += .0005) EXPECT_NEAR(law.Cdf(law.Quantile(level)), level, 1e-5) << level;
  }
}

TEST(PredictiveDistributionTest, TailBeyondTheLastLevelIsMatchedAtNinetyFiveAndNinetyNine) {
  const auto q = CountQuantiles();
  const PredictiveDistribution law(ValueDomain::kCount, 20, .068F, q);
  EXPECT_NEAR(1 - law.Cdf(q[13] + (q[13] - q[11])), .002, 1e-6);  // another factor of five as far out again
  EXPECT_LT(1 - law.Cdf(1e5), 1e-12);
}

TEST(PredictiveDistributionTest, ZeroProbabilityAgreesWithTheQuantiles) {
  std::array<float, kLevelCount> q{};
  for (size_t l = 7; l < kLevelCount; ++l) q[l] = static_cast<float>(l);
  EXPECT_FLOAT_EQ(PredictiveDistribution::ConsistentZeroProbability(ValueDomain::kCount, .1F, q), .5F);
  EXPECT_FLOAT_EQ(PredictiveDistribution::ConsistentZeroProbability(ValueDomain::kCount, .55F, q), .55F);
  EXPECT_FLOAT_EQ(PredictiveDistribution::ConsistentZeroProbability(ValueDomain::kCount, .9F, q), .6F);
  const PredictiveDistribution law(ValueDomain::kCount, 5, .55F, q);
  EXPECT_NEAR(law.MidProbability(0), .275, 1e-6);
}

TEST(HalfFloatTest, KeepsElevenBitsAndNeverMakesAnInfinity) {
  for (const float value : {1.0F, -3.14159F, 65000.0F, 1e-4F, .333333F}) EXPECT_NEAR(FromHalf(ToHalf(value)) / value, 1, .0005);
  EXPECT_EQ(FromHalf(ToHalf(1e30F)), 65504.0F);
  EXPECT_EQ(FromHalf(ToHalf(0)), 0.0F);
  EXPECT_TRUE(std::isnan(FromHalf(ToHalf(NAN))));
}

}  // namespace
}  // namespace tidecast
