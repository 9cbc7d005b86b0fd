#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "models/expert.h"

namespace tidecast {
namespace {

/// One expert over a few series, driven as the forecaster drives it.
struct Driven {
  explicit Driven(const Expert& e) : expert(e), pooled(e.pooled_size()), states(kSeries * e.state_floats()), summaries(kSeries * e.summary_floats()) {
    e.StartPooled(pooled);
    history.assign(kSeries * kHistory, std::numeric_limits<float>::quiet_NaN());
    actual.resize(kSeries);
  }
  static constexpr size_t kSeries = 3;
  ExpertBlock Block(int64_t index) {
    for (int64_t age = 0; age < kHistory; ++age) ages[HistorySlot(index - age)] = static_cast<float>(age);
    return {kSeries, index, actual, history, scale, demand_class, observed, inverse, ages, 3.0};
  }
  void Step(int64_t index, const std::vector<float>& values) {
    actual = values;
    for (size_t i = 0; i < kSeries; ++i) {
      history[i * kHistory + HistorySlot(index)] = values[i];
      observed[i] += std::isfinite(values[i]) ? 1 : 0;
    }
    expert.Step(Block(index), states, pooled);
    last = index;
  }
  struct Answer {
    std::vector<float> quantiles, mean, zero;
    std::vector<uint8_t> awake;
    bool operator==(const Answer&) const = default;
  };
  Answer Forecast(int horizon) {
    const ExpertBlock block = Block(last);
    expert.Summarise(block, states, pooled, summaries);
    Answer a{std::vector<float>(kSeries * kLevelCount), std::vector<float>(kSeries), std::vector<float>(kSeries), std::vector<uint8_t>(kSeries)};
    const std::vector<uint8_t> rows(kSeries, 1);
    expert.Expand(block, {last, horizon, 0, 1.3F}, scale, rows, summaries, pooled, {a.quantiles, a.mean, a.zero, a.awake});
    return a;
  }
  const Expert& expert;
  std::vector<double> pooled;
  std::vector<float> states, summaries, history, actual;
  std::vector<float> scale = {1, 4, 50}, inverse = std::vector<float>(kHistory, .9F), ages = std::vector<float>(kHistory);
  std::vector<uint8_t> demand_class = {2, 1, 0};
  std::vector<uint32_t> observed = {0, 0, 0};
  int64_t last = 0;
};

std::vector<float> Values(int64_t t) {
  return {t % 3 == 0 ? 2.0F : 0.0F, static_cast<float>((t * 7) % 9), static_cast<float>(40 + (t * 13) % 21)};
}

class ExpertContractTest : public ::testing::TestWithParam<int> {
 protected:
  std::vector<std::unique_ptr<Expert>> pool_ = MakeExperts(ValueDomain::kCount, {6}, {});
  const Expert& expert() const { return *pool_[static_cast<size_t>(GetParam())]; }
};

TEST_P(ExpertContractTest, QuantilesAreFiniteNotNegativeAndSortedAtEveryAge) {
  Driven driven(expert());
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
  return std::string(MakeExperts(ValueDomain::kCount, {6}, {})[static_cast<size_t>(info.param)]->name());
}
INSTANTIATE_TEST_SUITE_P(Pool, ExpertContractTest, ::testing::Range(0, 9), NameOf);

TEST(ExpertPoolTest, EveryExpertIsUnderTheContract) { EXPECT_EQ(MakeExperts(ValueDomain::kCount, {6}, {}).size(), 9U); }

TEST(ProfileExpertTest, FollowsASeriesWithASeasonOfItsOwn) {
  const auto pool = MakeExperts(ValueDomain::kCount, {6}, {"profile_6"});
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
  const auto pool = MakeExperts(ValueDomain::kCount, {6}, {"profile_6"});
  Driven driven(*pool[0]);
  driven.inverse.assign(kHistory, 1);
  for (int64_t t = 0; t < 120; ++t) driven.Step(t, {5, 10, t < 96 ? 10.0F : 30.0F});
  const auto a = driven.Forecast(1);
  EXPECT_NEAR(a.mean[1], 10, .5);
  EXPECT_GT(a.mean[2], 24);
}

TEST(EmpiricalExpertTest, QuantilesOfAnEvenHistoryAreThoseOfTheSample) {
  const auto pool = MakeExperts(ValueDomain::kCount, {}, {"empirical_985"});
  Driven driven(*pool[0]);
  driven.inverse.assign(kHistory, 1);
  for (int64_t t = 0; t < 192; ++t) driven.Step(t, {static_cast<float>(t % 2 * 10), 7, static_cast<float>(1 + t % 9)});
  const std::vector<uint8_t> rows(3, 1);
  const auto a = driven.Forecast(1);
  EXPECT_NEAR(a.zero[0], .5, .01);
  EXPECT_NEAR(a.quantiles[kLevelCount + kMedian], 7 * 1.3, 1e-3);
  EXPECT_NEAR(a.quantiles[2 * kLevelCount + kMedian], 5 * 1.3, .7);
}

}  // namespace
}  // namespace tidecast
