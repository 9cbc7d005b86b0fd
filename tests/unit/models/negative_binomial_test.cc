#include "models/negative_binomial.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "engine/core/forecast.h"

namespace tidecast {
namespace {

struct Pinned {
  double mean;
  double dispersion;
  std::array<float, kLevelCount> quantiles;
};

// Source: scipy.stats.nbinom.ppf(level, 1 / a, 1 / (1 + a m)).
TEST(NegativeBinomialTest, QuantilesEqualThoseOfScipy) {
  for (const Pinned& pinned : {Pinned{.3, 2, {0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3}},
                               Pinned{4, .5, {0, 0, 0, 1, 2, 2, 3, 4, 5, 6, 9, 11, 13, 15}},
                               Pinned{20, 1.2, {0, 0, 1, 3, 6, 9, 13, 17, 24, 33, 49, 65, 81, 103}},
                               Pinned{150, .3, {33, 44, 58, 80, 98, 116, 135, 156, 180, 212, 261, 307, 351, 406}}}) {
    std::array<float, kLevelCount> got;
    NegativeBinomial{pinned.mean, pinned.dispersion}.Quantiles(kLevels, got);
    EXPECT_EQ(got, pinned.quantiles) << "mean " << pinned.mean;
  }
}

TEST(NegativeBinomialTest, LargeMeansAreNearScipys) {
  const std::array<float, kLevelCount> pinned = {165,  228,  321,  468,  599,  731,  870,
                                                 1026, 1213, 1458, 1848, 2216, 2568, 3020};
  std::array<float, kLevelCount> got;
  NegativeBinomial{1000, .4}.Quantiles(kLevels, got);
  for (size_t l = 0; l < kLevelCount; ++l)
    EXPECT_NEAR(got[l] / pinned[l], 1, kLevels[l] < .1F ? .04 : .01) << "level " << kLevels[l];
}

TEST(NegativeBinomialTest, ProbabilitiesEqualThoseOfScipy) {
  EXPECT_NEAR((NegativeBinomial{.3, 2}.ZeroProbability()), 0.7905694150420949, 1e-12);
  EXPECT_NEAR((NegativeBinomial{4, .5}.Cdf(5)), 0.736625514403292, 1e-12);
  EXPECT_NEAR((NegativeBinomial{20, 1.2}.Cdf(5)), 0.29236980750186464, 1e-12);
  EXPECT_NEAR((NegativeBinomial{2, 0}.ZeroProbability()), std::exp(-2.0), 1e-12);
}

TEST(NegativeBinomialTest, OneWalkGivesWhatManyGive) {
  const NegativeBinomial law{20, 1.2};
  const std::array<float, 5> counts = {-1, 0, 5, 40, 30000};
  std::array<double, 5> got;
  law.Cdf(counts, got);
  for (size_t i = 0; i < counts.size(); ++i) EXPECT_DOUBLE_EQ(got[i], law.Cdf(counts[i])) << counts[i];
}

TEST(NegativeBinomialTest, NormalQuantileIsThatOfTheTables) {
  EXPECT_NEAR(NormalQuantile(.975), 1.959963984540054, 1e-8);
  EXPECT_NEAR(NormalQuantile(.01), -2.326347874040841, 1e-8);
  EXPECT_NEAR(NormalQuantile(.5), 0, 1e-12);
}

}  // namespace
}  // namespace tidecast
