#include "operators/score_card.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "operators/series_table.h"

namespace tidecast {
namespace {

constexpr int kHorizon = 3;
constexpr size_t kWarmup = 60;

/// 8 SKUs, 120 trading days of the example's orders (CC0).
SeriesTable OnlineRetail() {
  BacktestOptions options;
  const char* source = std::getenv("TIDECAST_SOURCE_DIR");
  options.series_path =
      std::string(source == nullptr ? "." : source) + "/tests/unit/operators/data/online_retail_8.csv";
  options.frequency = "1d";
  options.warmup = kWarmup;
  Result<SeriesTable> table = SeriesTable::Read(options);
  EXPECT_TRUE(table.ok()) << table.status().message();
  return std::move(table).value();
}

/// Forecasts made by arithmetic: order statistics of the last `window` values, moved apart by `shift`.
ScoreCard ScoreOf(const SeriesTable& table, const ScoreConstants& constants, size_t window, double shift) {
  ScoreCard card(table, constants, ValueDomain::kCount, kHorizon);
  for (size_t cutoff = kWarmup - 1; cutoff + kHorizon < table.buckets(); ++cutoff) {
    card.BeginOrigin();
    for (size_t s = 0; s < table.names.size(); ++s) {
      std::vector<float> last;
      float sum = 0;
      for (size_t t = cutoff + 1 - window; t <= cutoff; ++t) {
        last.push_back(table.Actual(s, t));
        sum += last.back();
      }
      std::sort(last.begin(), last.end());
      for (size_t h = 0; h < kHorizon; ++h) {
        std::vector<float> quantiles;
        for (size_t l = 0; l < kLevelCount; ++l) {
          const auto at =
              static_cast<size_t>(std::floor(static_cast<double>(kLevels[l]) * static_cast<double>(window)));
          quantiles.push_back(static_cast<float>(last[std::min(window - 1, at)] +
                                                 shift * static_cast<double>(h + 1) * static_cast<double>(l) / 8.0));
        }
        card.Add(s, cutoff, h + 1, sum / static_cast<float>(window) + .5F * static_cast<float>(h), quantiles);
      }
    }
  }
  return card;
}

const ScoreFigures& Named(const std::vector<ScoreTable::Part>& parts, const std::string& name) {
  for (const auto& part : parts) {
    if (part.name == name) return part.figures;
  }
  ADD_FAILURE() << "no part " << name;
  static const ScoreFigures none;
  return none;
}

// Pinned: an independent scorer in numpy 2 over the same series and the same arithmetic.
TEST(ScoreCardTest, AgreesWithAnIndependentScorer) {
  const SeriesTable table = OnlineRetail();
  const ScoreConstants constants = ScoreConstants::Of(table);
  EXPECT_EQ(constants.season, 6);
  EXPECT_EQ(constants.demand_class, (std::vector<uint8_t>{3, 3, 1, 3, 3, 1, 1, 1}));
  const ScoreTable scores = ScoreOf(table, constants, 28, .3).Table();
  const ScoreFigures& all = scores.all;
  EXPECT_EQ(all.forecasts, 1392U);
  const auto near = [](double got, double wanted) {
    EXPECT_NEAR(got, wanted, 2e-6 * std::max(1.0, std::fabs(wanted)));
  };
  near(all.wql, .82184298);
  near(all.wape, .92053814);
  near(all.bias, -.0027155723);
  near(all.mse, 7353.3457);
  near(all.rmse, 85.751651);
  near(all.mae, 23.569612);
  near(all.r2, .069646394);
  near(all.mase, .66910586);
  near(all.rmsse, .69681578);
  near(all.width80, 3.199523);
  near(all.width95, 9.2175528);
  near(all.cover[0], .49728383);
  near(all.cover[1], .80704113);
  near(all.cover[2], .90276318);
  near(all.cover[3], .95854132);
  ASSERT_EQ(scores.by_class.size(), 2U);
  near(Named(scores.by_class, "erratic").wql, .73911261);
  near(Named(scores.by_class, "lumpy").wql, .868704);
  near(Named(scores.by_class, "lumpy").bias, -.033091399);
  near(Named(scores.by_class, "lumpy").width95, 9.9814705);
  ASSERT_EQ(scores.by_horizon.size(), 3U);
  near(Named(scores.by_horizon, "1").wql, .82333047);
  near(Named(scores.by_horizon, "3").mse, 7739.6644);
}

TEST(ScoreCardTest, ComparesLossesAsTheIndependentScorerDoes) {
  const SeriesTable table = OnlineRetail();
  const ScoreConstants constants = ScoreConstants::Of(table);
  const ScoreCard first = ScoreOf(table, constants, 28, .3);
  const ScoreCard second = ScoreOf(table, constants, 16, 0);
  const LossComparison comparison = CompareLosses(first.origin_losses(), second.origin_losses(), kHorizon);
  EXPECT_NEAR(comparison.t, -2.0800206786944586, 1e-5);
  EXPECT_NEAR(comparison.p, .03752363621629757, 1e-6);
  EXPECT_NEAR(comparison.relative, .977776883540843, 1e-7);
  const LossComparison mirrored = CompareLosses(second.origin_losses(), first.origin_losses(), kHorizon);
  EXPECT_DOUBLE_EQ(mirrored.t, -comparison.t);
  EXPECT_TRUE(std::isnan(CompareLosses(first.origin_losses(), first.origin_losses(), kHorizon).t))
      << "no difference, no test";
}

/// One series of ones from bucket 10 on, born at bucket 5 with zeros; a missing value at 40; a promotion on each tenth
/// bucket.
SeriesTable Invented() {
  SeriesTable table;
  table.names = {"a"};
  table.known_names = {"Promo_depth", "price"};
  table.known_width = 2;
  table.season_lengths = {7};
  table.first_row = {5};
  for (size_t t = 0; t < 100; ++t) {
    table.labels.push_back(std::to_string(t));
    table.actual.push_back(t < 5 || t == 40 ? NAN : t < 10 ? 0.F : static_cast<float>(1 + t % 2));
    table.known.push_back(t % 10 == 0 ? .25F : 0.F);
    table.known.push_back(2.5F);
  }
  table.last_actual = 99;
  return table;
}

TEST(ScoreCardTest, TellsAgesAndPromotionsApartAndLeavesMissingOut) {
  const SeriesTable table = Invented();
  const ScoreConstants constants = ScoreConstants::Of(table);
  EXPECT_EQ(constants.demand_class[0], 0) << "zeros before the first sale do not count";
  EXPECT_DOUBLE_EQ(constants.squared_scale[0], 1);
  EXPECT_DOUBLE_EQ(constants.absolute_scale[0], 1);
  ScoreCard card(table, constants, ValueDomain::kCount, 1);
  const std::vector<float> ones(kLevelCount, 1.F);
  for (size_t t = 5; t + 1 < 100; ++t) {
    card.BeginOrigin();
    card.Add(0, t, 1, 1, ones);
  }
  const ScoreTable scores = card.Table();
  EXPECT_EQ(scores.all.forecasts, 93U) << "94 targets, one of them missing";
  EXPECT_EQ(Named(scores.by_age, "1-14").forecasts, 14U);
  EXPECT_EQ(Named(scores.by_age, "15-60").forecasts, 45U) << "46, one missing";
  EXPECT_EQ(Named(scores.by_age, "61+").forecasts, 34U);
  ASSERT_EQ(scores.by_column.size(), 1U) << "a price is no switch";
  EXPECT_EQ(scores.by_column[0].name, "Promo_depth");
  EXPECT_EQ(scores.by_column[0].on.forecasts, 8U) << "10, 20, 30, 50 ... 90; 40 is missing";
  EXPECT_EQ(scores.by_column[0].off.forecasts, 85U);
  EXPECT_DOUBLE_EQ(scores.by_column[0].on.wape, 0);
  EXPECT_GT(scores.by_column[0].off.wape, .3);
  EXPECT_DOUBLE_EQ(card.origin_losses()[40 - 1 - 5], 0) << "no loss where nothing is known";
}

}  // namespace
}  // namespace tidecast
