#include "models/known_effect.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Series of one column and the rounds over them.
class Market {
 public:
  Market(size_t series, std::function<float(size_t, int64_t)> column,
         std::function<double(size_t, int64_t, float)> sold)
      : column_(std::move(column)),
        sold_(std::move(sold)),
        states_(series, std::vector<float>(effect_.state_floats())),
        scales_(series, 1),
        sells_(series, 1),
        pooled_(effect_.pooled_size()) {}
  void Run(int64_t rounds) {
    for (int64_t end = now_ + rounds; now_ < end; ++now_) {
      std::vector<double> sums(effect_.sums_size());
      const std::vector<double> shared = effect_.PooledCoefficients(pooled_);
      const uint32_t closing = effect_.ClosingFlags(pooled_);
      for (size_t s = 0; s < states_.size(); ++s) {
        const float known = column_(s, now_);
        const auto demand = static_cast<float>(sold_(s, now_, known));
        effect_.Gather({&known, 1}, demand, sells_[s], states_[s], sums);
        if (effect_.Of({&known, 1}, states_[s], closing) > 0)
          sells_[s] += .01F * ((demand > 0 ? 1.0F : 0.0F) - sells_[s]);
        if (effect_.Of({&known, 1}, states_[s], closing) == 0) continue;
        effect_.Learn({&known, 1}, demand, 1, scales_[s], shared, states_[s]);
        if (std::isfinite(demand)) scales_[s] = std::max(.2F, scales_[s] + .04F * (demand - scales_[s]));
      }
      effect_.Fold(sums, pooled_);
    }
  }
  float Of(size_t series, float known) const {
    return effect_.Of({&known, 1}, states_[series], effect_.ClosingFlags(pooled_));
  }
  uint32_t closing() const { return effect_.ClosingFlags(pooled_); }
  std::vector<double> coefficients() const { return effect_.PooledCoefficients(pooled_); }
  const std::vector<float>& state(size_t series) const { return states_[series]; }

 private:
  KnownEffect effect_{ValueDomain::kCount, 1};
  std::function<float(size_t, int64_t)> column_;
  std::function<double(size_t, int64_t, float)> sold_;
  std::vector<std::vector<float>> states_;
  std::vector<float> scales_, sells_;
  std::vector<double> pooled_;
  int64_t now_ = 0;
};

double Poisson(double rate, size_t s, int64_t t) {
  double chance = UniformAt(41, s, t), term = std::exp(-rate), count = 0;
  for (; chance > term && count < 1000; term *= rate / ++count) chance -= term;
  return count;
}
float Fortnight(size_t, int64_t t) { return t % 14 < 5 ? 1 : 0; }

TEST(KnownEffectTest, APriceIsAnElasticityWhateverTheLevelDoes) {
  const auto price = [](size_t s, int64_t t) { return static_cast<float>(s + 1) * (t % 5 == 0 ? 2.8F : 4.0F); };
  Market market(8, price, [](size_t s, int64_t t, float known) {
    const double level = 100 * (1 + .5 * std::sin(static_cast<double>(t) / 40)) * static_cast<double>(s + 1);
    return level * std::pow(known / (4.0 * static_cast<double>(s + 1)), -2);
  });
  market.Run(200);
  EXPECT_NEAR(market.coefficients()[0], -1.85, .2) << "drawn to 0";
  for (size_t s = 0; s < 8; ++s) {
    const auto full = static_cast<float>(4 * (s + 1));
    EXPECT_NEAR(market.Of(s, .7F * full) / market.Of(s, full), 1 / .49, .15) << s;
    EXPECT_NEAR(market.Of(s, .98F * full), market.Of(s, full), .1) << s;
  }
}

TEST(KnownEffectTest, APromotionOfThingsThatSellSeldomIsAFactorOfTheirMean) {
  Market market(60, Fortnight, [](size_t s, int64_t t, float known) { return Poisson(known > 0 ? .5 : .2, s, t); });
  market.Run(300);
  double ratio = 0;
  for (size_t s = 0; s < 60; ++s) ratio += market.Of(s, 1) / market.Of(s, 0) / 60;
  EXPECT_NEAR(ratio, 2.5, .5) << market.coefficients()[1];
}

TEST(KnownEffectTest, ASeriesThatAnswersOtherwiseHasItsOwn) {
  Market market(40, Fortnight, [](size_t s, int64_t t, float known) {
    return Poisson(known > 0 ? (s == 0 ? 20.0 : 80.0) : 20.0, s, t);
  });
  market.Run(300);
  EXPECT_NEAR(market.Of(5, 1) / market.Of(5, 0), 4, .4);
  EXPECT_NEAR(market.Of(0, 1) / market.Of(0, 0), 1, .35);
}

