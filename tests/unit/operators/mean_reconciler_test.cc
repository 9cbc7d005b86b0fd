#include "operators/mean_reconciler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <vector>

namespace tidecast {
namespace {

constexpr size_t kHorizon = 3;

/// A series of noise around 100, its own mean off by `own`, the sum of its parts by `parts`, at all steps.
struct Pair {
  std::vector<float> own, parts;
};
Pair Off(float own, float parts, size_t horizon = kHorizon) {
  return {std::vector<float>(horizon, 100 + own), std::vector<float>(horizon, 100 + parts)};
}

MeanReconciler Fresh(size_t horizon = kHorizon) { return MeanReconciler::Decode({}, horizon).value(); }

std::vector<float> Forecast(MeanReconciler& reconciler, int64_t index, const Pair& pair) {
  std::vector<float> reconciled(pair.own.size());
  reconciler.Forecast(index, pair.own, pair.parts, reconciled);
  return reconciled;
}

TEST(MeanReconcilerTest, BeginsHalfWay) {
  MeanReconciler reconciler = Fresh();
  EXPECT_EQ(Forecast(reconciler, 1, Off(10, -30)), std::vector<float>(kHorizon, 90));
}

TEST(MeanReconcilerTest, LeansToTheOneThatErrsLess) {
  for (const bool own_is_better : {true, false}) {
    MeanReconciler reconciler = Fresh();
    const Pair pair = own_is_better ? Off(1, 20) : Off(20, 1);
    std::vector<float> reconciled;
    for (int64_t index = 1; index < 200; ++index) {
      reconciler.OnActual(index, 100);
      reconciled = Forecast(reconciler, index, pair);
    }
    for (const float mean : reconciled) EXPECT_NEAR(mean, 101, 4) << own_is_better;
  }
}

// The best weight in hindsight of what has closed, drawn to one half: each forecast counts when exactly its bucket
// closes.
TEST(MeanReconcilerTest, WeighsByTheErrorsOfWhatHasClosed) {
  std::mt19937 chance(7);
  std::normal_distribution<float> noise(0, 10);
  MeanReconciler reconciler = Fresh();
  std::map<int64_t, Pair> made;
  double apart = 0, toward = 0, count = 0;
  for (int64_t index = 1; index < 60; ++index) {
    const float actual = index % 11 == 0 ? std::numeric_limits<float>::quiet_NaN() : 100 + noise(chance);
    reconciler.OnActual(index, actual);
    for (double* sum : {&apart, &toward, &count}) *sum *= MeanReconciler::kMemory;
    for (size_t h = 0; h < kHorizon && std::isfinite(actual); ++h) {
      const auto at = made.find(index - static_cast<int64_t>(h) - 1);
      if (at == made.end()) continue;
      const double d = at->second.parts[h] - at->second.own[h];
      apart += d * d;
      toward += d * (actual - at->second.own[h]);
      count += 1;
    }
    Pair pair = Off(0, 0);
    for (size_t h = 0; h < kHorizon; ++h) {
      pair.own[h] += noise(chance) * static_cast<float>(h + 1);
      pair.parts[h] += noise(chance);
    }
    const std::vector<float> reconciled = Forecast(reconciler, index, pair);
    made[index] = pair;
    double weight = .5;
    if (count > 0) {
      const double prior = 2. * kHorizon * apart / count;
      weight = std::clamp((toward + prior / 2) / (apart + prior), 0., 1.);
    }
    EXPECT_NEAR(reconciler.WeightOfBottomUp(), weight, 1e-6) << index;
    for (size_t h = 0; h < kHorizon; ++h)
      EXPECT_NEAR(reconciled[h], (1 - weight) * pair.own[h] + weight * pair.parts[h], 1e-3) << index;
  }
}

TEST(MeanReconcilerTest, StaysBetweenTheTwo) {
  MeanReconciler reconciler = Fresh();
  for (int64_t index = 1; index < 100; ++index) {
    reconciler.OnActual(index, 100);
    for (const float mean : Forecast(reconciler, index, Off(10, 30))) {
      EXPECT_GE(mean, 110);
      EXPECT_LE(mean, 130);
    }
  }
  EXPECT_LT(reconciler.WeightOfBottomUp(), .1);
}

TEST(MeanReconcilerTest, GoesOnFromItsStateAsIfItHadNeverStopped) {
  std::mt19937 chance(3);
  std::normal_distribution<float> noise(0, 5);
  MeanReconciler whole = Fresh();
  std::string state;
  for (int64_t index = 1; index < 40; ++index) {
    const float actual = 100 + noise(chance);
    const Pair pair = Off(noise(chance), noise(chance));
    whole.OnActual(index, actual);
    MeanReconciler again = MeanReconciler::Decode(state, kHorizon).value();
    again.OnActual(index, actual);
    ASSERT_EQ(Forecast(whole, index, pair), Forecast(again, index, pair));
    state = again.Encode();
    ASSERT_EQ(state, whole.Encode());
  }
  EXPECT_LE(state.size(), 40 + kHorizon * (8 + 8 * kHorizon));
}

TEST(MeanReconcilerTest, LetsGoOfWhatWasNumberedByAnotherInstance) {
  MeanReconciler reconciler = Fresh();
  Forecast(reconciler, 500, Off(1, 50));
  reconciler.OnActual(7, 100);  // not the bucket after 500
  Forecast(reconciler, 7, Off(1, 50));
  EXPECT_EQ(reconciler.WeightOfBottomUp(), .5);
  reconciler.OnActual(8, 100);
  EXPECT_LT(reconciler.WeightOfBottomUp(), .5);
}

TEST(MeanReconcilerTest, RefusesWhatItCannotRead) {
  MeanReconciler reconciler = Fresh();
  Forecast(reconciler, 1, Off(1, 2));
  std::string state = reconciler.Encode();
  EXPECT_TRUE(MeanReconciler::Decode(state, kHorizon).ok());
  EXPECT_EQ(MeanReconciler::Decode(state.substr(0, state.size() - 1), kHorizon).status().code(), Code::kCorruption);
  state[0] = 9;
  EXPECT_EQ(MeanReconciler::Decode(state, kHorizon).status().code(), Code::kVersion);
  // Made for another horizon: as if the series had never been seen.
  state = reconciler.Encode();
  EXPECT_EQ(MeanReconciler::Decode(state, 5).value().WeightOfBottomUp(), .5);
}

}  // namespace
}  // namespace tidecast
