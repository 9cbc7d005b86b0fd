#include "operators/stationarity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "operators/series_table.h"

namespace tidecast {
namespace {

/// Sums of 12 uniforms from a 64-bit congruential generator: near normal, and the same in any language.
std::vector<double> Noise(uint64_t seed, size_t n) {
  uint64_t x = seed;
  std::vector<double> noise;
  for (size_t i = 0; i < n; ++i) {
    double sum = -6;
    for (int k = 0; k < 12; ++k) {
      x = x * 6364136223846793005U + 1442695040888963407U;
      sum += static_cast<double>(x >> 11) / 9007199254740992.0;
    }
    noise.push_back(sum);
  }
  return noise;
}

std::map<std::string, std::vector<double>> Series() {
  std::map<std::string, std::vector<double>> all;
  all["noise"] = Noise(1, 200);
  all["walk"] = Noise(2, 300);
  for (size_t t = 1; t < 300; ++t) all["walk"][t] += all["walk"][t - 1];
  const std::vector<double> e = Noise(3, 250);
  all["ar"] = {0};
  for (size_t t = 1; t < 250; ++t) all["ar"].push_back(.7 * all["ar"][t - 1] + e[t]);
  for (double& y : all["ar"]) y += 1000;
  all["trend"] = Noise(4, 150);
  for (size_t t = 0; t < 150; ++t) all["trend"][t] += .05 * static_cast<double>(t);
  all["short"] = Noise(5, 20);
  const char* source = std::getenv("TIDECAST_SOURCE_DIR");
  BacktestOptions options;
  options.series_path =
      std::string(source == nullptr ? "." : source) + "/tests/unit/operators/data/online_retail_8.csv";
  const Result<SeriesTable> table = SeriesTable::Read(options);
  EXPECT_TRUE(table.ok());
  for (const size_t s : {size_t{0}, table->names.size() - 1}) {
    for (size_t t = 0; t < table->buckets(); ++t) all[table->names[s]].push_back(table->Actual(s, t));
  }
  return all;
}

struct Pinned {
  const char* series;
  double adf, adf_p;
  size_t adf_lags;
  double kpss, kpss_p;
  size_t kpss_lags;
};

// Pinned values of statsmodels 0.15.0: adfuller(y, regression="c", autolag="AIC"), kpss(y, regression="c",
// nlags="auto").
const Pinned kPinned[] = {
    {"noise", -13.79099729, 8.9268901e-26, 0, 0.1500602125, 0.1, 7},
    {"walk", -3.060110439, 0.02964952, 0, 0.2004430215, 0.1, 10},
    {"ar", -6.365210926, 2.419343e-08, 1, 0.08224386598, 0.1, 8},
    {"trend", -1.101905609, 0.71431137, 4, 1.711785886, 0.01, 8},
    {"short", 0.8998609512, 0.99308851, 7, 0.3391541345, 0.1, 0},
    {"15036", -10.29906764, 3.4098664e-18, 0, 0.6298735165, 0.0199206, 1},
    {"20712", -10.35415997, 2.4917517e-18, 0, 0.2979403303, 0.1, 1},
};

TEST(StationarityTest, AgreesWithStatsmodels) {
  const auto series = Series();
  for (const Pinned& pinned : kPinned) {
    SCOPED_TRACE(pinned.series);
    const auto adf = AugmentedDickeyFuller(series.at(pinned.series));
    ASSERT_TRUE(adf);
    EXPECT_NEAR(adf->statistic, pinned.adf, 1e-6 * std::fabs(pinned.adf));
    EXPECT_NEAR(adf->p, pinned.adf_p, 1e-5 * pinned.adf_p);
    EXPECT_EQ(adf->lags, pinned.adf_lags);
    const auto kpss = Kpss(series.at(pinned.series));
    ASSERT_TRUE(kpss);
    EXPECT_NEAR(kpss->statistic, pinned.kpss, 1e-8);
    EXPECT_NEAR(kpss->p, pinned.kpss_p, 1e-6);
    EXPECT_EQ(kpss->lags, pinned.kpss_lags);
  }
}

TEST(StationarityTest, SaysNothingOfConstantOrShortSeries) {
  EXPECT_FALSE(AugmentedDickeyFuller(std::vector<double>(100, 3.5)));
  EXPECT_FALSE(Kpss(std::vector<double>(100, 3.5)));
  EXPECT_FALSE(AugmentedDickeyFuller(Noise(1, 8)));
  EXPECT_FALSE(Kpss(Noise(1, 8)));
}

}  // namespace
}  // namespace tidecast