TEST(KnownEffectTest, AColumnThatSaysNothingChangesLittle) {
  Market market(
      4, [](size_t s, int64_t t) { return UniformAt(7, s, t) < .1 ? 1.0F : 0.0F; },
      [](size_t s, int64_t t, float) { return Poisson(.5, s, t); });
  market.Run(250);
  for (size_t s = 0; s < 4; ++s) EXPECT_NEAR(market.Of(s, 1), market.Of(s, 0), .25) << s;
}

TEST(KnownEffectTest, AFlagWithoutDemandMeansClosed) {
  Market market(
      20, [](size_t, int64_t t) { return t % 7 == 6 ? 0.0F : 1.0F; },
      [](size_t s, int64_t t, float open) { return open > 0 ? Poisson(9, s, t) : 0.0; });
  market.Run(7);
  EXPECT_EQ(market.closing(), 0U) << "a round is one event, of however many series";
  market.Run(7);
  EXPECT_EQ(market.closing(), 1U) << "the first column, not positive";
  EXPECT_EQ(market.Of(0, 0), 0);
  market.Run(100);
  EXPECT_EQ(market.Of(0, 0), 0);
  EXPECT_NEAR(market.Of(0, 1), 1, .25);
  EXPECT_NEAR(market.Of(0, kNan), market.Of(0, 1), .06) << "as usual";
}

TEST(KnownEffectTest, ClosedIsSaidOfNoFlagByChance) {
  Market rare(
      40, [](size_t, int64_t t) { return t % 10 == 0 ? 1.0F : 0.0F; },
      [](size_t s, int64_t t, float) { return UniformAt(3, s, t) < .1 ? 1.0 : 0.0; });
  rare.Run(300);
  EXPECT_EQ(rare.closing(), 0U);
  // Things that sell seldom are the ones that are cleared: what they sell at other times is what counts.
  Market clearance(
      100, [](size_t s, int64_t t) { return s < 50 && t % 3 == 0 ? 1.0F : 0.0F; },
      [](size_t s, int64_t t, float sale) {
        return s >= 50 ? 5.0 : UniformAt(3, s, t) < (sale > 0 ? .04 : .02) ? 1.0 : 0.0;
      });
  clearance.Run(400);
  EXPECT_EQ(clearance.closing(), 0U);
  Market sells_some(
      50, [](size_t, int64_t t) { return t % 7 == 6 ? 0.0F : 1.0F; },
      [](size_t s, int64_t t, float open) { return open > 0 || s < 3 ? 5.0 + Poisson(2, s, t) : 0.0; });
  sells_some.Run(100);
  EXPECT_EQ(sells_some.closing(), 0U) << "six in a hundred are open";
  EXPECT_LT(sells_some.Of(30, 0), .25) << "but it knows that few come";
}

TEST(KnownEffectTest, AShopThatOpensOnClosedDaysIsBelievedInTime) {
  Market market(
      20, [](size_t, int64_t t) { return t % 7 == 6 ? 0.0F : 1.0F; },
      [](size_t s, int64_t t, float open) { return open > 0 || t > 100 ? Poisson(9, s, t) : 0.0; });
  market.Run(100);
  EXPECT_EQ(market.closing(), 1U);
  market.Run(8);
  EXPECT_EQ(market.closing(), 0U);
}

TEST(KnownEffectTest, PartsByColumnSumToTheLogarithmOfTheFactor) {
  const KnownEffect effect(ValueDomain::kCount, 3);
  std::vector<float> state(effect.state_floats());
  std::vector<double> pooled(effect.pooled_size());
  for (int64_t t = 0; t < 120; ++t) {
    const std::array<float, 3> known = {t % 3 == 0 ? 1.0F : 0.0F, t % 4 == 0 ? 2.0F : 3.0F, -1};
    const double demand = 50 * (known[0] > 0 ? 2 : 1) * std::pow(known[1] / 3.0, -3);
    std::vector<double> sums(effect.sums_size());
    effect.Gather(known, static_cast<float>(demand), 1, state, sums);
    effect.Learn(known, static_cast<float>(demand), 1, 50, effect.PooledCoefficients(pooled), state);
    effect.Fold(sums, pooled);
  }
  std::array<float, 3> logs;
  for (const std::array<float, 3>& known : {std::array<float, 3>{1, 2, -1}, {0, 3, -1}, {kNan, 2, 5}, {1, 0, 0}}) {
    effect.Logs(known, state, 0, logs);
    const float sum = std::accumulate(logs.begin(), logs.end(), 0.0F);
    EXPECT_NEAR(sum, std::log(effect.Of(known, state, 0) / effect.OfUsual(state)), 1e-4) << known[0] << " " << known[1];
  }
  effect.Logs(std::array<float, 3>{1, 2, -1}, state, 0, logs);
  EXPECT_NEAR(logs[0], std::log(2) * 2 / 3, .2);
  EXPECT_GT(logs[1], .4F);
  EXPECT_LT(logs[1], -3 * (std::log(2 / 3.0) * 3 / 4)) << "of one series it is drawn to 0";
  EXPECT_EQ(logs[2], 0) << "it never moves";
  effect.Logs(std::array<float, 3>{1, 2, -1}, state, 1U << 4, logs);
  EXPECT_EQ(logs, (std::array<float, 3>{0, 0, 1}));
}

