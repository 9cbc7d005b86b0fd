#include "models/own_mean_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr size_t kExperts = 3;

double Normal(uint64_t stream, uint64_t at) {
  return std::sqrt(-2 * std::log(1 - UniformAt(stream, at, 1))) * std::cos(6.283185307 * UniformAt(stream, at, 2));
}

/// Mean squared errors of the mixture and of each expert over the last half, at one horizon; `say(t, k)` forecasts
/// y(t + horizon).
struct Errors {
  double mixture = 0;
  std::vector<double> expert = std::vector<double>(kExperts);
};
Errors ErrorsOf(int horizon, int rounds, const std::vector<float>& y, const auto& say, std::vector<float> prior) {
  const OwnMeanWeights rule(kExperts, {horizon});
  std::vector<float> state(rule.state_floats()), weights(kExperts), means(kExperts);
  const std::vector<uint8_t> awake(kExperts, 1);
  Errors errors;
  for (int t = horizon; t < rounds; ++t) {
    rule.Weights(0, state, prior, awake, weights);
    float mean = 0;
    for (size_t k = 0; k < kExperts; ++k) mean += weights[k] * (means[k] = say(t - horizon, k));
    const float actual = y[static_cast<size_t>(t)];
    if (t >= rounds / 2) {
      errors.mixture += std::pow(static_cast<double>(mean - actual), 2);
      for (size_t k = 0; k < kExperts; ++k) errors.expert[k] += std::pow(static_cast<double>(means[k] - actual), 2);
    }
    std::vector<float> regrets(rule.regret_floats());
    rule.Gather(0, actual, mean, means, awake, regrets);
    rule.Learn(regrets, state);
  }
  return errors;
}

std::vector<float> Walk(uint64_t seed, int rounds) {
  std::vector<float> y(static_cast<size_t>(rounds));
  for (size_t t = 1; t < y.size(); ++t) y[t] = y[t - 1] + static_cast<float>(Normal(seed, t));
  return y;
}

// Nothing beats the newest value of a random walk for long; were each label to count in full, the weights would follow
// chance: the worst of these is then 1.031.
TEST(OwnMeanWeightsTest, StaysWithThePersistenceOfARandomWalkAtAFarHorizon) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const std::vector<float> y = Walk(seed, 800);
    const auto at = [&](int t) { return y[static_cast<size_t>(std::max(t, 0))]; };
    const auto say = [&](int t, size_t k) {
      const float drift = .5F * (at(t) - at(t - 48));
      return k == 0 ? at(t) : k == 1 ? at(t) + drift : at(t) - drift;
    };
    const Errors errors = ErrorsOf(48, 800, y, say, {5, 1, 1});
    EXPECT_LT(errors.mixture, 1.01 * errors.expert[0]) << "seed " << seed;
  }
}

TEST(OwnMeanWeightsTest, LeavesPersistenceForASeason) {
  std::vector<float> y;
  for (int t = 0; t < 1200; ++t)
    y.push_back(static_cast<float>(10 * std::sin(t * .2618) + .1 * Normal(3, static_cast<uint64_t>(t))));
  const auto at = [&](int t) { return y[static_cast<size_t>(std::max(t, 0))]; };
  const auto say = [&](int t, size_t k) { return k == 0 ? at(t) : k == 1 ? at(t + 6 - 24) : 0.0F; };
  const Errors errors = ErrorsOf(6, 1200, y, say, {5, 1, 1});
  EXPECT_LT(errors.mixture, 1.1 * errors.expert[1]);
}

TEST(OwnMeanWeightsTest, AMixtureBeatsItsBestMemberWhereErrorsCancel) {
  std::vector<float> y(2000);
  const auto say = [&](int t, size_t k) {
    return static_cast<float>(Normal(10 + k, static_cast<uint64_t>(t))) + (k == 2 ? 5.0F : 0.0F);
  };
  const Errors errors = ErrorsOf(1, 2000, y, say, {1, 1, 1});
  EXPECT_LT(errors.mixture, .6 * std::min(errors.expert[0], errors.expert[1]));
}

