#include <limits>

#include "models/net_keeper.h"
#include "models/net_weights.h"
#include "models/piece_rows.h"
#include "tests/unit/models/forecaster_fixture.h"
#include "tests/unit/torch/net_fixture.h"

namespace tidecast {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr int64_t kRounds = 30;
constexpr int64_t kYoung = 14;

ForecasterOptions Options(NetKind kind) {
  ForecasterOptions options;
  if (kind != NetKind::kLstm) options.net_steps_per_round = 1;  // to be quick
  options.horizon = 4;
  options.block_series = 8;
  options.known_covariates = 1;
  options.net_module = TIDECAST_NET_MODULE;
  options.device = "cpu";
  return options;
}

/// A shop with a net; the known covariate is a promotion that doubles what is sold.
class NetShop : public Shop {
 public:
  explicit NetShop(size_t series, size_t threads = 1, NetKind kind = NetKind::kLstm)
      : Shop(Options(kind), series, threads, kind) {
    covariate_ = [](size_t s, int64_t t) { return Promoted(s, t) ? 1.0F : 0.0F; };
    change_ = [](size_t s, int64_t t, float y) { return Promoted(s, t) ? 2 * y : y; };
  }
  static bool Promoted(size_t series, int64_t t) { return Mix64(series * 977 + static_cast<uint64_t>(t)) % 5 == 0; }
};

NetKeeper& Keeper(NetShop& shop) { return dynamic_cast<NetKeeper&>(*shop.forecaster_); }

/// What holds for every kind of net.
class NetKindForecasterTest : public testing::TestWithParam<NetKind> {
 protected:
  static NetShop Make(size_t series, size_t threads = 1) { return NetShop(series, threads, GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Kinds, NetKindForecasterTest,
                         testing::Values(NetKind::kLstm, NetKind::kGru, NetKind::kTcn, NetKind::kAttention,
                                         NetKind::kMlp),
                         [](const auto& info) { return std::string(NetKindName(info.param)); });

TEST_P(NetKindForecasterTest, SameBytesAtAnyNumberOfThreads) {
  NetShop one = Make(20, 1), four = Make(20, 4);
  for (int64_t t = 0; t < kRounds; ++t) {
    one.Round(t);
    four.Round(t);
    ASSERT_TRUE(one.Published() == four.Published()) << t;
  }
  EXPECT_TRUE(one.states_ == four.states_);
  EXPECT_GT(one.forecaster_->Stats().net_steps, 20) << "the net has not learnt: the test would not see it";
}

TEST_P(NetKindForecasterTest, GarbageAfterTheOriginChangesNoByteOfItsForecasts) {
  const int64_t cut = 27;
  NetShop clean = Make(12), garbage = Make(12);
  garbage.change_ = [&](size_t s, int64_t t, float y) { return t > cut ? 1e6F : clean.change_(s, t, y); };
  for (int64_t t = 0; t <= cut; ++t) {
    clean.Round(t);
    garbage.Round(t);
    ASSERT_TRUE(clean.Published() == garbage.Published()) << t;
  }
  EXPECT_GT(clean.forecaster_->Stats().net_steps, 20);
  clean.Round(cut + 1);
  garbage.Round(cut + 1);
  EXPECT_TRUE(clean.Published() != garbage.Published()) << "the test would not see a difference";
}

TEST(NetForecasterTest, PartsOfAnExplanationSumToTheMeanWithTheNetToo) {
  NetShop shop(6);
  for (int64_t t = 0; t < kRounds; ++t) shop.Round(t);
  size_t moved = 0;
  for (size_t s = 0; s < 6; ++s) {
    const std::vector<Explanation> steps = shop.forecaster_->Explain(shop.Context(kRounds - 1), shop.states_[s]);
    ASSERT_EQ(steps.size(), 4U);
    for (size_t h = 0; h < steps.size(); ++h) {
      const double mean = static_cast<double>(shop.out_[0].mean[s * 4 + h]);
      EXPECT_NEAR(steps[h].Sum(), mean, 1e-3 * std::max(1.0, mean)) << s << " " << h;
      EXPECT_NEAR(steps[h].mean, mean, 1e-3 * std::max(1.0, mean)) << s << " " << h;
      moved += std::fabs(steps[h].net) > .05F ? 1 : 0;
    }
  }
  EXPECT_GT(moved, 3U) << "the net says nothing: the test would not see its part";
}

TEST(NetForecasterTest, TheMeanGoesWhereTheNetMovesTheQuantiles) {
  NetShop shop(12);
  ForecasterOptions without = shop.options_;
  Shop experts(without, 12, 1, NetKind::kNone);
  experts.covariate_ = shop.covariate_;
  experts.change_ = shop.change_;
  size_t far = 0;
  for (int64_t t = 0; t < 2 * kRounds; ++t) {
    shop.Round(t);
    experts.Round(t);
    if (t < kRounds) continue;
    for (size_t s = 0; s < 12; ++s) {
      const std::vector<Explanation> steps = shop.forecaster_->Explain(shop.Context(t), shop.states_[s]);
      for (size_t h = 0; h < steps.size(); ++h) {
        const size_t at = ((s % 8) * 4 + h) * kLevelCount;
        float deciles = 0;
        for (size_t l = 2; l <= 10; ++l)
          deciles += (shop.out_[s / 8].quantiles[at + l] - experts.out_[s / 8].quantiles[at + l]) / 9;
        EXPECT_NEAR(steps[h].net, deciles, 1 + .35F * std::fabs(deciles)) << s << " " << t;
        far += std::fabs(deciles) > 2 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(far, 10U) << "the net moves little: the test would not see a mean that stays";
}

TEST(NetForecasterTest, StatesOfBeforeTheMeanFollowedTheNetAreRead) {
  NetShop old(6), now(6);
  for (int64_t t = 0; t < kRounds; ++t) {
    old.Round(t);
    now.Round(t);
  }
  for (std::string& state : old.states_) state.resize(state.size() - 4 * 2);  // a half for each step ahead
  for (const Explanation& step : old.forecaster_->Explain(old.Context(kRounds - 1), old.states_[0]))
    EXPECT_EQ(step.net, 0);
  old.Round(kRounds);
  now.Round(kRounds);
  EXPECT_TRUE(old.Published() == now.Published());
  EXPECT_TRUE(old.states_ == now.states_);
}

TEST(NetForecasterTest, KnownColumnsBeyondTheHorizonChangeNoByte) {
  const int64_t cut = 27;
  NetShop clean(12), garbage(12);
  garbage.covariate_ = [&](size_t s, int64_t t) { return t > cut + 4 ? 1e6F : clean.covariate_(s, t); };
  for (int64_t t = 0; t <= cut; ++t) {
    clean.Round(t);
    garbage.Round(t);
    ASSERT_TRUE(clean.Published() == garbage.Published()) << t;
  }
  clean.Round(cut + 1);
  garbage.Round(cut + 1);
  EXPECT_TRUE(clean.states_ != garbage.states_) << "the net does not see the known column";
}

TEST_P(NetKindForecasterTest, SavingLoadingAndGoingOnIsAsUninterruptedAlsoInsideARound) {
  NetShop whole = Make(20), cut = Make(20);
  MemoryRows rows;
  for (int64_t t = 0; t < kRounds; ++t) {
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
    ASSERT_TRUE(whole.Published() == cut.Published()) << t;
  }
  EXPECT_TRUE(whole.states_ == cut.states_);
  EXPECT_GT(whole.forecaster_->Stats().net_steps, 20);
}

TEST_P(NetKindForecasterTest, MissingValuesAndCovariatesNeverReachTheForecasts) {
  NetShop shop = Make(12);
  const auto change = shop.change_;
  const auto covariate = shop.covariate_;
  shop.change_ = [&](size_t s, int64_t t, float y) {
    return (s + static_cast<size_t>(t)) % 7 == 0    ? kNan
           : (s + static_cast<size_t>(t)) % 11 == 0 ? std::numeric_limits<float>::infinity()
                                                    : change(s, t, y);
  };
  shop.covariate_ = [&](size_t s, int64_t t) { return t % 9 == 0 ? kNan : t % 13 == 0 ? 3e38F : covariate(s, t); };
  for (int64_t t = 0; t < kRounds; ++t) {
    shop.Round(t);
    for (const auto& block : shop.out_) {
      for (const float q : block.quantiles) ASSERT_TRUE(std::isfinite(q)) << t;
      for (const float m : block.mean) ASSERT_TRUE(std::isfinite(m)) << t;
    }
  }
  EXPECT_GT(shop.forecaster_->Stats().net_steps, 20);
  EXPECT_EQ(shop.forecaster_->Stats().net_rejected, 0);
}

TEST(NetForecasterTest, AKnownPromotionLiftsTheForecast) {
  NetShop shop(40);
  double lifted = 0, plain = 0;
  for (int64_t t = 0; t < 70; ++t) {
    shop.Round(t);
    if (t < 60) continue;
    for (size_t s = 0; s < 40; ++s) {
      const auto& block = shop.out_[s / 8];
      const float median = block.quantiles[(s % 8) * 4 * kLevelCount + kMedian];
      float usual = 0;
      for (int64_t back = 0; back < 40; ++back) usual += Shop::Demand(shop.names_[s], t - back) / 40;
      if (usual < 1) continue;
      (NetShop::Promoted(s, t + 1) ? lifted : plain) +=
          static_cast<double>(median / usual) * (NetShop::Promoted(s, t + 1) ? 4 : 1);
    }
  }
  EXPECT_GT(lifted, 1.25 * plain);
}

TEST(NetForecasterTest, WeightsOfAnotherShopAreAWarmStart) {
  NetShop old(20);
  for (int64_t t = 0; t < kRounds; ++t) old.Round(t);
  const Result<std::string> weights = old.forecaster_->ExportNet("another shop");
  ASSERT_TRUE(weights.ok());
  const auto make = [&](const std::string& bytes, int horizon) {
    ForecasterOptions options = Options(NetKind::kLstm);
    options.net = NetKind::kLstm;
    options.season_lengths = {6};
    options.net_weights = bytes;
    options.horizon = horizon;
    return MakeForecaster(options);
  };
  NetShop cold(20), warm(20);
  auto made = make(weights.value(), 4);
  ASSERT_TRUE(made.ok()) << made.status().message();
  warm.forecaster_ = std::move(made).value();
  cold.Round(0), warm.Round(0);
  EXPECT_TRUE(cold.Published() == warm.Published()) << "it is heard before anything was seen of it";
  for (int64_t t = 1; t < 4; ++t) cold.Round(t), warm.Round(t);
  EXPECT_TRUE(cold.Published() != warm.Published()) << "the weights say nothing";
  EXPECT_TRUE(make(weights.value(), 9).ok()) << "another horizon";
  std::string damaged = weights.value();
  damaged[damaged.size() / 2] ^= 1;
  EXPECT_EQ(make(damaged, 4).status().code(), Code::kCorruption);
  EXPECT_EQ(make("not weights", 4).status().code(), Code::kCorruption);
}

TEST(NetForecasterTest, WeightsOfAnotherKindAreRefusedNamingBoth) {
  NetShop gru(4, 1, NetKind::kGru), lstm(4);
  const std::string weights = *gru.forecaster_->ExportNet("another shop");
  const std::string before = *lstm.forecaster_->ExportNet({});
  lstm.options_.net_weights = weights;
  for (const Status& status : {MakeForecaster(lstm.options_).status(), Keeper(lstm).ImportNet(weights, "gru.tcnw"),
                               Keeper(lstm).MeetNet(weights).status()}) {
    EXPECT_EQ(status.code(), Code::kInvalidShape);
    EXPECT_NE(status.message().find("gru"), std::string::npos) << status.message();
    EXPECT_NE(status.message().find("lstm"), std::string::npos) << status.message();
  }
  EXPECT_EQ(*lstm.forecaster_->ExportNet({}), before);
}

TEST(NetForecasterTest, AfterAnImportAndARollbackItGoesOnAsIfNothingHadBeen) {
  NetShop other(8), whole(20), changed(20);
  for (int64_t t = 0; t < 12; ++t) other.Round(t);
  const std::string weights = *other.forecaster_->ExportNet("another shop");
  const int64_t at = 20;
  for (int64_t t = 0; t < at; ++t) whole.Round(t), changed.Round(t);
  MemoryRows rows;
  const auto store = [&] {
    changed.forecaster_->SaveShared(1, rows);
    changed.forecaster_ = std::move(MakeForecaster(changed.options_)).value();
    ASSERT_TRUE(changed.forecaster_->ReloadShared(rows).ok());
  };
  EXPECT_EQ(Keeper(changed).RollBackNet({}, rows).code(), Code::kNotFound);
  EXPECT_EQ(Keeper(changed).ImportNet(weights.substr(0, weights.size() / 2), "torn").code(), Code::kCorruption);
  ASSERT_TRUE(Keeper(changed).ImportNet(weights, "other.tcnw").ok());
  store();
  const NetHistory history = Keeper(changed).NetVersions();
  ASSERT_EQ(history.kept().size(), 2U) << "what it had learned, and what was imported";
  EXPECT_EQ(history.kept()[0].origin, NetVersion::Origin::kLearned);
  EXPECT_EQ(history.kept()[1].origin, NetVersion::Origin::kImported);
  EXPECT_EQ(history.kept()[1].provenance, "other.tcnw (another shop)");
  EXPECT_EQ(history.current(), 2);
  for (const NetVersion& version : history.kept()) {
    EXPECT_GT(version.windows, 0);
    EXPECT_GT(version.loss, 0);
  }
  EXPECT_NE(history.kept()[0].loss, history.kept()[1].loss);
  EXPECT_EQ(history.kept()[0].base_loss, history.kept()[1].base_loss) << "judged on the same windows";
  NetShop imported(20);
  imported.forecaster_ = std::move(MakeForecaster(imported.options_)).value();
  ASSERT_TRUE(imported.forecaster_->ReloadShared(rows).ok());
  imported.states_ = changed.states_;
  imported.Round(at);

  EXPECT_EQ(Keeper(changed).RollBackNet(3, rows).code(), Code::kNotFound);
  ASSERT_TRUE(Keeper(changed).RollBackNet({}, rows).ok());
  store();
  EXPECT_EQ(Keeper(changed).NetVersions().current(), 1);
  for (int64_t t = at; t < at + 8; ++t) {
    whole.Round(t), changed.Round(t);
    EXPECT_TRUE(t > at || imported.Published() != changed.Published()) << "the import said nothing";
    ASSERT_TRUE(whole.Published() == changed.Published()) << t;
  }
  EXPECT_TRUE(whole.states_ == changed.states_);
}

TEST(NetForecasterTest, KeepsAVersionNowAndThenByItself) {
  NetShop shop(4);
  MemoryRows rows;
  for (int64_t t = 0; t < 64; ++t) shop.Round(t);
  ASSERT_EQ(Keeper(shop).NetVersions().kept().size(), 1U);
  const NetVersion version = Keeper(shop).NetVersions().kept()[0];
  EXPECT_EQ(version.rounds, 64);
  EXPECT_EQ(version.steps, shop.forecaster_->Stats().net_steps);
  shop.forecaster_->SaveShared(1, rows);
  EXPECT_TRUE(rows.rows().contains("net/version/00000001"));
  EXPECT_EQ(rows.rows().at("net/version/00000001"), rows.rows().at("net/weights"));
}

TEST(NetForecasterTest, NoRowIsLargerThanABrokerTakes) {
  NetShop shop(4);
  MemoryRows rows;
  for (int64_t t = 0; t < 64; ++t) shop.Round(t);
  shop.forecaster_->SaveShared(1, rows);
  ASSERT_FALSE(Keeper(shop).NetVersions().kept().empty());
  EXPECT_GT(shop.forecaster_->ExportNet({})->size(), kPieceBytes) << "the test would not see it";
  for (const auto& [key, row] : rows.rows()) EXPECT_LE(row.size(), kPieceBytes) << key;
}

TEST(NetForecasterTest, ANewNetTakesOverWhatAnotherInstanceHasLearnt) {
  NetShop old(20), cold(20), joined(20);
  for (int64_t t = 0; t < kRounds; ++t) old.Round(t);
  const Result<bool> moved = Keeper(joined).MeetNet(*old.forecaster_->ExportNet("instance i2"));
  ASSERT_TRUE(moved.ok()) << moved.status().message();
  EXPECT_TRUE(*moved);
  EXPECT_EQ(Keeper(joined).NetVersions().kept().at(0).provenance, "instance i2");
  for (int64_t t = 0; t < 3; ++t) cold.Round(t), joined.Round(t);
  EXPECT_TRUE(cold.Published() != joined.Published()) << "the weights say nothing";
}

TEST(NetForecasterTest, WhatAnotherInstanceHasLearntIsTakenInOnlyIfItIsNoWorse) {
  NetShop other(12), shop(20), untouched(20);
  for (int64_t t = 0; t < kRounds; ++t) other.Round(t);
  for (int64_t t = 0; t < kYoung; ++t) shop.Round(t), untouched.Round(t);
  NetWeights bad = *NetWeights::Decode(*other.forecaster_->ExportNet("instance i2"));
  std::vector<float> average = NetFixture::Read(bad.blob, NetFixture::kAverage);
  for (float& weight : average) weight *= 20;
  bad.blob = NetFixture::Write(bad.blob, NetFixture::kAverage, average);
  EXPECT_FALSE(*Keeper(shop).MeetNet(bad.Encode()));
  EXPECT_TRUE(Keeper(shop).NetVersions().kept().empty());
  EXPECT_EQ(*shop.forecaster_->ExportNet({}), *untouched.forecaster_->ExportNet({})) << "left as it was";
  EXPECT_EQ(Keeper(shop).MeetNet("torn").status().code(), Code::kCorruption);

  ASSERT_TRUE(*Keeper(shop).MeetNet(*other.forecaster_->ExportNet("instance i2")))
      << "a young net learns from an old one";
  const NetHistory history = Keeper(shop).NetVersions();
  ASSERT_EQ(history.kept().size(), 1U);
  EXPECT_LT(history.kept()[0].loss, history.kept()[0].base_loss);
  EXPECT_NE(*shop.forecaster_->ExportNet({}), *untouched.forecaster_->ExportNet({}));
}

}  // namespace
}  // namespace tidecast