TEST(KnownEffectTest, AThousandZerosAndASaleAndWildColumnsLeaveItFinite) {
  for (const float wild : {0.0F, 1e30F, -1e30F, 3.0F}) {
    Market market(
        2, [wild](size_t s, int64_t t) { return t % 50 == 7 ? wild : static_cast<float>(s); },
        [](size_t, int64_t t, float) { return t > 30 && t < 1500 ? 0.0
                                              : t == 1500        ? 1e6
                                                                 : 4.0; });
    market.Run(1600);
    for (const float number : market.state(0)) EXPECT_TRUE(std::isfinite(number)) << wild;
    for (const double number : market.coefficients()) EXPECT_TRUE(std::isfinite(number)) << wild;
    EXPECT_TRUE(std::isfinite(market.Of(0, wild)) && std::isfinite(market.Of(1, 1)));
  }
}

// What is kept in such units stays as it is: the reference is where the series began.
TEST(KnownEffectTest, AProductLaunchedInAPromotionKeepsItsUnits) {
  const KnownEffect effect(ValueDomain::kCount, 1);
  std::vector<float> state(effect.state_floats());
  const std::vector<double> shared = {0, std::log(3.0)};
  const float promoted = 1, usual = 0;
  for (int t = 0; t < 3; ++t) effect.Learn({&promoted, 1}, 30, 1, 20, shared, state);
  for (int t = 0; t < 40; ++t) {
    EXPECT_NEAR(effect.Of({&promoted, 1}, state, 0), 1, 1e-6);
    EXPECT_NEAR(effect.Of({&usual, 1}, state, 0), 1 / 3.0, .04) << t;
    effect.Learn({&usual, 1}, 10, 1, 20, shared, state);
  }
  EXPECT_NEAR(effect.OfUsual(state), 1 / 3.0, .06);
  effect.SetPublished(.5F, state);
  EXPECT_EQ(effect.Published(state), .5F);
}

TEST(KnownEffectTest, APriceThatComesLaterIsReferredToItself) {
  const KnownEffect effect(ValueDomain::kCount, 1);
  std::vector<float> state(effect.state_floats());
  const std::vector<double> shared = {-2, 0};
  const auto of = [&](float price) { return effect.Of({&price, 1}, state, 0); };
  const auto learn = [&](float price, float demand) { effect.Learn({&price, 1}, demand, 1, 20, shared, state); };
  for (int t = 0; t < 3; ++t) learn(0, 20);
  for (int t = 0; t < 3; ++t) learn(100, 20);
  EXPECT_NEAR(of(100), 1, .05);
  EXPECT_NEAR(of(50), 4, .6);
  EXPECT_NEAR(of(kNan), 1, .05);
}

TEST(KnownEffectTest, AmountsHaveNoUnit) {
  std::array<float, 2> found;
  for (const size_t i : {0U, 1U}) {
    const float unit = i == 0 ? .01F : 1000;
    const KnownEffect effect(ValueDomain::kNonNegative, 1);
    std::vector<float> state(effect.state_floats());
    std::vector<double> pooled(effect.pooled_size());
    for (int64_t t = 0; t < 200; ++t) {
      const float flag = Fortnight(0, t);
      const auto demand = static_cast<float>(unit * (flag > 0 ? 2.5 : 1) * (.5 + UniformAt(5, 1, t)));
      std::vector<double> sums(effect.sums_size());
      effect.Gather({&flag, 1}, demand, 1, state, sums);
      effect.Learn({&flag, 1}, demand, 1, unit * 1.5F, effect.PooledCoefficients(pooled), state);
      effect.Fold(sums, pooled);
    }
    const float on = 1, off = 0;
    found[i] = effect.Of({&on, 1}, state, 0) / effect.Of({&off, 1}, state, 0);
  }
  EXPECT_NEAR(found[0], found[1], 1e-3);
  EXPECT_NEAR(found[0], 2.3, .35);
}

TEST(KnownEffectTest, WhatIsMissingTeachesNothing) {
  Market market(2, Fortnight, [](size_t, int64_t t, float known) { return t >= 40 ? kNan : 10.0 + 5 * known; });
  market.Run(40);
  const std::vector<float> before = market.state(0);
  market.Run(5);
  EXPECT_EQ(market.state(0), before);
  const KnownEffect none(ValueDomain::kReal, 5);  // reals have none
  EXPECT_EQ(none.state_floats() + none.pooled_size(), 0U);
  EXPECT_EQ(none.Of({}, {}, 0), 1);
}

}  // namespace
}  // namespace tidecast
