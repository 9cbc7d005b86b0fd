#include "operators/trend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "operators/series_trend.h"
#include "operators/trend_calibration.h"

namespace tidecast {
namespace {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
constexpr int kHorizon = 7;

/// The sum of the next horizon when each bucket is Poisson with this mean.
SumMoments PoissonSum(double mean, int horizon = kHorizon) {
  const double sum = mean * horizon;
  return {sum, sum, std::exp(-sum)};
}

SeriesTrend Fresh(int horizon = kHorizon) { return SeriesTrend::Decode({}, horizon).value(); }

TEST(SumOf, TakesMomentsFromQuantilesOfEachStep) {
  // A uniform law from 0 to 12: mean 6, variance 12.
  std::vector<float> mean(2, 6), zero(2, .5F), quantiles;
  for (int h = 0; h < 2; ++h) {
    for (const float level : kLevels) quantiles.push_back(12 * level);
  }
  const SumMoments sum = SumOf(mean, quantiles, zero);
  EXPECT_DOUBLE_EQ(sum.mean, 12);
  EXPECT_NEAR(sum.variance, 24, .2);
  EXPECT_DOUBLE_EQ(sum.zero, .25);
}

TEST(SumLaw, AgreesWithCountsThatWereDrawn) {
  std::mt19937 chance(4);
  for (const double mean : {.4, 3.0, 40.0}) {
    std::poisson_distribution<int> draw(mean);
    constexpr int kDraws = 200'000;
    std::vector<int> above(400);
    std::vector<double> sums;
    for (int i = 0; i < kDraws; ++i) {
      const int sum = draw(chance);
      sums.push_back(sum);
      for (int limit = 0; limit < sum; ++limit) ++above[static_cast<size_t>(limit)];
    }
    const SumLaw law(ValueDomain::kCount, {mean, mean, std::exp(-mean)}, 1);
    for (int limit = 0; limit <= static_cast<int>(mean + 3 * std::sqrt(mean)); ++limit) {
      EXPECT_NEAR(law.Above(limit), above[static_cast<size_t>(limit)] / static_cast<double>(kDraws), .035)
          << mean << " above " << limit;
    }
    std::sort(sums.begin(), sums.end());
    EXPECT_NEAR(law.Quantile(1.2815515655446004), sums[kDraws * 9 / 10], .35 + .02 * mean);
  }
}

TEST(SumLaw, SaysNothingWrongAtTheEdges) {
  const SumLaw none(ValueDomain::kCount, {0, 0, 1}, 1);
  EXPECT_EQ(none.Above(0), 0);
  EXPECT_EQ(none.Above(5), 0);
  EXPECT_EQ(none.Quantile(1.28), 0);
  const SumLaw real(ValueDomain::kReal, {-10, 4, 0}, 1);
  EXPECT_NEAR(real.Above(-10), .5, 1e-9);
  EXPECT_NEAR(real.Quantile(1), -8, 1e-9);
  const SumLaw wide(ValueDomain::kReal, {-10, 4, 0}, 4);
  EXPECT_NEAR(wide.Quantile(1), -6, 1e-9);
}

TEST(SeriesTrend, SaysNothingUntilAHorizonIsKnownAndIsNewForTwo) {
  SeriesTrend series = Fresh();
  const TrendCalibration calibration;
  for (int64_t index = 100; index < 100 + 3 * kHorizon; ++index) {
    series.OnActual(index, 4, kNone);
    const auto trend = series.Next(ValueDomain::kCount, PoissonSum(4), calibration, 0);
    const int64_t seen = index - 99;
    ASSERT_EQ(trend.has_value(), seen >= kHorizon) << seen;
    if (!trend) continue;
    EXPECT_EQ(trend->last, 4 * kHorizon);
    EXPECT_EQ(trend->phase == TrendPhase::kNew, seen < 2 * kHorizon) << seen;
  }
}

TEST(SeriesTrend, NamesWhereDemandIsGoing) {
  const TrendCalibration calibration;
  const auto after = [&](std::vector<float> values, double next_mean) {
    SeriesTrend series = Fresh();
    int64_t index = 0;
    for (const float value : values) series.OnActual(++index, value, kNone);
    return series.Next(ValueDomain::kCount, PoissonSum(next_mean), calibration, 0)->phase;
  };
  std::vector<float> flat(40, 10), peak(40, 10), none(40, 0);
  std::fill(peak.end() - kHorizon, peak.end(), 40);
  EXPECT_EQ(after(flat, 10), TrendPhase::kSteady);
  EXPECT_EQ(after(flat, 20), TrendPhase::kRising);
  EXPECT_EQ(after(flat, 5), TrendPhase::kFading);
  EXPECT_EQ(after(peak, 15), TrendPhase::kPeak);
  EXPECT_EQ(after(peak, 60), TrendPhase::kRising);
  EXPECT_EQ(after(none, 0), TrendPhase::kSteady) << "what sells nothing does not fade";
}

TEST(SeriesTrend, TellsGrowthAheadAgainstGrowthBehind) {
  const TrendCalibration calibration;
  SeriesTrend series = Fresh();
  for (int64_t index = 0; index < 2 * kHorizon; ++index) series.OnActual(index, index < kHorizon ? 10 : 20, kNone);
  const Trend trend = *series.Next(ValueDomain::kCount, PoissonSum(40), calibration, 0);
  EXPECT_EQ(trend.before, 70);
  EXPECT_EQ(trend.last, 140);
  EXPECT_NEAR(trend.acceleration, std::log(281.0 / 141) - std::log(141.0 / 71), 1e-9);
  EXPECT_LT(trend.next[0], trend.next[1]);
  EXPECT_LT(trend.next[1], trend.next[2]);
  EXPECT_NEAR(trend.next[1], 280, 3);
}

TEST(SeriesTrend, AMissingBucketIsNoZeroAndADormantOneIs) {
  const TrendCalibration calibration;
  SeriesTrend missing = Fresh(), dormant = Fresh();
  for (int64_t index = 0; index < 20; ++index) {
    missing.OnActual(index, 3, kNone);
    dormant.OnActual(index, 3, kNone);
  }
  missing.OnActual(23, 3, kNone);
  EXPECT_FALSE(missing.Next(ValueDomain::kCount, PoissonSum(3), calibration, 0).has_value());
  dormant.OnActual(200, 3, 0);
  EXPECT_EQ(dormant.Next(ValueDomain::kCount, PoissonSum(3), calibration, 0)->last, 3);
}

TEST(SeriesTrend, BeginsAnewWhereTheNumbersOfBucketsGoBack) {
  const TrendCalibration calibration;
  SeriesTrend series = Fresh();
  for (int64_t index = 100; index < 130; ++index) {
    series.OnActual(index, 4, kNone);
    series.Next(ValueDomain::kCount, PoissonSum(4), calibration, 0);
  }
  for (int64_t index = 50; index < 50 + kHorizon; ++index) {
    EXPECT_FALSE(series.OnActual(index, 9, kNone).has_value());
    series = SeriesTrend::Decode(series.Encode(), kHorizon).value();
    const auto trend = series.Next(ValueDomain::kCount, PoissonSum(9), calibration, 0);
    EXPECT_EQ(trend.has_value(), index == 49 + kHorizon);
    if (trend) {
      EXPECT_EQ(trend->last, 9 * kHorizon);
    }
  }
}

TEST(SeriesTrend, AnOutcomeComesOneHorizonLaterAndOnce) {
  const TrendCalibration calibration;
  SeriesTrend series = Fresh();
  int matured = 0;
  for (int64_t index = 0; index < 10 * kHorizon; ++index) {
    if (const auto outcome = series.OnActual(index, static_cast<float>(index), kNone)) {
      ++matured;
      EXPECT_EQ(index % kHorizon, 3) << "made when it was this series's turn, one horizon ago";
      EXPECT_TRUE(outcome->rose);
      EXPECT_EQ(outcome->growth, index < 3 * kHorizon ? outcome->growth : 1);
      const double sum = kHorizon * (static_cast<double>(index) - 3);
      EXPECT_NEAR(static_cast<double>(outcome->error), sum - 2 * kHorizon, 1e-3);
    }
    series.Next(ValueDomain::kCount, PoissonSum(2), calibration, 3);
  }
  EXPECT_EQ(matured, 8);
}

TEST(SeriesTrend, GoesOnFromItsBytesAndKnowsNothingOfWhatComes) {
  std::mt19937 chance(9);
  std::poisson_distribution<int> draw(5);
  const TrendCalibration calibration;
  SeriesTrend whole = Fresh(), halted = Fresh(), garbage = Fresh();
  for (int64_t index = 0; index < 60; ++index) {
    const auto value = static_cast<float>(draw(chance));
    whole.OnActual(index, value, kNone);
    halted.OnActual(index, value, kNone);
    const auto a = whole.Next(ValueDomain::kCount, PoissonSum(5), calibration, 2);
    const auto b = halted.Next(ValueDomain::kCount, PoissonSum(5), calibration, 2);
    ASSERT_EQ(a.has_value(), b.has_value());
    if (a) {
      EXPECT_EQ(a->rise, b->rise);
      EXPECT_EQ(a->phase, b->phase);
      EXPECT_EQ(whole.IsNews(*a), halted.IsNews(*b));
    }
    halted = SeriesTrend::Decode(halted.Encode(), kHorizon).value();
    EXPECT_EQ(whole.Encode(), halted.Encode());
  }
  EXPECT_EQ(SeriesTrend::Decode("\x07", kHorizon).status().code(), Code::kVersion);
  const std::string bytes = whole.Encode();
  for (size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_FALSE(SeriesTrend::Decode(std::string_view(bytes).substr(0, size), kHorizon).ok()) << size;
  }
  EXPECT_FALSE(SeriesTrend::Decode(bytes, kHorizon + 1)
                   .value()
                   .Next(ValueDomain::kCount, PoissonSum(5), calibration, 2)
                   .has_value())
      << "made for another horizon";
}

TEST(SeriesTrend, IsNewsWhenItChangesOrAHorizonHasPassed) {
  SeriesTrend series = Fresh();
  Trend trend;
  trend.phase = TrendPhase::kSteady;
  std::vector<int64_t> said;
  for (int64_t index = 0; index < 20; ++index) {
    series.OnActual(index, 1, kNone);
    trend.rise = index < 10 ? .5 : .62;
    if (series.IsNews(trend)) said.push_back(index);
  }
  EXPECT_EQ(said, (std::vector<int64_t>{0, 7, 10, 17}));
  trend.phase = TrendPhase::kFading;
  EXPECT_TRUE(series.IsNews(trend));
}

// A shop of series whose demand is steady within its law, but whose buckets move together: sums spread four times as
// wide as independent buckets would.
TEST(TrendCalibration, LearnsHowWideSumsSpreadAndHowOddsTurnOut) {
  std::mt19937 chance(11);
  std::normal_distribution<double> noise(0, 2 * std::sqrt(70.0));
  TrendCalibration calibration;
  double late_score = 0, late_base = 0;
  int late = 0;
  for (int round = 0; round < 300; ++round) {
    TrendCalibration::Sums sums;
    for (int i = 0; i < 40; ++i) {
      const double last = 70 + noise(chance), next = 70 + noise(chance);
      const SumLaw law(ValueDomain::kReal, {70, 70, 0}, calibration.Inflation(3));
      const double above = std::clamp(law.Above(last), 1e-9, 1 - 1e-9);
      MaturedTrend matured;
      matured.log_odds = static_cast<float>(std::clamp(std::log(above / (1 - above)), -6.0, 6.0));
      matured.rise = static_cast<float>(calibration.Calibrated(3, static_cast<double>(matured.log_odds)));
      matured.error = static_cast<float>(next - 70);
      matured.variance = 70;
      matured.cell = 3;
      matured.growth = last > 70 ? 1 : -1;
      matured.rose = next > last;
      if (round >= 200) {
        ++late;
        late_score += std::pow(static_cast<double>(matured.rise) - (matured.rose ? 1 : 0), 2);
        late_base += .25;
      }
      calibration.Gather(matured, &sums);
    }
    calibration.Fold(sums);
  }
  EXPECT_NEAR(calibration.Inflation(3), 4, .3);
  EXPECT_EQ(calibration.Inflation(1), 1) << "cells learn apart";
  EXPECT_NEAR(calibration.Calibrated(3, 0), .5, .02);
  EXPECT_NEAR(calibration.Calibrated(3, std::log(9.0)), .9, .02) << "odds are right once the spread is";
  // P(next > last) known exactly gives 1/6.
  EXPECT_NEAR(late_score / late, 1.0 / 6, .01);
  EXPECT_LT(calibration.score().brier, calibration.score().brier_base);
  EXPECT_LT(late_score, .8 * late_base);
}

TEST(TrendCalibration, PutsWhatSoldNothingAndWhatIsUncertainApart) {
  EXPECT_EQ(TrendCalibration::CellOf(0, 5, 5), 0);
  EXPECT_EQ(TrendCalibration::CellOf(3, 1, 4), 1);
  EXPECT_EQ(TrendCalibration::CellOf(3, 4, 8), 2);
  EXPECT_EQ(TrendCalibration::CellOf(3, 40, 80), 3);
}

TEST(TrendCalibration, GoesOnFromItsBytes) {
  TrendCalibration calibration;
  TrendCalibration::Sums sums;
  for (int i = 0; i < 30; ++i) {
    MaturedTrend matured;
    matured.log_odds = static_cast<float>(i % 5 - 2);
    matured.error = static_cast<float>(i);
    matured.variance = 9;
    matured.growth = static_cast<int8_t>(i % 3 - 1);
    matured.rose = i % 4 == 0;
    matured.cell = static_cast<uint8_t>(i % 4);
    calibration.Gather(matured, &sums);
  }
  ByteWriter gathered;
  sums.Encode(&gathered);
  ByteReader sums_reader(gathered.view());
  TrendCalibration::Sums again_sums;
  again_sums.Decode(&sums_reader);
  ASSERT_TRUE(sums_reader.Finish("sums").ok());
  TrendCalibration other;
  calibration.Fold(sums);
  other.Fold(again_sums);
  ByteWriter out;
  calibration.Encode(&out);
  ByteReader in(out.view());
  TrendCalibration again;
  again.Decode(&in);
  ASSERT_TRUE(in.Finish("calibration").ok());
  for (const TrendCalibration& one : {again, other}) {
    for (uint8_t cell = 0; cell < TrendCalibration::kCells; ++cell) {
      EXPECT_EQ(one.Inflation(cell), calibration.Inflation(cell));
      EXPECT_EQ(one.Calibrated(cell, 1), calibration.Calibrated(cell, 1));
    }
    EXPECT_EQ(one.score().brier_base, calibration.score().brier_base);
  }
  EXPECT_TRUE(std::isnan(TrendCalibration().score().brier));
}

}  // namespace
}  // namespace tidecast
