#include "models/boa.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "models/mix_rules.h"

namespace tidecast {
namespace {

// By hand, two experts, ln 2 = .693147:
//   r1 = (1, -.5): largest 1, squares (1, .25), rates (min(.5, .832555), min(.5, 1.665109)) = (.5, .5)
//     regrets (1 - .5, -.5 - .125) = (.5, -.625): weights ~ .5 exp(.25), .5 exp(-.3125): 1 / (1 + exp(-.5625)) = .637031
//   r2 = (-1, 2): largest 2, squares (2, 4.25), rates (.25, .25)
//     regrets (.5 - 1 - .25, -.625 + 2 - 1) = (-.75, .375): 1 / (1 + exp(.28125)) = .430147
TEST(BoaTest, FollowsACaseComputedByHand) {
  std::vector<double> numbers(Boa::Size(2), 0.0);
  Boa rule = Boa::Over(numbers, 2, 1);
  std::array<double, 2> weights;
  rule.Weights(weights);
  EXPECT_EQ(weights, (std::array<double, 2>{.5, .5}));
  rule.Learn(std::array<double, 2>{1, -.5});
  rule.Weights(weights);
  EXPECT_NEAR(weights[0], .637031, 1e-6);
  rule.Learn(std::array<double, 2>{-1, 2});
  rule.Weights(weights);
  EXPECT_NEAR(weights[0], .430147, 1e-6);
}

// Twelve times (1, -.5), then ten times (-1, .8): the rates differ. Figures of a few lines of Python.
TEST(BoaTest, FollowsALongerCaseWithAndWithoutMemory) {
  for (const auto& [memory, expected] : {std::pair{1.0, 0.324517}, std::pair{.9, 0.051220}}) {
    std::vector<double> numbers(Boa::Size(2), 0.0);
    Boa rule = Boa::Over(numbers, 2, memory);
    for (int t = 0; t < 22; ++t) rule.Learn(t < 12 ? std::array<double, 2>{1, -.5} : std::array<double, 2>{-1, .8});
    std::array<double, 2> weights;
    rule.Weights(weights);
    EXPECT_NEAR(weights[0], expected, 1e-6);
  }
}

TEST(BoaTest, ASleepingExpertIsNeitherPaidNorCharged) {
  std::vector<double> numbers(Boa::Size(3), 0.0);
  Boa rule = Boa::Over(numbers, 3, 1);
  for (int t = 0; t < 100; ++t) rule.Learn(std::array<double, 3>{t % 2 == 0 ? .1 : -.1, -.1, 0});
  std::array<double, 3> weights;
  rule.Weights(weights);
  EXPECT_GT(weights[2], .3);
  EXPECT_LT(weights[1], .01);
}

/// Loss of a mixture of three constants against a truth, rule after rule; the truth moves in the middle.
double LossOf(const auto& weights_of, const auto& learn) {
  const std::array<double, 3> forecasts = {0, 1, 5};
  double loss = 0;
  for (int t = 0; t < 400; ++t) {
    const double truth = t < 200 ? .1 : .9;
    std::array<double, 3> weights;
    weights_of(weights);
    double mixture = 0;
    for (int k = 0; k < 3; ++k) mixture += weights[k] * forecasts[k];
    loss += std::fabs(mixture - truth);
    std::array<double, 3> r;
    for (int k = 0; k < 3; ++k) r[k] = (mixture > truth ? 1 : -1) * (mixture - forecasts[k]);
    learn(std::span<const double>(r));
  }
  return loss / 400;
}

TEST(MixRulesTest, SecondLevelIsNearItsBestRuleWhenTheTruthMoves) {
  std::vector<double> poly(MlPoly<double>::Size(3)), forgetful(Boa::Size(3)), all(MixRules::Size(3));
  auto poly_rule = MlPoly<double>::Over(poly, 3);
  Boa forgetful_rule = Boa::Over(forgetful, 3, .98);
  MixRules rules(all, 3);
  const double of_poly = LossOf([&](std::array<double, 3>& w) { poly_rule.Weights(std::span<double>(w)); },
                                [&](std::span<const double> r) { poly_rule.Learn(r); });
  const double of_forgetful = LossOf([&](std::array<double, 3>& w) { forgetful_rule.Weights(w); },
                                     [&](std::span<const double> r) { forgetful_rule.Learn(r); });
  const double of_all = LossOf(
      [&](std::array<double, 3>& w) {
        std::array<float, 3> weights;
        rules.Weights(weights);
        for (size_t k = 0; k < 3; ++k) w[k] = static_cast<double>(weights[k]);
      },
      [&](std::span<const double> r) { rules.Learn(r); });
  EXPECT_LT(of_all, 1.1 * std::min(of_poly, of_forgetful)) << of_poly << " " << of_forgetful << " " << of_all;
}

}  // namespace
}  // namespace tidecast
