#include "models/ml_poly.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace tidecast {
namespace {

// By hand, two experts, square loss linearised at the mixture:
//   r1 = (1, -.5): B = 1, 1/rate = (1 + 1, .25 + 1) = (2, 1.25), regret (1, -.5): weights (1, 0)
//   r2 = (-.25, 2): B = 4, 1/rate = (2 + .0625 + 3, 1.25 + 4 + 3) = (5.0625, 8.25), regret (.75, 1.5)
//   weights ~ (.75 / 5.0625, 1.5 / 8.25) = (.148148, .181818): (.448980, .551020)
TEST(MlPolyTest, FollowsACaseComputedByHand) {
  std::vector<double> numbers(MlPoly<double>::Size(2), 0.0);
  auto rule = MlPoly<double>::Over(numbers, 2);
  std::array<double, 2> weights;
  EXPECT_FALSE(rule.Weights(std::span<double>(weights)));
  EXPECT_EQ(weights, (std::array<double, 2>{.5, .5}));
  rule.Learn(std::span<const double>(std::array<double, 2>{1, -.5}));
  EXPECT_TRUE(rule.Weights(std::span<double>(weights)));
  EXPECT_EQ(weights, (std::array<double, 2>{1, 0}));
  rule.Learn(std::span<const double>(std::array<double, 2>{-.25, 2}));
  rule.Weights(std::span<double>(weights));
  EXPECT_NEAR(weights[0], .448980, 1e-6);
  EXPECT_NEAR(weights[1], .551020, 1e-6);
}

TEST(MlPolyTest, MixtureBeatsItsBestMemberWhenTheTruthLiesBetween) {
  std::vector<double> numbers(MlPoly<double>::Size(3), 0.0);
  auto rule = MlPoly<double>::Over(numbers, 3);
  double mixture_loss = 0;
  std::array<double, 3> expert_loss{};
  for (int t = 0; t < 2000; ++t) {
    const double truth = std::sin(t * .1);
    const std::array<double, 3> forecasts = {truth + .5, truth - .4, truth + 50 * std::sin(t * 1.7)};
    std::array<double, 3> weights;
    rule.Weights(std::span<double>(weights));
    double mixture = 0;
    for (int k = 0; k < 3; ++k) mixture += weights[k] * forecasts[k];
    mixture_loss += (mixture - truth) * (mixture - truth);
    std::array<double, 3> r;
    for (int k = 0; k < 3; ++k) {
      expert_loss[k] += (forecasts[k] - truth) * (forecasts[k] - truth);
      r[k] = 2 * (mixture - truth) * (mixture - forecasts[k]);
    }
    rule.Learn(std::span<const double>(r));
  }
  EXPECT_LT(mixture_loss, .6 * std::min(expert_loss[0], expert_loss[1]));
}

/// Weights used at each of 60 buckets and those after the last: three experts, the second asleep in every seventh
/// bucket. `slope`: of the loss, at a forecast and a truth.
std::vector<std::array<double, 3>> WeightsOverTime(double (*slope)(double, double)) {
  std::vector<double> numbers(MlPoly<double>::Size(3), 0.0);
  auto rule = MlPoly<double>::Over(numbers, 3);
  std::vector<std::array<double, 3>> used;
  for (int t = 0; t < 60; ++t) {
    const double truth = std::sin(t * .3);
    const std::array<double, 3> forecasts = {truth + .5, truth - .3, 2 * std::cos(t * .7)};
    const std::array<double, 3> awake = {1, t % 7 == 3 ? 0.0 : 1.0, 1};
    std::array<double, 3> weights;
    rule.Weights(std::span<double>(weights));
    double sum = 0;
    for (int k = 0; k < 3; ++k) sum += weights[k] *= awake[k];
    double mixture = 0;
    for (int k = 0; k < 3; ++k) mixture += (weights[k] /= sum) * forecasts[k];
    std::array<double, 3> r;
    for (int k = 0; k < 3; ++k) r[k] = awake[k] * slope(mixture, truth) * (mixture - forecasts[k]);
    rule.Learn(std::span<const double>(r));
    used.push_back(weights);
  }
  used.emplace_back();
  rule.Weights(std::span<double>(used.back()));
  return used;
}

void ExpectWeights(const std::vector<std::array<double, 3>>& weights, size_t at,
                   const std::array<double, 3>& expected) {
  for (size_t k = 0; k < 3; ++k) EXPECT_NEAR(weights[at][k], expected[k], 1e-10) << at << " " << k;
}

// Pinned: R's opera 1.2.2, MLpol with gradients, on the same experts.
TEST(MlPolyTest, WeighsAsTheReferenceDoesUnderSquareLoss) {
  const auto weights = WeightsOverTime([](double forecast, double truth) { return 2 * (forecast - truth); });
  ExpectWeights(weights, 1, {.266722646472, .733277353528, 0});
  ExpectWeights(weights, 4, {.274112797656, .585358139159, .140529063185});
  ExpectWeights(weights, 19, {.379244615369, .620755384631, 0});
  ExpectWeights(weights, 59, {1, 0, 0});
  ExpectWeights(weights, 60, {.37131501471113, .61910118658072, .00958379870815});
}

TEST(MlPolyTest, WeighsAsTheReferenceDoesUnderPinballLoss) {
  const auto weights = WeightsOverTime([](double forecast, double truth) { return (truth < forecast ? 1 : 0) - .9; });
  ExpectWeights(weights, 1, {.266722646472, .733277353528, 0});
  ExpectWeights(weights, 4, {.914790122455, 0, .0852098775452});
  ExpectWeights(weights, 19, {.716434875343, .283565124657, 0});
  ExpectWeights(weights, 60, {.471363425196, .528636574804, 0});
}

}  // namespace
}  // namespace tidecast
