#include "models/mixer.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr size_t kExperts = 2;
constexpr size_t kSeries = 40;

/// Two point experts over many series; expert `right_for(i, t)` is off by .1, the other by 1. Returns the mean absolute
/// losses over the last quarter.
struct Losses {
  double median, mean;
};
Losses LossesOf(const auto& right_for, int rounds, bool own_means) {
  Mixer mixer(std::vector<float>(kExperts, 1.0F), own_means ? std::vector<int>{1} : std::vector<int>());
  std::vector<double> pooled(mixer.pooled_size());
  std::vector<std::vector<float>> states(kSeries, std::vector<float>(mixer.state_floats()));
  const std::vector<uint8_t> awake(kExperts, 1);
  std::vector<float> weights((kLevelCount + 1) * kExperts), toward(weights.size()), quantiles(kExperts * kLevelCount),
      means(kExperts);
  std::array<float, kLevelCount> mixed;
  double loss = 0, loss_of_mean = 0;
  for (int t = 0; t < rounds; ++t) {
    std::vector<double> sums(mixer.sums_size(), 0.0);
    for (size_t i = 0; i < kSeries; ++i) {
      const float truth = static_cast<float>(10 + 4 * UniformAt(1, i, t));
      for (size_t k = 0; k < kExperts; ++k) {
        const float off = (k == right_for(i, t) ? .1F : 1.0F) * (UniformAt(2, i * 2 + k, t) < .5 ? -1 : 1);
        means[k] = truth + off;
        std::fill_n(quantiles.begin() + static_cast<ptrdiff_t>(k * kLevelCount), kLevelCount, truth + off);
      }
      mixer.WeightsOf(0, 0, states[i], static_cast<uint32_t>(t), awake, weights, toward);
      mixer.MeanWeightsOf(0, states[i], awake, weights);
      float mean = 0;
      Mixer::Mix(kExperts, weights, quantiles, means, mixed, &mean);
      if (t >= rounds * 3 / 4) {
        loss += std::fabs(static_cast<double>(mixed[kMedian] - truth));
        loss_of_mean += std::fabs(static_cast<double>(mean - truth));
      }
      std::vector<float> regrets(mixer.regret_floats());
      mixer.Gather(0, 0, 0, truth, 10, awake, quantiles, means, mixed, mean, toward, sums, regrets);
      mixer.LearnSeries(regrets, states[i]);
    }
    mixer.Fold(sums, pooled);
    mixer.Refresh(pooled);
  }
  const double count = static_cast<double>(rounds - rounds * 3 / 4) * kSeries;
  return {loss / count, loss_of_mean / count};
}
double LossOf(const auto& right_for, int rounds) { return LossesOf(right_for, rounds, false).median; }

TEST(MixerTest, PoolFindsTheExpertThatIsRightForAll) {
  EXPECT_LT(LossOf([](size_t, int) { return 1U; }, 200), .15);
}

TEST(MixerTest, SeriesFindTheirOwnExpertWhereTheyDiffer) {
  // The pool alone can do no better than half and half: .55.
  EXPECT_LT(LossOf([](size_t i, int) { return i % 2; }, 800), .3);
}

TEST(MixerTest, MeansOfRealsFindTheirOwnExpertToo) {
  const auto right = [](size_t i, int) { return i % 2; };
  EXPECT_GT(LossesOf(right, 800, false).mean, .45);
  EXPECT_LT(LossesOf(right, 800, true).mean, .3);
}

TEST(MixerTest, OwnWeightsAreTrustedLessWhenTheyMislead) {
  // What was right for a series turns to wrong every 200 rounds: its own weights come late. Trusted in full: .77.
  EXPECT_LT(LossOf([](size_t i, int t) { return (i + static_cast<size_t>(t) / 200) % 2; }, 800), .7);
}

TEST(MixerTest, BeginsAtItsPriorAndLeavesItForWhatIsRight) {
  Mixer mixer(std::vector<float>{3, 1});
  const std::vector<float> state(mixer.state_floats());
  const std::vector<uint8_t> awake(2, 1);
  std::vector<float> weights((kLevelCount + 1) * 2), toward(weights.size());
  mixer.WeightsOf(0, 0, state, 0, awake, weights, toward);
  for (size_t row = 0; row <= kLevelCount; ++row) EXPECT_FLOAT_EQ(weights[2 * row], .75F);
  std::vector<double> pooled(mixer.pooled_size());
  mixer.Refresh(pooled);
  mixer.WeightsOf(0, 0, state, 0, awake, weights, toward);
  EXPECT_FLOAT_EQ(weights[0], .75F) << "nothing was seen";
  const std::vector<float> means = {0, 10};
  std::vector<float> quantiles(2 * kLevelCount), mixed(kLevelCount), regrets(mixer.regret_floats());
  std::fill_n(quantiles.begin() + kLevelCount, kLevelCount, 10.0F);
  for (int t = 0; t < 50; ++t) {
    float mean = 0;
    mixer.WeightsOf(0, 0, state, 0, awake, weights, toward);
    Mixer::Mix(2, weights, quantiles, means, mixed, &mean);
    std::vector<double> sums(mixer.sums_size(), 0.0);
    mixer.Gather(0, 0, 0, 10, 1, awake, quantiles, means, mixed, mean, toward, sums, regrets);
    mixer.Fold(sums, pooled);
    mixer.Refresh(pooled);
  }
  EXPECT_LT(weights[2 * kMedian], .05F);
}

TEST(MixerTest, SleepingExpertsHandTheirWeightOn) {
  Mixer mixer(3);
  const std::vector<float> state(mixer.state_floats());
  std::vector<float> weights((kLevelCount + 1) * 3);
  mixer.WeightsOf(1, 2, state, 500, std::vector<uint8_t>{1, 0, 1}, weights, {});
  for (size_t row = 0; row <= kLevelCount; ++row) {
    EXPECT_EQ(weights[row * 3 + 1], 0);
    EXPECT_FLOAT_EQ(weights[row * 3] + weights[row * 3 + 2], 1);
  }
}

}  // namespace
}  // namespace tidecast