TEST(OwnMeanWeightsTest, PlacesAreThoseOfTheFarthestLearnedHorizonUpToOne) {
  const OwnMeanWeights rule(kExperts, {1, 2, 3, 4, 6, 9});
  EXPECT_EQ(rule.PlaceOf(1), 0U);
  EXPECT_EQ(rule.PlaceOf(5), 3U);
  EXPECT_EQ(rule.PlaceOf(6), 4U);
  EXPECT_EQ(rule.PlaceOf(200), 5U);
}

TEST(OwnMeanWeightsTest, EachHorizonLearnsAlone) {
  const OwnMeanWeights rule(kExperts, {1, 6});
  std::vector<float> state(rule.state_floats()), regrets(rule.regret_floats()), weights(kExperts);
  const std::vector<uint8_t> awake(kExperts, 1);
  const std::vector<float> prior(kExperts, 1);
  for (int t = 0; t < 20; ++t) {
    std::fill(regrets.begin(), regrets.end(), 0.0F);
    rule.Gather(1, 0, 1, std::vector<float>{0, 1, 2}, awake, regrets);
    rule.Learn(regrets, state);
  }
  rule.Weights(0, state, prior, awake, weights);
  EXPECT_FLOAT_EQ(weights[0], 1.0F / 3);
  rule.Weights(1, state, prior, awake, weights);
  EXPECT_GT(weights[0], .5F);
}

TEST(OwnMeanWeightsTest, WeightsAreSoundWhateverComes) {
  const OwnMeanWeights rule(kExperts, {1});
  std::vector<float> state(rule.state_floats()), weights(kExperts);
  const std::vector<float> prior = {5, 1, 1};
  const float huge = 1e30F, nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::vector<float>> said = {{0, 0, 0}, {huge, -huge, 0}, {1e-30F, 0, 1}, {nan, 1, 2}, {3, 3, 3}};
  for (int t = 0; t < 500; ++t) {
    const std::vector<float>& means = said[static_cast<size_t>(t) % said.size()];
    std::vector<uint8_t> awake(kExperts, 1);
    for (size_t k = 0; k < kExperts; ++k) awake[k] = std::isfinite(means[k]) && t % 7 != static_cast<int>(k) ? 1 : 0;
    rule.Weights(0, state, prior, awake, weights);
    float mean = 0, sum = 0;
    for (size_t k = 0; k < kExperts; ++k) {
      ASSERT_TRUE(std::isfinite(weights[k]) && weights[k] >= 0) << t;
      EXPECT_EQ(weights[k] > 0 && awake[k] == 0, false);
      if (weights[k] > 0) mean += weights[k] * means[k];
      sum += weights[k];
    }
    EXPECT_NEAR(sum, 1, 1e-5) << t;
    std::vector<float> regrets(rule.regret_floats());
    rule.Gather(0, t % 11 == 0 ? huge : 1, mean, means, awake, regrets);
    rule.Learn(regrets, state);
  }
  for (const float number : state) EXPECT_TRUE(std::isfinite(number));
  rule.Weights(0, state, prior, std::vector<uint8_t>(kExperts, 0), weights);
  EXPECT_EQ(weights, std::vector<float>(kExperts, 0.0F)) << "nobody is awake";
}

TEST(OwnMeanWeightsTest, ABucketWithoutALabelChangesNothing) {
  const OwnMeanWeights rule(kExperts, {1, 2});
  std::vector<float> state(rule.state_floats(), .5F);
  const std::vector<float> before = state;
  rule.Learn(std::vector<float>(rule.regret_floats()), state);
  EXPECT_EQ(std::memcmp(state.data(), before.data(), state.size() * sizeof(float)), 0);
}

}  // namespace
}  // namespace tidecast
