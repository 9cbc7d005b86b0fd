#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "models/expert.h"
#include "tests/unit/models/driven_expert.h"

namespace tidecast {
namespace {

std::vector<float> Values(int64_t t) {
  return {t % 3 == 0 ? 2.0F : 0.0F, static_cast<float>((t * 7) % 9), static_cast<float>(40 + (t * 13) % 21)};
}

/// States may hold doubles, whose halves are no floats.
bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

/// A pool and the place of an expert in it.
struct Member {
  PoolShape shape;
  size_t place;
};
const PoolShape kShop{.domain = ValueDomain::kCount, .season_lengths = {6}};
const PoolShape kHourlyShop{.domain = ValueDomain::kCount, .season_lengths = {24, 168}};
const PoolShape kHourlyReals{.domain = ValueDomain::kReal, .season_lengths = {24, 168}};
const PoolShape kDailyReals{.domain = ValueDomain::kReal, .season_lengths = {7}};

/// The pool of a shape, and those that are in none unless asked for.
std::vector<std::unique_ptr<Expert>> AllExperts(const PoolShape& shape) {
  std::vector<std::unique_ptr<Expert>> all = MakeExperts(shape, {});
  const std::vector<std::string> named =
      shape.domain == ValueDomain::kReal
          ? std::vector<std::string>{"holt_winters_7", "autoregression", "rls_48_9980"}
          : std::vector<std::string>{"smoothing_5", "tsb", "sba", "negative_binomial_900", "negative_binomial_970"};
  for (auto& expert : MakeExperts(shape, named)) {
    all.push_back(std::move(expert));
  }
  return all;
}

std::vector<Member> Members(const std::vector<PoolShape>& shapes) {
  std::vector<Member> members;
  for (const PoolShape& shape : shapes) {
    const size_t count = AllExperts(shape).size();
    for (size_t place = 0; place < count; ++place) members.push_back({shape, place});
  }
  return members;
}

constexpr int64_t kGrown = 300;  ///< buckets after which every expert is awake

class ExpertContractTest : public ::testing::TestWithParam<Member> {
 protected:
  std::vector<std::unique_ptr<Expert>> pool_ = AllExperts(GetParam().shape);
  const Expert& expert() const { return *pool_[GetParam().place]; }
  bool real() const { return GetParam().shape.domain == ValueDomain::kReal; }
  /// Reals go below 0.
  std::vector<float> Values(int64_t t) const {
    std::vector<float> values = tidecast::Values(t);
    if (real()) {
      for (float& value : values) value -= 4;
    }
    return values;
  }
};

TEST_P(ExpertContractTest, QuantilesAreFiniteInTheDomainAndSortedAtEveryAge) {
  Driven driven(expert());
  driven.own_pool = true;
  for (int64_t t = 0; t < kGrown; ++t) {
    driven.Step(t, Values(t));
    for (const int h : {1, 6, 14}) {
      const Driven::Answer a = driven.Forecast(h);
      for (size_t i = 0; i < Driven::kSeries; ++i) {
        if (a.awake[i] == 0) continue;
        for (size_t l = 0; l < kLevelCount; ++l) {
          const float q = a.quantiles[i * kLevelCount + l];
          ASSERT_TRUE(std::isfinite(q) && (real() || q >= 0));
          if (l > 0) {
            ASSERT_GE(q, a.quantiles[i * kLevelCount + l - 1]);
          }
        }
        ASSERT_TRUE(std::isfinite(a.mean[i]));
        ASSERT_TRUE(a.zero[i] >= 0 && a.zero[i] <= 1);
      }
    }
  }
  EXPECT_EQ(driven.Forecast(1).awake[2], 1) << "asleep when grown";
}

TEST_P(ExpertContractTest, SameCallsSameBitsAndAForecastChangesNothing) {
  Driven a(expert()), b(expert());
  for (int64_t t = 0; t < kGrown; ++t) {
    a.Step(t, Values(t));
    b.Step(t, Values(t));
    const std::vector<float> states = a.states, history = a.history;
    a.Forecast(3);
    EXPECT_TRUE(SameBits(a.states, states));
    ASSERT_EQ(std::memcmp(a.history.data(), history.data(), history.size() * sizeof(float)), 0);
  }
  EXPECT_TRUE(a.Forecast(3) == b.Forecast(3));
}

TEST_P(ExpertContractTest, ASeriesNeverSeesItsNeighbours) {
  Driven a(expert()), b(expert());
  for (int64_t t = 0; t < kGrown; ++t) {
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
  for (int64_t t = 0; t < kGrown; ++t) driven.Step(t, Values(t));
  const std::vector<float> states = driven.states;
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  driven.Step(kGrown, {nan, inf, -inf});
  EXPECT_TRUE(SameBits(driven.states, states));
  const auto a = driven.Forecast(1);
  for (size_t i = 0; i < Driven::kSeries; ++i) {
    EXPECT_TRUE(a.awake[i] == 0 || std::isfinite(a.quantiles[i * kLevelCount + kMedian]));
  }
}

TEST_P(ExpertContractTest, APresentLevelIsFinite) {
  Driven driven(expert());
  driven.own_pool = true;
  size_t explained = 0;
  for (int64_t t = 0; t < kGrown; ++t) {
    driven.Step(t, Values(t));
    if (t % 7 != 0) continue;
    for (const int h : {1, 6, 14}) {
      const Driven::Answer a = driven.Forecast(h);
      for (size_t i = 0; i < Driven::kSeries; ++i) {
        if (a.awake[i] == 0) continue;
        const float present = driven.PresentLevel(i, h, 5, a);
        ASSERT_TRUE(std::isfinite(present)) << t << " " << h;
        if (expert().name().starts_with("count_table")) {  // a shorter way to the same
          ASSERT_FLOAT_EQ(driven.PresentLevel(i, h, 5, a, true), present);
        }
        ++explained;
      }
    }
  }
  EXPECT_GT(explained, 0U);
}

std::string NameOf(const ::testing::TestParamInfo<Member>& info) {
  return std::string(AllExperts(info.param.shape)[info.param.place]->name());
}
INSTANTIATE_TEST_SUITE_P(Shop, ExpertContractTest, ::testing::ValuesIn(Members({kShop})), NameOf);
INSTANTIATE_TEST_SUITE_P(HourlyShop, ExpertContractTest, ::testing::ValuesIn(Members({kHourlyShop})), NameOf);
INSTANTIATE_TEST_SUITE_P(HourlyReals, ExpertContractTest, ::testing::ValuesIn(Members({kHourlyReals})), NameOf);
INSTANTIATE_TEST_SUITE_P(DailyReals, ExpertContractTest, ::testing::ValuesIn(Members({kDailyReals})), NameOf);

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

}  // namespace
}  // namespace tidecast
