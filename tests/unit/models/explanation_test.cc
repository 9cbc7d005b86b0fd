#include "models/explanation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tests/unit/models/forecaster_fixture.h"

namespace tidecast {
namespace {

std::string Text(const Explanation& e) {
  std::string text = fmt::format("{} = {} {} {}", e.mean, e.level, e.recent, e.season);
  for (const auto& column : e.known) text += fmt::format(" {}:{}", column.name, column.part);
  for (const auto& voice : e.experts) text += fmt::format(" {}*{}:{}", voice.expert, voice.weight, voice.mean);
  return text;
}

/// A shop that explains: on demand after a round, and between scoring and learning.
class ExplainedShop : public Shop {
 public:
  using Shop::Shop;
  std::vector<Explanation> OnDemand(int64_t index, size_t s) const {
    return forecaster_->Explain(Context(index), states_[s]);
  }
  float Mean(size_t s, size_t h) const {
    return out_[s / options_.block_series]
        .mean[(s % options_.block_series) * static_cast<size_t>(options_.horizon) + h];
  }
  /// As Round; returns the explanations of what was scored, by series.
  std::vector<Explanation> ExplainedRound(int64_t index) {
    std::vector<Explanation> explained(names_.size());
    std::vector<SeriesRow> rows = Rows(index);
    scores_.assign(rows.size(), {});
    forecaster_->BeginRound(Context(index), blocks());
    for (size_t b = 0; b < blocks(); ++b) {
      const std::span<BucketScore> scores = Block(scores_, b);
      forecaster_->ScoreAndLearnBlock(b, Block(rows, b), Block(states_, b), scores, [&](const ExplainRow& explain) {
        for (size_t i = 0; i < scores.size(); ++i) {
          if (scores[i].has_forecast) explained[b * options_.block_series + i] = explain(i);
        }
      });
    }
    EXPECT_TRUE(forecaster_->LearnShared().ok());
    Forecast(rows);
    return explained;
  }
};

ForecasterOptions Counts(size_t known, int horizon = 14) {
  ForecasterOptions options;
  options.horizon = horizon;
  options.block_series = 8;
  options.known_covariates = known;
  options.known_names = {"promotion"};
  return options;
}
ForecasterOptions HourlyReals() {
  ForecasterOptions options;
  options.horizon = 30;
  options.domain = ValueDomain::kReal;
  options.season_lengths = {24, 168};
  return options;
}
/// A day and a wave of 37 hours, which only the regressions can follow.
void MakeHourly(Shop* shop) {
  shop->change_ = [](size_t s, int64_t t, float) {
    const double wave = 4 * std::sin(static_cast<double>(t) / 5.9);
    return static_cast<float>(3 * std::sin(static_cast<double>(t % 24) / 3.8) + wave - 2 + 2 * UniformAt(5, s, t));
  };
}

/// Greatest |sum of the parts - published mean| / max(1, |mean|) of all series and steps.
double WorstError(const ExplainedShop& shop, int64_t index) {
  double worst = 0;
  for (size_t s = 0; s < shop.names_.size(); ++s) {
    const std::vector<Explanation> steps = shop.OnDemand(index, s);
    EXPECT_EQ(steps.size(), static_cast<size_t>(shop.options_.horizon));
    for (size_t h = 0; h < steps.size(); ++h) {
      const double mean = static_cast<double>(shop.Mean(s, h));
      worst = std::max(worst, std::fabs(steps[h].Sum() - mean) / std::max(1.0, std::fabs(mean)));
      double weights = 0, said = 0;
      for (const auto& voice : steps[h].experts) {
        weights += static_cast<double>(voice.weight);
        said += static_cast<double>(voice.weight) * static_cast<double>(voice.mean);
      }
      EXPECT_TRUE(steps[h].experts.empty() || std::fabs(weights - 1) < 1e-5);
      EXPECT_NEAR(said, mean, 1e-4 * std::max(1.0, std::fabs(mean)));
      EXPECT_NEAR(steps[h].mean, mean, 1e-4 * std::max(1.0, std::fabs(mean)));
    }
  }
  return worst;
}

TEST(ExplanationTest, PartsSumToThePublishedMeanOfCountsAtEveryStepAndAge) {
  for (const size_t known : {0U, 2U}) {
    ExplainedShop shop(Counts(known), 9);
    double worst = 0;
    for (int64_t t = 0; t < 60; ++t) {
      shop.Round(t);
      if (t > 8 && t % 7 != 0) continue;
      worst = std::max(worst, WorstError(shop, t));
    }
    RecordProperty(fmt::format("worst_{}", known), fmt::format("{:.2g}", worst));
    EXPECT_LT(worst, 1e-4);
  }
}

TEST(ExplanationTest, OfAClosedBucketTheColumnTakesAllAway) {
  ExplainedShop shop(Counts(1), 9);
  shop.covariate_ = [](size_t, int64_t t) { return t % 5 == 0 ? 0.0F : 1.0F; };
  shop.change_ = [](size_t s, int64_t t, float) {
    return t % 5 == 0 ? 0.0F : 20 + std::floor(9 * static_cast<float>(UniformAt(3, s, t)));
  };
  for (int64_t t = 0; t <= 60; ++t) {
    for (const Explanation& scored : shop.ExplainedRound(t)) {
      EXPECT_NEAR(scored.Sum(), static_cast<double>(scored.mean), 1e-3) << t << " " << Text(scored);
    }
    EXPECT_LT(WorstError(shop, t), 1e-4) << t;
  }
  const std::vector<Explanation> steps = shop.OnDemand(60, 0);
  EXPECT_EQ(steps[4].mean, 0) << Text(steps[4]);
  EXPECT_LT(steps[4].known[0].part, -15) << Text(steps[4]);
  EXPECT_NEAR(steps[3].known[0].part, 0, 4) << "two days were closed before that was known" << Text(steps[3]);
}

TEST(ExplanationTest, PartsSumToThePublishedMeanOfHourlyReals) {
  ExplainedShop shop(HourlyReals(), 2);
  MakeHourly(&shop);
  double worst = 0;
  bool regression = false, profile = false;
  for (int64_t t = 0; t < 420; ++t) {
    shop.Round(t);
    if (t % 10 != 9) continue;
    worst = std::max(worst, WorstError(shop, t));
    const std::vector<Explanation> steps = shop.OnDemand(t, 0);
    for (const auto& voice : steps[0].experts) {
      regression = regression || voice.expert.starts_with("rls");
      profile = profile || voice.expert == "profile_24x7";
    }
  }
  EXPECT_TRUE(profile);
  EXPECT_TRUE(regression) << "the regressions were never awake: the test would not see them";
  EXPECT_LT(worst, 1e-4);
}

TEST(ExplanationTest, PartsSumToThePublishedMeanOfHourlyCounts) {
  ForecasterOptions options = Counts(0, 30);
  options.season_lengths = {24, 168};
  ExplainedShop shop(options, 5);
  shop.change_ = [](size_t s, int64_t t, float y) {
    return t % 24 < 8 ? std::floor(y / 3) : y + static_cast<float>(s);
  };
  double worst = 0;
  float weight = 0;
  std::vector<std::string> before(5);
  for (int64_t t = 0; t < 150; ++t) {
    const std::vector<Explanation> explained = shop.ExplainedRound(t);
    worst = std::max(worst, t % 10 == 9 ? WorstError(shop, t) : 0.0);
    for (size_t s = 0; s < before.size(); ++s) {
      if (t > 0) {
        ASSERT_EQ(Text(explained[s]), before[s]) << t;
      }
      const Explanation next = shop.OnDemand(t, s).at(0);
      before[s] = Text(next);
      for (const auto& voice : next.experts)
        weight = std::max(weight, voice.expert == "profile_24x7" ? voice.weight : 0);
    }
  }
  EXPECT_GT(weight, .05F) << "the profile was never heard: the test would not see it";
  EXPECT_LT(worst, 1e-4);
}

TEST(ExplanationTest, PartsSumToTheMeanThatIsCutOffAtZero) {
  ForecasterOptions options = HourlyReals();
  options.at_least_zero = true;
  ExplainedShop shop(options, 2);
  MakeHourly(&shop);
  size_t cut = 0, whole = 0;
  for (int64_t t = 0; t < 100; ++t) {
    shop.Round(t);
    if (t % 10 != 9) continue;
    for (size_t s = 0; s < 2; ++s) {
      const std::vector<Explanation> steps = shop.OnDemand(t, s);
      for (size_t h = 0; h < steps.size(); ++h) {
        EXPECT_NEAR(steps[h].Sum(), shop.Mean(s, h), 1e-4);
        EXPECT_NEAR(steps[h].mean, shop.Mean(s, h), 1e-4);
        (shop.Mean(s, h) > 0 ? whole : cut) += 1;
      }
    }
  }
  EXPECT_GT(cut, 0U);
  EXPECT_GT(whole, 0U);
}

TEST(ExplanationTest, AScoredForecastIsExplainedAsItWasBeforeItsActualCame) {
  ForecasterOptions options = Counts(2, 3);
  options.season_lengths = {7};
  ExplainedShop shop(options, 6);
  shop.change_ = [](size_t s, int64_t t, float y) { return s % 2 == 0 ? y : t % 7 < 2 ? 0.0F : y + 5; };
  std::vector<std::string> before(6);
  double worst = 0;
  for (int64_t t = 0; t < 230; ++t) {
    if (t < 40 || t >= 190) {
      const std::vector<Explanation> explained = shop.ExplainedRound(t);
      for (size_t s = 0; t > 0 && s < explained.size(); ++s) {
        ASSERT_EQ(shop.scores_[s].expected, explained[s].mean);
        const double mean = static_cast<double>(explained[s].mean);
        worst = std::max(worst, std::fabs(explained[s].Sum() - mean) / std::max(1.0, mean));
        if (t < 40) {
          ASSERT_EQ(Text(explained[s]), before[s]) << t;
        }
      }
    } else {
      shop.Round(t);
    }
    for (size_t s = 0; s < before.size(); ++s) {
      const std::vector<Explanation> steps = shop.OnDemand(t, s);
      before[s] = Text(steps.at(0));
      ASSERT_FLOAT_EQ(steps[0].mean, shop.Mean(s, 0));
    }
  }
  // From the 192nd bucket on the oldest one's place in the season is forgotten.
  RecordProperty("worst", fmt::format("{:.2g}", worst));
  EXPECT_LT(worst, .01);
}

// Of reals the series's own learning moves the mean's weights, too.
TEST(ExplanationTest, AScoredForecastOfRealsIsExplainedBeforeAnythingIsLearned) {
  ForecasterOptions options = HourlyReals();
  options.horizon = 3;
  options.season_lengths = {7};
  ExplainedShop shop(options, 3);
  MakeHourly(&shop);
  std::vector<std::string> before(3);
  for (int64_t t = 0; t < 60; ++t) {
    const std::vector<Explanation> explained = shop.ExplainedRound(t);
    for (size_t s = 0; s < before.size(); ++s) {
      if (t > 0) {
        ASSERT_EQ(Text(explained[s]), before[s]) << t;
      }
      before[s] = Text(shop.OnDemand(t, s).at(0));
    }
  }
}

TEST(ExplanationTest, GarbageAfterTheOriginChangesNoPart) {
  const int64_t cut = 33;
  ExplainedShop clean(Counts(2), 12), garbage(Counts(2), 12);
  garbage.change_ = [cut](size_t, int64_t t, float y) { return t > cut ? 1e6F : y; };
  garbage.covariate_ = [cut](size_t s, int64_t t) {
    return t > cut + 14 ? 1e6F : (t + static_cast<int64_t>(s)) % 7 == 0 ? 1.0F : 0.0F;
  };
  for (int64_t t = 0; t <= cut; ++t) {
    clean.Round(t);
    garbage.Round(t);
  }
  for (size_t s = 0; s < 12; ++s) {
    for (size_t h = 0; h < 14; ++h) {
      ASSERT_EQ(Text(clean.OnDemand(cut, s)[h]), Text(garbage.OnDemand(cut, s)[h]));
    }
  }
  // What is known of the closed bucket may differ from what was known of it ahead.
  garbage.covariate_ = [](size_t, int64_t) { return 5.0F; };
  const auto from_clean = clean.ExplainedRound(cut + 1), from_garbage = garbage.ExplainedRound(cut + 1);
  for (size_t s = 0; s < 12; ++s) ASSERT_EQ(Text(from_clean[s]), Text(from_garbage[s]));
  EXPECT_NE(Text(clean.OnDemand(cut + 1, 0)[0]), Text(garbage.OnDemand(cut + 1, 0)[0]))
      << "the test would not see a difference";
}

TEST(ExplanationTest, SavingAndLoadingChangesNoPart) {
  ExplainedShop whole(Counts(2), 12), cut(Counts(2), 12);
  MemoryRows rows;
  for (int64_t t = 0; t < 30; ++t) {
    whole.Round(t);
    cut.Round(t);
  }
  cut.forecaster_->SaveShared(1, rows);
  auto next = MakeForecaster(cut.options_);
  ASSERT_TRUE(next.ok());
  cut.forecaster_ = std::move(next).value();
  ASSERT_TRUE(cut.forecaster_->ReloadShared(rows).ok());
  for (size_t s = 0; s < 12; ++s) {
    for (size_t h = 0; h < 14; ++h) {
      ASSERT_EQ(Text(whole.OnDemand(29, s)[h]), Text(cut.OnDemand(29, s)[h]));
    }
  }
  const auto from_whole = whole.ExplainedRound(30), from_cut = cut.ExplainedRound(30);
  for (size_t s = 0; s < 12; ++s) ASSERT_EQ(Text(from_whole[s]), Text(from_cut[s]));
}

TEST(ExplanationTest, ExplainingChangesNoForecastAndNoState) {
  ExplainedShop explained(Counts(2), 12), plain(Counts(2), 12);
  for (int64_t t = 0; t < 30; ++t) {
    explained.ExplainedRound(t);
    explained.OnDemand(t, 3);
    plain.Round(t);
    ASSERT_EQ(explained.Published(), plain.Published());
  }
  EXPECT_EQ(explained.states_, plain.states_);
}

TEST(ExplanationTest, ASeriesIsExplainedAloneAsInItsBlock) {
  // The pool is shared; the names that are called are the same, so are the pool's sums but for their order.
  ForecasterOptions one = Counts(2);
  ExplainedShop together(one, 16);
  for (int64_t t = 0; t < 30; ++t) together.Round(t);
  const std::vector<std::string> states = together.states_;
  std::vector<SeriesRow> rows = together.Rows(30);
  std::vector<std::string> in_company, alone;
  const auto explain = [&](std::span<SeriesRow> of, std::span<std::string> with, size_t row, std::string* text) {
    std::vector<BucketScore> scores(of.size());
    together.forecaster_->ScoreAndLearnBlock(0, of, with, scores,
                                             [&](const ExplainRow& call) { *text = Text(call(row)); });
  };
  MemoryRows shared;
  together.forecaster_->SaveShared(1, shared);
  std::string first, second;
  std::vector<std::string> copy = states;
  together.forecaster_->BeginRound(together.Context(30), 2);
  explain(std::span(rows).first(8), std::span(copy).first(8), 5, &first);
  ASSERT_TRUE(together.forecaster_->ReloadShared(shared).ok());
  together.forecaster_->BeginRound(together.Context(30), 2);
  copy = states;
  explain(std::span(rows).subspan(5, 1), std::span(copy).subspan(5, 1), 0, &second);
  EXPECT_EQ(first, second);
}

TEST(ExplanationTest, ADayWithoutAForecastHasNone) {
  ExplainedShop shop(Counts(2), 2);
  EXPECT_TRUE(shop.forecaster_->Explain(shop.Context(0), "").empty());
  for (int64_t t = 0; t < 9; ++t) shop.Round(t);
  EXPECT_EQ(shop.OnDemand(8, 0).size(), 14U);
  EXPECT_TRUE(shop.OnDemand(9, 0).empty());
}

// Each part says what it is named for.
TEST(ExplanationTest, ANewLevelIsRecentASeasonIsSeasonAndAPromotionIsKnown) {
  const auto grown = [](auto demand, int64_t last) {
    ExplainedShop shop(Counts(1, 6), 8);
    shop.covariate_ = [](size_t s, int64_t t) { return (t + static_cast<int64_t>(s)) % 7 == 0 ? 1.0F : 0.0F; };
    shop.change_ = [demand](size_t s, int64_t t, float) {
      // As a shop counts: the fraction by chance.
      return std::floor(demand(s, t) + static_cast<float>(UniformAt(3, s, t)));
    };
    for (int64_t t = 0; t <= last; ++t) shop.Round(t);
    return shop.OnDemand(last, 0);
  };
  const auto flat = [](size_t, int64_t) { return 20.0F; };
  const Explanation calm = grown(flat, 120)[0];
  EXPECT_NEAR(calm.level, 20, 2);
  for (const float part : {calm.recent, calm.season, calm.known[0].part}) EXPECT_NEAR(part, 0, 2.5) << Text(calm);

  const Explanation jumped = grown([](size_t s, int64_t t) { return s == 0 && t > 110 ? 60.0F : 20.0F; }, 120)[0];
  EXPECT_GT(jumped.recent, 10) << Text(jumped);
  EXPECT_GT(jumped.recent, 4 * std::max(std::fabs(jumped.season), std::fabs(jumped.known[0].part))) << Text(jumped);

  // Phase 3 of 6 sells threefold: the third step after bucket 120 has it.
  const auto weekly = grown([](size_t, int64_t t) { return t % 6 == 3 ? 45.0F : 15.0F; }, 120);
  EXPECT_GT(weekly[2].season, 15) << Text(weekly[2]);
  EXPECT_LT(weekly[0].season, -2) << Text(weekly[0]);

  // Step 6 of series 0 is bucket 126, which is promoted.
  const auto promoted =
      grown([](size_t s, int64_t t) { return (t + static_cast<int64_t>(s)) % 7 == 0 ? 60.0F : 20.0F; }, 120);
  EXPECT_EQ(promoted[5].known[0].name, "promotion");
  EXPECT_GT(promoted[5].known[0].part, 10) << Text(promoted[5]);
  EXPECT_LT(promoted[4].known[0].part, 0) << Text(promoted[4]);
}

}  // namespace
}  // namespace tidecast
