#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "models/expert.h"
#include "models/known_covariate_expert.h"

namespace tidecast {
namespace {

/// One expert over a few series, driven as the forecaster drives it.
struct Driven {
  explicit Driven(const Expert& e)
      : expert(e),
        pooled(e.pooled_size()),
        states(kSeries * e.state_floats()),
        summaries(kSeries * e.summary_floats()) {
    e.StartPooled(pooled);
    history.assign(kSeries * kHistory, std::numeric_limits<float>::quiet_NaN());
    actual.resize(kSeries);
  }
  static constexpr size_t kSeries = 3;
  ExpertBlock Block(int64_t index) {
    for (int64_t age = 0; age < kHistory; ++age) ages[HistorySlot(index - age)] = static_cast<float>(age);
    TakeKnown(index);
    return {kSeries, index, actual, history, scale, demand_class, observed, inverse, ages, 3.0, known};
  }
  void Step(int64_t index, const std::vector<float>& values) {
    actual = values;
    for (size_t i = 0; i < kSeries; ++i) {
      history[i * kHistory + HistorySlot(index)] = values[i];
      observed[i] += std::isfinite(values[i]) ? 1 : 0;
    }
    expert.Step(Block(index), states, pooled);
    std::vector<double> sums(expert.sums_size());
    expert.GatherStates(Block(index), states, sums);
    if (own_pool) expert.Fold(sums, pooled);
    last = index;
  }
  /// Columns of all series: a price, which falls at times, and a flag of those times.
  void TakeKnown(int64_t index) {
    const bool discount = index % 5 == 0;
    for (size_t i = 0; i < kSeries; ++i) {
      known[2 * i] = static_cast<float>(i + 1) * (discount ? .7F : index % 3 == 0 ? .9F : 1.0F);
      known[2 * i + 1] = discount ? 1 : 0;
    }
  }
  struct Answer {
    std::vector<float> quantiles, mean, zero;
    std::vector<uint8_t> awake;
    bool operator==(const Answer&) const = default;
  };
  Answer Forecast(int horizon) {
    const ExpertBlock block = Block(last);
    expert.Summarise(block, states, pooled, summaries);
    Answer a{std::vector<float>(kSeries * kLevelCount), std::vector<float>(kSeries), std::vector<float>(kSeries),
             std::vector<uint8_t>(kSeries)};
    const std::vector<uint8_t> rows(kSeries, 1);
    TakeKnown(last + horizon);
    expert.Expand(block, {last, horizon, 0, 1.3F, known}, scale, rows, summaries, pooled,
                  {a.quantiles, a.mean, a.zero, a.awake});
    return a;
  }
  const Expert& expert;
  std::vector<double> pooled;
  std::vector<float> states, summaries, history, actual;
  std::vector<float> scale = {1, 4, 50}, inverse = std::vector<float>(kHistory, .9F),
                     ages = std::vector<float>(kHistory);
  std::vector<uint8_t> demand_class = {2, 1, 0};
  std::vector<uint32_t> observed = {0, 0, 0};
  std::vector<float> known = std::vector<float>(2 * kSeries);
  int64_t last = 0;
  bool own_pool = false;  ///< fold what the states give: then series meet in the pool
};

std::vector<float> Values(int64_t t) {
  return {t % 3 == 0 ? 2.0F : 0.0F, static_cast<float>((t * 7) % 9), static_cast<float>(40 + (t * 13) % 21)};
}

class ExpertContractTest : public ::testing::TestWithParam<int> {
 protected:
  std::vector<std::unique_ptr<Expert>> pool_ = MakeExperts({ValueDomain::kCount, {6}, 2}, {});
  const Expert& expert() const { return *pool_[static_cast<size_t>(GetParam())]; }
};

TEST_P(ExpertContractTest, QuantilesAreFiniteNotNegativeAndSortedAtEveryAge) {
  Driven driven(expert());
  driven.own_pool = true;
  for (int64_t t = 0; t < 300; ++t) {
    driven.Step(t, Values(t));
    for (const int h : {1, 6, 14}) {
      const Driven::Answer a = driven.Forecast(h);
      for (size_t i = 0; i < Driven::kSeries; ++i) {
        if (a.awake[i] == 0) continue;
        for (size_t l = 0; l < kLevelCount; ++l) {
          const float q = a.quantiles[i * kLevelCount + l];
          ASSERT_TRUE(std::isfinite(q) && q >= 0);
          if (l > 0) {
            ASSERT_GE(q, a.quantiles[i * kLevelCount + l - 1]);
          }
        }
        ASSERT_TRUE(std::isfinite(a.mean[i]));
        ASSERT_TRUE(a.zero[i] >= 0 && a.zero[i] <= 1);
      }
    }
  }
  EXPECT_EQ(driven.Forecast(1).awake[2], 1) << "asleep after 300 buckets";
}

TEST_P(ExpertContractTest, SameCallsSameBitsAndAForecastChangesNothing) {
  Driven a(expert()), b(expert());
  for (int64_t t = 0; t < 50; ++t) {
    a.Step(t, Values(t));
    b.Step(t, Values(t));
    const std::vector<float> states = a.states, history = a.history;
    a.Forecast(3);
    EXPECT_EQ(a.states, states);
    ASSERT_EQ(std::memcmp(a.history.data(), history.data(), history.size() * sizeof(float)), 0);
  }
  EXPECT_TRUE(a.Forecast(3) == b.Forecast(3));
}

TEST_P(ExpertContractTest, ASeriesNeverSeesItsNeighbours) {
  Driven a(expert()), b(expert());
  for (int64_t t = 0; t < 50; ++t) {
    std::vector<float> other = Values(t);
    other[1] *= 100;
    a.Step(t, Values(t));
    b.Step(t, other);
  }
  const auto x = a.Forecast(2), y = b.Forecast(2);
  for (size_t l = 0; l < kLevelCount; ++l) {
    EXPECT_EQ(x.quantiles[l], y.quantiles[l]);
    EXPECT_EQ(x.quantiles[2 * kLevelCount + l], y.quantiles[2 * kLevelCount + l]);
  }
}

TEST_P(ExpertContractTest, MissingAndInfiniteValuesLeaveTheStateAlone) {
  Driven driven(expert());
  for (int64_t t = 0; t < 20; ++t) driven.Step(t, Values(t));
  const std::vector<float> states = driven.states;
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  driven.Step(20, {nan, inf, -inf});
  EXPECT_EQ(driven.states, states);
  const auto a = driven.Forecast(1);
  for (size_t i = 0; i < Driven::kSeries; ++i) {
    EXPECT_TRUE(a.awake[i] == 0 || std::isfinite(a.quantiles[i * kLevelCount + kMedian]));
  }
}

std::string NameOf(const ::testing::TestParamInfo<int>& info) {
  return std::string(MakeExperts({ValueDomain::kCount, {6}, 2}, {})[static_cast<size_t>(info.param)]->name());
}
INSTANTIATE_TEST_SUITE_P(Pool, ExpertContractTest, ::testing::Range(0, 13), NameOf);

TEST(ExpertPoolTest, EveryExpertIsUnderTheContract) {
  EXPECT_EQ(MakeExperts({ValueDomain::kCount, {6}, 2}, {}).size(), 13U);
}

TEST(SeasonalNaiveExpertTest, GoesBackASeasonWhereAValueIsMissing) {
  const auto pool = MakeExperts({ValueDomain::kCount, {6}}, {"seasonal_naive_6"});
  Driven driven(*pool[0]);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (int64_t t = 0; t < 30; ++t) driven.Step(t, {t == 25 ? nan : static_cast<float>(t), nan, t < 25 ? nan : 3.0F});
  EXPECT_EQ(driven.Forecast(1).mean[0], 24);
  EXPECT_EQ(driven.Forecast(2).mean[0], 19) << "bucket 25 is missing";
  EXPECT_EQ(driven.Forecast(8).mean[0], 19);
  EXPECT_EQ(driven.Forecast(1).awake[1], 0);
  EXPECT_EQ(driven.Forecast(1).awake[2], 0) << "the phase was never seen";
}

TEST(ProfileExpertTest, FollowsASeriesWithASeasonOfItsOwn) {
  const auto pool = MakeExperts({ValueDomain::kCount, {6}}, {"profile_6"});
  Driven driven(*pool[0]);
  driven.inverse.assign(kHistory, 1);
  const auto value = [](int64_t t) { return t % 6 == 3 ? 40.0F : 10.0F; };
  for (int64_t t = 0; t < 120; ++t) driven.Step(t, {5, value(t), value(t + 1)});
  for (const int h : {1, 4, 6, 7, 14}) {
    const auto a = driven.Forecast(h);
    EXPECT_NEAR(a.mean[1], value(119 + h), 4) << h;
    EXPECT_NEAR(a.mean[2], value(120 + h), 4) << h;
  }
}

TEST(ProfileExpertTest, IsMovedByTheNewestLevel) {
  const auto pool = MakeExperts({ValueDomain::kCount, {6}}, {"profile_6"});
  Driven driven(*pool[0]);
  driven.inverse.assign(kHistory, 1);
  for (int64_t t = 0; t < 120; ++t) driven.Step(t, {5, 10, t < 96 ? 10.0F : 30.0F});
  const auto a = driven.Forecast(1);
  EXPECT_NEAR(a.mean[1], 10, .5);
  EXPECT_GT(a.mean[2], 24);
}

TEST(EmpiricalExpertTest, QuantilesOfAnEvenHistoryAreThoseOfTheSample) {
  const auto pool = MakeExperts({ValueDomain::kCount, {}}, {"empirical_985"});
  Driven driven(*pool[0]);
  driven.inverse.assign(kHistory, 1);
  for (int64_t t = 0; t < 192; ++t) driven.Step(t, {static_cast<float>(t % 2 * 10), 7, static_cast<float>(1 + t % 9)});
  const std::vector<uint8_t> rows(3, 1);
  const auto a = driven.Forecast(1);
  EXPECT_NEAR(a.zero[0], .5, .01);
  EXPECT_NEAR(a.quantiles[kLevelCount + kMedian], 7 * 1.3, 1e-3);
  EXPECT_NEAR(a.quantiles[2 * kLevelCount + kMedian], 5 * 1.3, .7);
}

/// Demand with price elasticity -2 and 1.5 x in a promotion, at a level of its own.
float PricedDemand(const Driven& driven, size_t series) {
  const float price = driven.known[2 * series] / static_cast<float>(series + 1);
  return static_cast<float>(series + 1) * 100 / (price * price) * (driven.known[2 * series + 1] > 0 ? 1.5F : 1.0F);
}

TEST(KnownCovariateExpertTest, FindsElasticityAndPromotionAndForecastsWithThem) {
  const KnownCovariateExpert expert(ValueDomain::kCount, 2);
  Driven driven(expert);
  driven.own_pool = true;
  driven.inverse.assign(kHistory, 1);
  driven.scale = {100, 200, 300};
  for (int64_t t = 0; t < 100; ++t) {
    driven.TakeKnown(t);
    driven.Step(t, {PricedDemand(driven, 0), PricedDemand(driven, 1), PricedDemand(driven, 2)});
  }
  // log(y + .1 s) bends the relation a little. Pinned: numpy 2.4.6, linalg.solve of the same discounted normal
  // equations.
  const std::vector<double> pooled = expert.PooledCoefficients(driven.pooled);
  EXPECT_NEAR(pooled[0], -1.76196, 1e-3);
  EXPECT_NEAR(pooled[1], 0, 1e-3);
  EXPECT_NEAR(pooled[3], .42433, 1e-3);
  for (const int h : {1, 2, 6}) {
    const auto a = driven.Forecast(h);  // factor 1.3
    for (size_t i = 0; i < Driven::kSeries; ++i) EXPECT_NEAR(a.mean[i] / 1.3 / PricedDemand(driven, i), 1, .05) << h;
  }
}

TEST(KnownCovariateExpertTest, SleepsWhereTheTargetIsNotKnown) {
  const KnownCovariateExpert expert(ValueDomain::kCount, 2);
  Driven driven(expert);
  driven.own_pool = true;
  for (int64_t t = 0; t < 30; ++t) driven.Step(t, Values(t));
  EXPECT_EQ(driven.Forecast(1).awake[0], 1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> unknown = {nan, 1, 1, nan, 1, 1};
  const std::vector<uint8_t> rows(3, 1);
  std::vector<float> quantiles(3 * kLevelCount), mean(3), zero(3);
  std::vector<uint8_t> awake(3);
  expert.Expand(driven.Block(29), {29, 1, 0, 1, unknown}, driven.scale, rows, driven.summaries, driven.pooled,
                {quantiles, mean, zero, awake});
  EXPECT_EQ(awake, (std::vector<uint8_t>{0, 0, 1}));
}

}  // namespace
}  // namespace tidecast
