#include "models/stream_forecaster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "models/mean_scale.h"
#include "models/month_profile.h"
#include "models/piece_rows.h"
#include "models/series_statistics.h"
#include "models/year_index.h"
#include "tests/unit/models/forecaster_fixture.h"

namespace tidecast {
namespace {

ForecasterOptions Options(int horizon = 6, size_t block = 8) {
  ForecasterOptions options;
  options.horizon = horizon;
  options.block_series = block;
  options.known_covariates = 2;
  return options;
}

TEST(StreamForecasterTest, ForecastsAreFiniteSortedAndNotNegativeFromTheFirstBucketOn) {
  Shop shop(Options(), 20);
  for (int64_t t = 0; t < 40; ++t) {
    shop.Round(t);
    for (const auto& block : shop.out_) {
      for (size_t i = 0; i < block.quantiles.size(); ++i) {
        ASSERT_TRUE(std::isfinite(block.quantiles[i]));
        ASSERT_GE(block.quantiles[i], 0);
        if (i % kLevelCount > 0) {
          ASSERT_GE(block.quantiles[i], block.quantiles[i - 1]);
        }
      }
      for (const float p : block.zero_probability) ASSERT_TRUE(p >= 0 && p <= 1);
    }
  }
}

TEST(StreamForecasterTest, SameBytesAtAnyNumberOfThreads) {
  Shop one(Options(), 50, 1), four(Options(), 50, 4);
  for (int64_t t = 0; t < 30; ++t) {
    one.Round(t);
    four.Round(t);
    ASSERT_EQ(one.Published(), four.Published()) << t;
  }
  EXPECT_EQ(one.states_, four.states_);
}

TEST(StreamForecasterTest, SameSeedSameBytes) {
  ForecasterOptions options = Options();
  Shop a(options, 10), b(options, 10);
  for (int64_t t = 0; t < 20; ++t) {
    a.Round(t);
    b.Round(t);
  }
  EXPECT_EQ(a.Published(), b.Published());
}

// Whatever comes after t cannot be seen in forecasts made at t. The leaky toy is the negative control: it looks ahead.
TEST(StreamForecasterTest, GarbageAfterTheOriginChangesNoByteOfItsForecasts) {
  for (int64_t cut : {5, 17, 33}) {
    Shop clean(Options(), 12), garbage(Options(), 12);
    garbage.change_ = [cut](size_t, int64_t index, float y) { return index > cut ? 1e6F : y; };
    for (int64_t t = 0; t <= cut; ++t) {
      clean.Round(t);
      garbage.Round(t);
      ASSERT_EQ(clean.Published(), garbage.Published());
    }
    clean.Round(cut + 1);
    garbage.Round(cut + 1);
    EXPECT_NE(clean.Published(), garbage.Published()) << "the test would not see a difference";
  }
}

/// Hourly reals: the regressions on the newest values are awake from some 240 buckets on.
ForecasterOptions HourlyReals(bool at_least_zero = false) {
  ForecasterOptions options;
  options.horizon = 30;
  options.domain = ValueDomain::kReal;
  options.at_least_zero = at_least_zero;
  options.season_lengths = {24};
  return options;
}
constexpr int64_t kGrown = 310;
float Hourly(size_t series, int64_t index) {
  return static_cast<float>(3 * std::sin(static_cast<double>(index % 24) / 3.8) - 2 + 2 * UniformAt(5, series, index));
}

TEST(StreamForecasterTest, GarbageAfterTheOriginChangesNoByteOfHourlyForecasts) {
  for (const bool at_least_zero : {false, true}) {
    Shop clean(HourlyReals(at_least_zero), 2), garbage(HourlyReals(at_least_zero), 2);
    clean.change_ = [](size_t s, int64_t index, float) { return Hourly(s, index); };
    garbage.change_ = [](size_t s, int64_t index, float) { return index > kGrown ? 1e6F : Hourly(s, index); };
    for (int64_t t = 0; t <= kGrown; ++t) {
      clean.Round(t);
      garbage.Round(t);
      ASSERT_EQ(clean.Published(), garbage.Published());
    }
    clean.Round(kGrown + 1);
    garbage.Round(kGrown + 1);
    EXPECT_NE(clean.Published(), garbage.Published()) << "the test would not see a difference";
  }
}

// What is kept at 0 learns as what is not.
TEST(StreamForecasterTest, RealsKeptAtZeroAreForecastAsRealsAndCutOffThere) {
  Shop free(HourlyReals(), 2), kept(HourlyReals(true), 2);
  free.change_ = kept.change_ = [](size_t s, int64_t index, float) {
    const float load = Hourly(s, index) + 5.2F;
    return index < kGrown ? load : std::max(.01F, load - .2F * static_cast<float>(index - kGrown));
  };
  size_t below = 0, means_below = 0, above = 0;
  for (int64_t t = 0; t < kGrown + 60; ++t) {
    free.Round(t);
    kept.Round(t);
    const auto& all = free.out_[0];
    const auto& cut = kept.out_[0];
    for (size_t i = 0; i < all.mean.size(); ++i) {
      ASSERT_EQ(cut.mean[i], std::max(all.mean[i], 0.0F)) << t;
      means_below += all.mean[i] < 0 ? 1 : 0;
      for (size_t l = 0; l < kLevelCount; ++l) {
        const float q = all.quantiles[i * kLevelCount + l];
        ASSERT_EQ(cut.quantiles[i * kLevelCount + l], std::max(q, 0.0F)) << t;
        (q < 0 ? below : above) += 1;
        if (q <= 0) {
          ASSERT_GE(cut.zero_probability[i], kLevels[l]);
        }
      }
      if (all.quantiles[i * kLevelCount] > .5F) {
        ASSERT_EQ(cut.zero_probability[i], 0);
      }
    }
  }
  EXPECT_GT(below, 0U) << "the test would not see a cut";
  EXPECT_GT(means_below, 0U);
  EXPECT_GT(above, below);
}

TEST(StreamForecasterTest, HourlySeriesGoOnFromStoredStateAsUninterrupted) {
  Shop whole(HourlyReals(true), 2), cut(HourlyReals(true), 2);
  whole.change_ = cut.change_ = [](size_t s, int64_t index, float) { return Hourly(s, index) + 2; };
  MemoryRows rows;
  for (int64_t t = 0; t < kGrown + 40; ++t) {
    whole.Round(t);
    cut.Round(t);
    ASSERT_EQ(whole.Published(), cut.Published()) << t;
    if (t < kGrown || t % 7 != 0) continue;
    cut.forecaster_->SaveShared(1, rows);
    auto next = MakeForecaster(cut.options_);
    ASSERT_TRUE(next.ok());
    cut.forecaster_ = std::move(next).value();
    ASSERT_TRUE(cut.forecaster_->ReloadShared(rows).ok());
  }
  EXPECT_EQ(whole.states_, cut.states_);
}

TEST(StreamForecasterTest, ALeakyToyFailsTheGarbageTest) {
  // Feeds each bucket's value one bucket too early: what a label used before its close amounts to.
  const int64_t cut = 17;
  Shop clean(Options(), 12), garbage(Options(), 12);
  clean.change_ = [&](size_t s, int64_t index, float) { return Shop::Demand(clean.names_[s], index + 1); };
  garbage.change_ = [&](size_t s, int64_t index, float) {
    return index + 1 > cut ? 1e6F : Shop::Demand(garbage.names_[s], index + 1);
  };
  for (int64_t t = 0; t <= cut; ++t) {
    clean.Round(t);
    garbage.Round(t);
  }
  EXPECT_NE(clean.Published(), garbage.Published());
}

TEST(StreamForecasterTest, SavingLoadingAndGoingOnIsAsUninterruptedAlsoInsideARound) {
  Shop whole(Options(), 30), cut(Options(), 30);
  MemoryRows rows;
  for (int64_t t = 0; t < 24; ++t) {
    whole.Round(t);
    std::vector<SeriesRow> block_rows = cut.Rows(t);
    cut.scores_.assign(block_rows.size(), {});
    cut.forecaster_->BeginRound(cut.Context(t), cut.blocks());
    for (size_t b = 0; b < cut.blocks(); ++b) {
      cut.ScoreBlock(block_rows, b);
      if (b != static_cast<size_t>(t) % cut.blocks()) continue;
      cut.forecaster_->SaveShared(1, rows);
      auto next = MakeForecaster(cut.options_);
      ASSERT_TRUE(next.ok());
      cut.forecaster_ = std::move(next).value();
      ASSERT_TRUE(cut.forecaster_->ReloadShared(rows).ok());
      cut.forecaster_->ResumeRound(cut.Context(t), cut.blocks());
    }
    ASSERT_TRUE(cut.forecaster_->LearnShared().ok());
    cut.forecaster_->SaveShared(2, rows);
    ASSERT_TRUE(cut.forecaster_->ReloadShared(rows).ok());
    cut.forecaster_->ResumeRound(cut.Context(t), cut.blocks());
    cut.Forecast(block_rows);
    ASSERT_EQ(whole.Published(), cut.Published()) << t;
  }
  EXPECT_EQ(whole.states_, cut.states_);
}

TEST(StreamForecasterTest, AReloadForgetsWhatWasNotSaved) {
  Shop shop(Options(), 10), reference(Options(), 10);
  MemoryRows rows;
  for (int64_t t = 0; t < 10; ++t) shop.Round(t), reference.Round(t);
  shop.forecaster_->SaveShared(1, rows);
  const auto states = shop.states_;
  shop.change_ = [](size_t, int64_t, float) { return 77.0F; };
  for (int64_t t = 10; t < 15; ++t) shop.Round(t);
  shop.change_ = nullptr;
  ASSERT_TRUE(shop.forecaster_->ReloadShared(rows).ok());
  shop.states_ = states;
  shop.Round(10);
  reference.Round(10);
  EXPECT_EQ(shop.Published(), reference.Published());
}

TEST(StreamForecasterTest, StoredStateOfAnotherPoolIsRefusedByName) {
  Shop shop(Options(6), 4), other(Options(7), 4);
  MemoryRows rows;
  shop.Round(0);
  shop.forecaster_->SaveShared(1, rows);
  EXPECT_EQ(other.forecaster_->ReloadShared(rows).code(), Code::kInvalidShape);
  rows.rows().begin()->second[0] = 9;
  EXPECT_EQ(shop.forecaster_->ReloadShared(rows).code(), Code::kVersion);
  rows.rows().begin()->second.resize(7);
  EXPECT_EQ(shop.forecaster_->ReloadShared(rows).code(), Code::kCorruption);
}

// A state of format 7 lacks the last part of the pool, and of a round's sums; each one before one part more.
TEST(StreamForecasterTest, AStateFromBeforeTheNewestPartsIsReadAndGoesOn) {
  for (const int format : {5, 6, 7}) {
    Shop shop(Options(), 30);
    MemoryRows rows;
    std::vector<SeriesRow> block_rows;
    for (int64_t t = 0; t < 12; ++t) shop.Round(t);
    block_rows = shop.Rows(12);
    shop.scores_.assign(block_rows.size(), {});
    shop.forecaster_->BeginRound(shop.Context(12), shop.blocks());
    shop.ScoreBlock(block_rows, 0);
    shop.forecaster_->SaveShared(1, rows);
    const auto shorten = [&](const char* key, size_t values, bool has_format) {
      std::string value;
      ASSERT_TRUE(*GetPieces(rows, Family::kModels, key, &value));
      value.resize(value.size() - values * sizeof(double));
      uint32_t count = 0;
      std::memcpy(&count, value.data() + 4, sizeof count);
      count -= static_cast<uint32_t>(values);
      std::memcpy(value.data() + 4, &count, sizeof count);
      if (has_format) value[0] = static_cast<char>(format);
      PutPieces(Family::kModels, key, value, rows);
    };
    const auto lacks = [format](size_t months, size_t years, size_t means) {
      return months + (format < 7 ? years : 0) + (format < 6 ? means : 0);
    };
    shorten("pool", lacks(MonthProfile::pooled_size(), YearIndex::pooled_size(), MeanScale::pooled_size()), true);
    shorten("round", lacks(MonthProfile::sums_size(), YearIndex::sums_size(), MeanScale::sums_size()), false);
    ASSERT_TRUE(shop.forecaster_->ReloadShared(rows).ok());
    shop.forecaster_->ResumeRound(shop.Context(12), shop.blocks());
    for (size_t b = 1; b < shop.blocks(); ++b) shop.ScoreBlock(block_rows, b);
    ASSERT_TRUE(shop.forecaster_->LearnShared().ok());
    shop.Forecast(block_rows);
    shop.Round(13);
    for (const float mean : shop.out_[0].mean) EXPECT_TRUE(std::isfinite(mean));
    shop.forecaster_->SaveShared(2, rows);
    EXPECT_TRUE(shop.forecaster_->ReloadShared(rows).ok()) << "written in the format of today";
    shorten("pool", 1, false);
    EXPECT_EQ(shop.forecaster_->ReloadShared(rows).code(), Code::kInvalidShape);
  }
}

/// Days of a shop that sells three times as much in the last three weeks of each 52.
ForecasterOptions Days() {
  ForecasterOptions options = Options();
  options.horizon = 14;
  options.season_lengths = {7};
  return options;
}
float OfTheYear(size_t series, int64_t index, float) {
  const double usual = 4 + static_cast<double>(series) + 3 * UniformAt(21, series, index);
  return static_cast<float>(std::floor((index % 364 >= 343 ? 3 : 1) * usual));
}

TEST(StreamForecasterTest, ALaterYearKnowsWhatTheOneBeforeDid) {
  Shop shop(Days(), 8);
  shop.change_ = OfTheYear;
  const auto rise = [&shop] {
    double first = 0, last = 0;
    for (size_t at = 0; at < shop.out_[0].mean.size(); at += 14) {
      first += static_cast<double>(shop.out_[0].mean[at]);
      last += static_cast<double>(shop.out_[0].mean[at + 13]);
    }
    return last / first;
  };
  std::vector<double> rises;
  for (int64_t t = 0; t < 3 * 364 - 21 - 4; ++t) {
    shop.Round(t);
    if (t % 364 == 364 - 21 - 5) rises.push_back(rise());
  }
  ASSERT_EQ(rises.size(), 3U);
  EXPECT_LT(rises[0], 1.15) << "nobody can know in the first year";
  EXPECT_GT(rises[1], rises[0] + .1);
  EXPECT_GT(rises[2], 1.8);
}

TEST(StreamForecasterTest, GarbageAfterTheOriginChangesNoByteOfASecondYear) {
  const int64_t cut = 364 + 338;
  Shop clean(Days(), 6), garbage(Days(), 6);
  clean.change_ = OfTheYear;
  garbage.change_ = [cut](size_t s, int64_t index, float y) { return index > cut ? 1e5F : OfTheYear(s, index, y); };
  for (int64_t t = 0; t <= cut; ++t) {
    clean.Round(t);
    garbage.Round(t);
  }
  EXPECT_EQ(clean.Published(), garbage.Published());
  clean.Round(cut + 1);
  garbage.Round(cut + 1);
  EXPECT_NE(clean.Published(), garbage.Published());
}

TEST(StreamForecasterTest, TheSumOfMeansFollowsTheSumOfWhatComes) {
  Shop shop(Options(), 60);
  shop.change_ = [](size_t, int64_t index, float demand) {
    return std::floor(demand * static_cast<float>(std::exp(.03 * static_cast<double>(index))));
  };
  double expected = 0;
  double came = 0;
  for (int64_t t = 0; t < 180; ++t) {
    shop.Round(t);
    for (size_t s = 0; t >= 60 && s < shop.scores_.size(); ++s) {
      expected += static_cast<double>(shop.scores_[s].expected);
      came += static_cast<double>(shop.scores_[s].actual);
    }
  }
  EXPECT_NEAR(expected / came, 1, .04) << "the mixture alone falls 18 % short";
}

// The pool is shared, so neighbours matter through it alone: with the pool's sums the same, a row's place and block do
// not.
TEST(StreamForecasterTest, ARowDoesNotDependOnItsPlaceInTheBlock) {
  Shop shop(Options(6, 64), 40);
  for (int64_t t = 0; t < 20; ++t) shop.Round(t);
  std::vector<SeriesRow> rows = shop.Rows(19);
  const std::vector<std::string> before = shop.states_;
  shop.Forecast(rows);
  const std::string in_company = shop.SeriesPublished(17);
  std::vector<std::string> alone = {before[17]};
  struct ForecastBlock out;
  out.mean.resize(6);
  out.quantiles.resize(6 * kLevelCount);
  out.zero_probability.resize(6);
  out.age_buckets.resize(1);
  shop.forecaster_->ForecastBlock(0, std::span(rows).subspan(17, 1), alone, out);
  EXPECT_EQ(in_company,
            std::string(reinterpret_cast<const char*>(out.quantiles.data()), out.quantiles.size() * sizeof(float)));
  EXPECT_EQ(alone[0], shop.states_[17]);
}

/// A shop in which a lamp, which sells some eight a bucket, and a card, which sells one in eight of them, come up by
/// turns from the twentieth round on; all sell one in their first bucket.
struct LaunchingShop : Shop {
  static constexpr uint64_t kLamps = 71, kCards = 72;
  static constexpr size_t kOld = 10;
  LaunchingShop() : Shop(Options(), kOld) {
    change_ = [this](size_t series, int64_t index, float demand) {
      if (series < kOld) return demand;
      if (index == born_[series - kOld]) return 1.0F;
      const double u = UniformAt(5, series, index);
      return categories_[series] == kLamps ? static_cast<float>(std::floor(16 * u)) : u < .125 ? 1.0F : 0.0F;
    };
  }
  void Play(int64_t from, int64_t to) {
    for (int64_t t = from; t < to; ++t) {
      if (t >= 20) Bear(t, t % 2 == 0 ? kLamps : kCards);
      Round(t);
    }
  }
  void Bear(int64_t t, uint64_t category) {
    born_.push_back(t);
    Launch("new" + std::to_string(born_.size()), category);
  }
  float NextMean(size_t series) const {
    return out_[series / options_.block_series]
        .mean[series % options_.block_series * static_cast<size_t>(options_.horizon)];
  }
  std::vector<int64_t> born_;
};

TEST(StreamForecasterTest, ANewSeriesBeginsWhereItsCategoryDid) {
  LaunchingShop shop;
  shop.Play(0, 80);
  for (const uint64_t category : {LaunchingShop::kLamps, LaunchingShop::kCards, uint64_t{0}}) shop.Bear(80, category);
  shop.Round(80);
  const size_t lamp = shop.names_.size() - 3;
  EXPECT_GT(shop.NextMean(lamp), 2 * shop.NextMean(lamp + 1));
  EXPECT_GT(shop.NextMean(lamp), shop.NextMean(lamp + 2)) << "without a category it begins at the pool's";
  EXPECT_LT(shop.NextMean(lamp + 1), shop.NextMean(lamp + 2));
}

TEST(StreamForecasterTest, GarbageAfterTheOriginChangesNoByteOfNewSeries) {
  LaunchingShop clean, garbage;
  const auto demand = garbage.change_;
  garbage.change_ = [&](size_t series, int64_t index, float y) { return index > 50 ? 1e6F : demand(series, index, y); };
  for (int64_t t = 0; t <= 50; ++t) {
    clean.Play(t, t + 1);
    garbage.Play(t, t + 1);
    ASSERT_EQ(clean.Published(), garbage.Published()) << t;
  }
  clean.Play(51, 52);
  garbage.Play(51, 52);
  EXPECT_NE(clean.Published(), garbage.Published()) << "the test would not see a difference";
}

TEST(StreamForecasterTest, NewSeriesGoOnFromStoredStateAsUninterrupted) {
  LaunchingShop straight, stopped;
  straight.Play(0, 45);
  stopped.Play(0, 40);
  MemoryRows store;
  stopped.forecaster_->SaveShared(1, store);
  stopped.forecaster_ = std::move(MakeForecaster(stopped.options_)).value();
  ASSERT_TRUE(stopped.forecaster_->ReloadShared(store).ok());
  stopped.Play(40, 45);
  EXPECT_EQ(straight.Published(), stopped.Published());
  EXPECT_EQ(straight.states_, stopped.states_);
}

TEST(StreamForecasterTest, ExplanationsOfANewSeriesSumToItsForecast) {
  LaunchingShop shop;
  shop.Play(0, 60);
  const size_t newest = shop.names_.size() - 1;
  const std::vector<Explanation> all = shop.forecaster_->Explain(shop.Context(59), shop.states_[newest]);
  ASSERT_EQ(all.size(), static_cast<size_t>(shop.options_.horizon));
  for (const Explanation& one : all) {
    EXPECT_NEAR(one.Sum(), static_cast<double>(one.mean), 1e-5);
  }
  EXPECT_NEAR(all[0].mean, shop.NextMean(newest), 1e-5);
}

TEST(StreamForecasterTest, AMissingValueIsNeitherScoredNorLearned) {
  const float missing = std::numeric_limits<float>::quiet_NaN();
  for (const float odd :
       {missing, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), 3e38F}) {
    Shop shop(Options(), 3);
    shop.change_ = [odd](size_t s, int64_t index, float y) { return s == 1 && index % 4 == 3 ? odd : y; };
    for (int64_t t = 0; t < 30; ++t) {
      shop.Round(t);
      for (const auto& block : shop.out_) {
        for (const float q : block.quantiles) ASSERT_TRUE(std::isfinite(q));
      }
      if (t == 19) {
        EXPECT_TRUE(std::isnan(shop.scores_[1].actual));
        EXPECT_EQ(shop.scores_[1].tail_low, 1);
        EXPECT_TRUE(shop.scores_[0].has_forecast);
      }
    }
  }
}

TEST(StreamForecasterTest, AWildValueHasATinyUpperTail) {
  Shop shop(Options(), 5);
  shop.change_ = [](size_t s, int64_t index, float) {
    return s == 2 && index == 59 ? 5000.0F : static_cast<float>(5 + (index * 7 + static_cast<int64_t>(s)) % 5);
  };
  for (int64_t t = 0; t < 60; ++t) shop.Round(t);
  EXPECT_LT(shop.scores_[2].tail_high, 1e-5);
  EXPECT_GT(shop.scores_[1].tail_high, .01);
}

TEST(StreamForecasterTest, AWildValueIsScoredAsItIsAndSpoilsNoForecast) {
  Shop calm(Options(), 40), spoilt(Options(), 40);
  const auto usual = [](size_t s, int64_t index, float) {
    return static_cast<float>(5 + (index * 7 + static_cast<int64_t>(s)) % 5);
  };
  calm.change_ = usual;
  spoilt.change_ = [usual](size_t s, int64_t index, float y) {
    return s == 2 && index == 59 ? 5000.0F : usual(s, index, y);
  };
  const size_t width = static_cast<size_t>(Options().horizon) * kLevelCount;
  for (int64_t t = 0; t < 70; ++t) {
    calm.Round(t);
    spoilt.Round(t);
    if (t == 59) {
      EXPECT_EQ(spoilt.scores_[2].actual, 5000) << "alerts and scores see it whole";
    }
    if (t != 59 && t != 61 && t != 69) continue;
    SCOPED_TRACE(t);
    for (size_t i = 0; i < calm.out_[0].quantiles.size(); ++i) {
      const bool own = i / width == 2;
      // Its own upper quantiles have learned that such days are, up to what such a day counts for: three times 9.
      const float bound = own && i % kLevelCount > kMedian ? 27 : own ? 4 : 1.5F;
      EXPECT_NEAR(spoilt.out_[0].quantiles[i], calm.out_[0].quantiles[i], bound) << "series " << i / width;
    }
  }
}

TEST(StreamForecasterTest, ANewLevelIsLearnedInAFewBuckets) {
  Shop shop(Options(), 5);
  shop.change_ = [](size_t s, int64_t index, float) {
    const auto usual = static_cast<float>(5 + (index * 7 + static_cast<int64_t>(s)) % 5);
    return s == 2 && index >= 60 ? 100 * usual : usual;
  };
  for (int64_t t = 0; t < 72; ++t) shop.Round(t);
  const size_t width = static_cast<size_t>(Options().horizon) * kLevelCount;
  EXPECT_GT(shop.out_[0].quantiles[2 * width + kLevelCount - 1], 500);
  EXPECT_LT(shop.out_[0].quantiles[3 * width + kLevelCount - 1], 20);
}

TEST(SeriesStatisticsTest, WinsorisesBeyondThreeTimesTheLargest) {
  std::vector<float> history(kHistory, std::numeric_limits<float>::quiet_NaN());
  std::fill_n(history.begin(), 20, 0.0F);
  std::fill_n(history.begin(), 7, 4.0F);
  EXPECT_EQ(Winsorised(ValueDomain::kCount, 1000, history), 1000) << "seven sales are too few to judge by";
  history[7] = 5;
  EXPECT_EQ(Winsorised(ValueDomain::kCount, 1000, history), 15);
  EXPECT_EQ(Winsorised(ValueDomain::kNonNegative, 15.5F, history), 15);
  EXPECT_EQ(Winsorised(ValueDomain::kCount, 15, history), 15);
  EXPECT_EQ(Winsorised(ValueDomain::kCount, 0, history), 0);
  EXPECT_EQ(Winsorised(ValueDomain::kReal, 1000, history), 1000);
  EXPECT_TRUE(std::isnan(Winsorised(ValueDomain::kCount, std::numeric_limits<float>::quiet_NaN(), history)));
}

TEST(StreamForecasterTest, RealSeriesMayBeNegative) {
  ForecasterOptions options = Options();
  options.domain = ValueDomain::kReal;
  Shop shop(options, 4);
  shop.change_ = [](size_t s, int64_t index, float) {
    return static_cast<float>(-10.0 * static_cast<double>(s) + std::sin(static_cast<double>(index)));
  };
  for (int64_t t = 0; t < 50; ++t) shop.Round(t);
  const auto& q = shop.out_[0].quantiles;
  EXPECT_NEAR(q[3 * 6 * kLevelCount + kMedian], -30, 3);
}

// Eight steps are three groups: within each the error of a walk grows by half and more.
TEST(StreamForecasterTest, BandsOfWalksHoldAsOftenAtEachStep) {
  constexpr size_t kSeries = 30, kSteps = 8;
  constexpr int64_t kRounds = 260;
  ForecasterOptions options = Options(kSteps);
  options.domain = ValueDomain::kReal;
  options.block_series = kSeries;
  Shop shop(options, kSeries);
  std::vector<std::vector<float>> walks(kSeries, std::vector<float>(kRounds + kSteps));
  for (size_t s = 0; s < kSeries; ++s) {
    float value = 0;
    for (size_t t = 0; t < walks[s].size(); ++t) {
      for (uint64_t part = 0; part < 4; ++part) value += static_cast<float>(UniformAt(3, 4 * s + part, t)) - .5F;
      walks[s][t] = value;
    }
  }
  shop.change_ = [&](size_t s, int64_t t, float) { return walks[s][static_cast<size_t>(t)]; };
  std::array<int, kSteps> within{};
  int all = 0;
  for (int64_t t = 0; t < kRounds; ++t) {
    shop.Round(t);
    if (t < 100) continue;
    for (size_t s = 0; s < kSeries; ++s, ++all) {
      for (size_t h = 0; h < kSteps; ++h) {
        const float* q = shop.out_[0].quantiles.data() + (s * kSteps + h) * kLevelCount;
        const float actual = walks[s][static_cast<size_t>(t) + 1 + h];
        within[h] += actual >= q[2] && actual <= q[10] ? 1 : 0;
      }
    }
  }
  for (size_t h = 0; h < kSteps; ++h) EXPECT_NEAR(static_cast<double>(within[h]) / all, .8, .05) << h + 1;
}

/// Runs a shop whose amounts come in steps and returns the quantiles of its last round.
std::vector<float> QuantilesOfSteps(ValueDomain domain, float step) {
  ForecasterOptions options = Options();
  options.domain = domain;
  options.known_covariates = 0;  // they would blur the steps
  Shop shop(options, 8);
  shop.change_ = [step](size_t, int64_t, float demand) { return std::min(demand, 3.0F) * step; };
  for (int64_t t = 0; t < 60; ++t) shop.Round(t);
  return shop.out_[0].quantiles;
}

TEST(StreamForecasterTest, AQuantileWithinTheHeapOfZerosIsPublishedAsZero) {
  for (const auto& [domain, step] : {std::pair(ValueDomain::kCount, 1.0F), std::pair(ValueDomain::kNonNegative, 1.5F),
                                     std::pair(ValueDomain::kNonNegative, .2F)}) {
    size_t zeros = 0, above = 0;
    for (const float q : QuantilesOfSteps(domain, step)) {
      zeros += q == 0 ? 1 : 0;
      above += q > step / 2 ? 1 : 0;
      EXPECT_TRUE(q == 0 || q > step / 2) << q << " in steps of " << step;
    }
    EXPECT_GT(zeros, 0U);
    EXPECT_GT(above, 0U);
  }
}

TEST(StreamForecasterTest, CountsArePublishedInWholeUnitsAndScoredAsTheyAre) {
  Shop shop(Options(), 8);
  for (int64_t t = 0; t < 60; ++t) shop.Round(t);
  const size_t width = static_cast<size_t>(Options().horizon) * kLevelCount;
  const std::vector<float> published = shop.out_[0].quantiles;
  shop.Round(60);
  size_t between = 0, above = 0;
  for (size_t s = 0; s < shop.scores_.size(); ++s) {
    for (size_t l = 0; l < kLevelCount; ++l) {
      const float q = published[s * width + l], inside = shop.scores_[s].quantiles[l];
      EXPECT_EQ(q, std::floor(inside + .5F)) << s << " " << l;
      between += q != inside ? 1 : 0;
      above += q > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(between, 10U);
  EXPECT_GT(above, 10U);
}

TEST(StreamForecasterTest, ASeriesTakesAtMostFourKibibytesAtHorizonFourteen) {
  Shop shop(Options(14), 1);
  shop.Round(0);
  EXPECT_LE(shop.states_[0].size(), 4096U);
}

TEST(StreamForecasterTest, BeatsSeasonalNaiveOnAWeeklyRhythm) {
  Shop pool(Options(), 60);
  ForecasterOptions naive_options = Options();
  naive_options.experts = {"seasonal_naive_6"};
  naive_options.calibrate = false;
  Shop naive(naive_options, 60);
  double pool_loss = 0, naive_loss = 0;
  for (int64_t t = 0; t < 90; ++t) {
    pool.Round(t);
    naive.Round(t);
    if (t < 40) continue;
    for (size_t s = 0; s < 60; ++s) {
      for (size_t l = 0; l < kLevelCount; ++l) {
        const auto loss = [&](const BucketScore& score) {
          const float error = score.actual - score.quantiles[l];
          return error * (kLevels[l] - (error < 0 ? 1.0F : 0.0F));
        };
        pool_loss += loss(pool.scores_[s]);
        naive_loss += loss(naive.scores_[s]);
      }
    }
  }
  EXPECT_LT(pool_loss, .95 * naive_loss);
}

TEST(StreamForecasterTest, AMissingNetModuleAndAnUnknownExpertAreErrors) {
  ForecasterOptions options = Options();
  options.net_module = "/nowhere/module.so";
  EXPECT_EQ(MakeForecaster(options).status().code(), Code::kNotFound);
  options.net = NetKind::kNone;
  options.experts = {"crystal_ball"};
  EXPECT_EQ(MakeForecaster(options).status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace tidecast
