#include "operators/alert_operator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

namespace tidecast {
namespace {

constexpr int64_t kDay = 86'400'000'000;

/// One series, day after day.
class AlertOperatorTest : public ::testing::Test {
 protected:
  static BucketScore Score(float actual, float expected, float tail_low, float tail_high) {
    BucketScore score;
    score.series = "85123A";
    score.actual = actual;
    score.expected = expected;
    score.tail_low = tail_low;
    score.tail_high = tail_high;
    score.has_forecast = true;
    score.quantiles.fill(expected);
    return score;
  }
  static BucketScore High(float actual, float tail) { return Score(actual, 10, 1, tail); }
  static BucketScore Low(float actual, float expected, float tail) { return Score(actual, expected, tail, 1); }
  static BucketScore Calm() { return Score(10, 10, .5F, .5F); }

  std::vector<Alert> Day(const BucketScore& score, uint32_t age = 100) {
    std::vector<Alert> out;
    const AlertOperator alerts(options_, "sku");
    alerts.OnScores({day_ * kDay}, {(day_ + 1) * kDay}, {&score, 1}, {&age, 1}, {&state_, 1}, &out);
    ++day_;
    return out;
  }

  AlertOptions options_;
  std::string state_;
  int64_t day_ = 1000;
};

TEST_F(AlertOperatorTest, FiresOnASmallTailWithAnEffect) {
  const std::vector<Alert> out = Day(High(60, 1e-5F));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_TRUE(out[0].firing);
  EXPECT_TRUE(out[0].high);
  EXPECT_EQ(out[0].name, "DemandAboveForecast");
  EXPECT_EQ(out[0].fingerprint.size(), 16U);
  EXPECT_EQ(out[0].id, out[0].fingerprint + "/1/1");
  EXPECT_EQ(out[0].starts_at.us, 1000 * kDay);
  EXPECT_EQ(out[0].ends_at, EventTime::Min());
  EXPECT_DOUBLE_EQ(out[0].effect_absolute, 50);
  EXPECT_DOUBLE_EQ(out[0].effect_ratio, 6);
  EXPECT_EQ(out[0].quantiles.size(), kLevelCount);
}

TEST_F(AlertOperatorTest, StaysSilentBelowEachThreshold) {
  EXPECT_TRUE(Day(High(60, 2e-4F)).empty()) << "tail not small enough";
  EXPECT_TRUE(Day(High(19, 1e-9F)).empty()) << "ratio 1.9, effect 9";
  options_.effect_absolute_min = 1;
  EXPECT_TRUE(Day(High(19, 1e-9F)).empty()) << "ratio below 2";
  options_.effect_absolute_min = 51;
  EXPECT_TRUE(Day(High(60, 1e-9F)).empty()) << "effect below its minimum";
  EXPECT_TRUE(state_.empty()) << "nothing kept of a series that never fired";
}

TEST_F(AlertOperatorTest, ThresholdsAreReachedAtTheirValues) {
  options_.effect_absolute_min = 10;
  options_.tail_probability = .125;  // exact as float and double
  EXPECT_EQ(Day(High(20, .125F)).size(), 1U) << "tail, ratio 2 and effect 10 exactly";
}

TEST_F(AlertOperatorTest, LeavesYoungSeriesAlone) {
  EXPECT_TRUE(Day(High(60, 1e-9F), 29).empty());
  EXPECT_EQ(Day(High(60, 1e-9F), 30).size(), 1U);
}

TEST_F(AlertOperatorTest, SaysNothingTwiceWhileNothingChanges) {
  ASSERT_EQ(Day(High(60, 1e-5F)).size(), 1U);
  EXPECT_TRUE(Day(High(60, 1e-5F)).empty());
  EXPECT_TRUE(Day(High(75, 1e-5F)).empty());
}

TEST_F(AlertOperatorTest, RevisesWhenTheEffectDoublesOrTheSeverityRises) {
  const int severity = Day(High(40, 1e-4F))[0].severity_number;
  const std::vector<Alert> doubled = Day(High(70, 1e-4F));
  ASSERT_EQ(doubled.size(), 1U);
  EXPECT_EQ(doubled[0].revision, 2U);
  EXPECT_EQ(doubled[0].episode, 1U);
  EXPECT_TRUE(doubled[0].firing);
  const std::vector<Alert> worse = Day(High(70, 1e-20F));
  ASSERT_EQ(worse.size(), 1U);
  EXPECT_EQ(worse[0].revision, 3U);
  EXPECT_GT(worse[0].severity_number, severity);
  EXPECT_TRUE(Day(High(70, 1e-4F)).empty()) << "a severity that falls back is no news";
}

TEST_F(AlertOperatorTest, ResolvesBelowTheExitOnly) {
  ASSERT_EQ(Day(High(60, 1e-5F)).size(), 1U);
  EXPECT_TRUE(Day(High(60, 1e-3F)).empty()) << "surprise 3 is above .7 x 4";
  const std::vector<Alert> out = Day(High(60, 1e-2F));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_FALSE(out[0].firing);
  EXPECT_EQ(out[0].revision, 2U);
  EXPECT_EQ(out[0].starts_at.us, 1000 * kDay);
  EXPECT_EQ(out[0].ends_at.us, 1002 * kDay) << "end of the last bucket that was seen firing";
  EXPECT_TRUE(Day(Calm()).empty());
}

TEST_F(AlertOperatorTest, ResolvesWhenTheEffectIsGone) {
  ASSERT_EQ(Day(High(60, 1e-5F)).size(), 1U);
  const std::vector<Alert> out = Day(High(16, 1e-9F));
  ASSERT_EQ(out.size(), 1U) << "6 units are below .7 x 10";
  EXPECT_FALSE(out[0].firing);
}

TEST_F(AlertOperatorTest, ANewEpisodeHasTheSameFingerprint) {
  const Alert first = Day(High(60, 1e-5F))[0];
  Day(Calm());
  const Alert second = Day(High(60, 1e-5F))[0];
  EXPECT_EQ(second.fingerprint, first.fingerprint);
  EXPECT_EQ(second.episode, 2U);
  EXPECT_EQ(second.revision, 1U);
  EXPECT_EQ(second.starts_at.us, 1002 * kDay);
}

TEST_F(AlertOperatorTest, TurnsOverInOneBucket) {
  const Alert up = Day(High(60, 1e-5F))[0];
  const std::vector<Alert> out = Day(Low(0, 40, 1e-6F));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_FALSE(out[0].firing);
  EXPECT_EQ(out[0].fingerprint, up.fingerprint);
  EXPECT_TRUE(out[1].firing);
  EXPECT_FALSE(out[1].high);
  EXPECT_EQ(out[1].name, "DemandBelowForecast");
  EXPECT_NE(out[1].fingerprint, up.fingerprint);
  EXPECT_EQ(out[1].episode, 1U);
  EXPECT_DOUBLE_EQ(out[1].effect_absolute, -40);
}

TEST_F(AlertOperatorTest, NoDataIsNotTheEnd) {
  ASSERT_EQ(Day(High(60, 1e-5F)).size(), 1U);
  const std::string before = state_;
  EXPECT_TRUE(Day(Score(std::numeric_limits<float>::quiet_NaN(), 10, 1, 1)).empty());
  BucketScore unforecast = Calm();
  unforecast.has_forecast = false;
  EXPECT_TRUE(Day(unforecast).empty());
  EXPECT_EQ(state_, before);
  EXPECT_FALSE(Day(Calm())[0].firing);
}

TEST_F(AlertOperatorTest, SeverityRisesWithSurpriseAndEffect) {
  std::set<int> seen;
  for (const BucketScore& score : {High(22, 1e-4F), High(22, 1e-7F), High(22, 1e-12F), High(90, 1e-12F)}) {
    state_.clear();
    const int severity = Day(score)[0].severity_number;
    EXPECT_TRUE(seen.empty() || severity > *seen.rbegin());
    seen.insert(severity);
  }
  EXPECT_EQ(seen, (std::set<int>{9, 13, 17, 21}));
}

TEST_F(AlertOperatorTest, ATailOfZeroIsStillANumber) {
  const Alert alert = Day(Score(60, 0, 1, 0))[0];
  EXPECT_EQ(AlertOperator::Surprise(alert.tail_probability), 300);
  EXPECT_TRUE(std::isnan(alert.effect_ratio)) << "nothing was expected";
}

TEST_F(AlertOperatorTest, AReplayGivesTheSameAlertsAndState) {
  const std::vector<BucketScore> days = {Calm(), High(60, 1e-5F), High(200, 1e-9F), Low(0, 40, 1e-6F),
                                         Calm(), High(60, 1e-5F)};
  const auto run = [&] {
    day_ = 1000;
    state_.clear();
    std::string ids;
    for (const BucketScore& score : days) {
      for (const Alert& alert : Day(score)) ids += alert.id + (alert.firing ? "+ " : "- ");
    }
    return ids + state_;
  };
  EXPECT_EQ(run(), run());
}

TEST_F(AlertOperatorTest, SilentWhenSwitchedOff) {
  options_.enabled = false;
  EXPECT_TRUE(Day(High(60, 1e-9F)).empty());
}

}  // namespace
}  // namespace tidecast
