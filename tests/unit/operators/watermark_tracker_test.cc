#include "operators/watermark_tracker.h"

#include <gtest/gtest.h>

namespace tidecast {
namespace {

EventTime S(int64_t seconds) { return EventTime::FromSeconds(seconds); }
ProcessingTime P(int64_t seconds) { return {seconds * 1'000'000}; }

WatermarkTracker::Source Clock(int64_t bound_s, int64_t idle_s = 0) {
  return {{std::chrono::seconds(bound_s), std::chrono::seconds(idle_s)}, true};
}
WatermarkTracker::Source Fact() { return {{}, false}; }

TEST(WatermarkTrackerTest, JudgesAnEventByItsOwnPartitionBeforeIt) {
  WatermarkTracker tracker({Clock(10), Clock(0)});
  EXPECT_EQ(tracker.OnEvent(0, S(100)), EventTime::Min());
  EXPECT_EQ(tracker.OnEvent(0, S(200)), S(90));
  EXPECT_EQ(tracker.OnEvent(0, S(150)), S(190));
  EXPECT_EQ(tracker.source_watermark(0), S(190));
}

TEST(WatermarkTrackerTest, IsTheMinimumOverClockSourcesAndNeverGoesBack) {
  WatermarkTracker tracker({Clock(10), Clock(0), Fact()});
  tracker.OnEvent(0, S(100));
  EXPECT_EQ(tracker.task_watermark(), EventTime::Min());
  tracker.OnEvent(1, S(50));
  EXPECT_EQ(tracker.task_watermark(), S(50));
  tracker.OnEvent(1, S(95));
  EXPECT_EQ(tracker.task_watermark(), S(90));
  tracker.OnEvent(1, S(20));
  EXPECT_EQ(tracker.task_watermark(), S(90));
  EXPECT_EQ(tracker.OnEvent(2, S(1)), EventTime::Min());
  EXPECT_EQ(tracker.task_watermark(), S(90));
}

/// Two sources: the first at 100, the second idle behind it.
WatermarkTracker WithTheSecondIdle() {
  WatermarkTracker tracker({Clock(0, 5), Clock(0, 5)});
  tracker.OnEvent(0, S(100));
  tracker.OnEvent(1, S(10));
  tracker.OnPoll(1, false, true, false, P(0));
  tracker.OnPoll(1, false, true, false, P(9));
  return tracker;
}

TEST(WatermarkTrackerTest, ASourceGoesIdleAfterItsTimeoutAtTheEnd) {
  WatermarkTracker tracker({Clock(0, 5), Clock(0, 5)});
  tracker.OnEvent(0, S(100));
  tracker.OnEvent(1, S(10));
  tracker.OnPoll(1, false, true, false, P(1));
  tracker.OnPoll(1, false, true, false, P(5));
  EXPECT_FALSE(tracker.idle(1));
  tracker.OnPoll(1, false, true, false, P(6));
  EXPECT_TRUE(tracker.idle(1));
  EXPECT_EQ(tracker.task_watermark(), S(100));
}

TEST(WatermarkTrackerTest, AfterARestartAnIdleSourceHoldsUntilItsEndIsSeenAgain) {
  WatermarkTracker tracker = WithTheSecondIdle();
  std::string saved;
  tracker.Encode(&saved);
  ASSERT_TRUE(tracker.idle(1));
  for (const bool has_news : {false, true}) {
    WatermarkTracker next({Clock(0, 5), Clock(0, 5)});
    ASSERT_TRUE(next.Decode(saved).ok());
    next.OnEvent(0, S(500));  // what came meanwhile to the one, before anything is known of the other
    EXPECT_EQ(next.task_watermark(), S(100));
    EXPECT_FALSE(next.idle(1));
    next.OnPoll(1, false, false, false, P(1));  // nothing has been fetched yet
    EXPECT_EQ(next.task_watermark(), S(100));
    if (has_news) {
      EXPECT_EQ(next.OnEvent(1, S(120)), S(100)) << "it is judged as if nobody had died";
      EXPECT_EQ(next.task_watermark(), S(120));
    } else {
      next.OnPoll(1, false, true, false, P(1));
      EXPECT_TRUE(next.idle(1));
      EXPECT_EQ(next.task_watermark(), S(500));
    }
  }
}

TEST(WatermarkTrackerTest, AnIdleSourceThatIsCutOffHoldsUntilItsEndIsSeenAgain) {
  WatermarkTracker tracker = WithTheSecondIdle();
  ASSERT_TRUE(tracker.idle(1));
  ASSERT_EQ(tracker.task_watermark(), S(100));
  tracker.OnPoll(1, false, false, false, P(10));  // no broker answers
  tracker.OnEvent(0, S(500));                     // back, and the other one is read first
  EXPECT_EQ(tracker.task_watermark(), S(100));
  EXPECT_EQ(tracker.OnEvent(1, S(120)), S(100)) << "it is judged as if nobody had been away";
  tracker.OnPoll(1, true, true, false, P(11));
  EXPECT_EQ(tracker.task_watermark(), S(120));
}

TEST(WatermarkTrackerTest, AnIdleSourceComesBackUnderTheTasksWatermarkAndStaysThere) {
  WatermarkTracker tracker = WithTheSecondIdle();
  EXPECT_EQ(tracker.OnEvent(1, S(20)), S(100));
  EXPECT_EQ(tracker.OnEvent(1, S(30)), S(100));  // else a bucket that the task has let go would be asked for
  EXPECT_GE(tracker.source_watermark(1), tracker.task_watermark());
}

TEST(WatermarkTrackerTest, ABlockedSourceHoldsTheWatermark) {
  WatermarkTracker tracker({Clock(0, 5), Clock(0, 5)});
  tracker.OnEvent(0, S(100));
  tracker.OnEvent(1, S(10));
  tracker.OnPoll(1, false, true, true, P(0));
  tracker.OnPoll(1, false, true, true, P(100));
  EXPECT_TRUE(tracker.blocked(1));
  EXPECT_EQ(tracker.task_watermark(), S(10));
  tracker.OnPoll(1, false, true, false, P(101));
  EXPECT_FALSE(tracker.idle(1));  // the quiet time begins when it is free again
}

TEST(WatermarkTrackerTest, AnIdleSourceThatIsBlockedHoldsTheWatermarkAgain) {
  WatermarkTracker tracker = WithTheSecondIdle();
  ASSERT_TRUE(tracker.idle(1));
  tracker.OnPoll(1, false, true, true, P(10));
  EXPECT_FALSE(tracker.idle(1));
  tracker.OnEvent(0, S(500));
  EXPECT_EQ(tracker.task_watermark(), S(100)) << "what an open transaction hides would come too late";
}

TEST(WatermarkTrackerTest, IdleIsOffWithoutATimeout) {
  WatermarkTracker tracker({Clock(0)});
  tracker.OnPoll(0, false, true, false, P(0));
  tracker.OnPoll(0, false, true, false, P(100000));
  EXPECT_FALSE(tracker.idle(0));
}

TEST(WatermarkTrackerTest, AllIdleHoldsTimeStill) {
  WatermarkTracker tracker({Clock(0, 1)});
  tracker.OnEvent(0, S(10));
  tracker.OnPoll(0, false, true, false, P(0));
  tracker.OnPoll(0, false, true, false, P(9));
  EXPECT_TRUE(tracker.idle(0));
  EXPECT_EQ(tracker.task_watermark(), S(10));
}

TEST(WatermarkTrackerTest, EndsOnlyOnceAllSourcesHaveFactsIncluded) {
  WatermarkTracker tracker({Clock(0), Clock(0), Fact()});
  tracker.OnEvent(0, S(10));
  tracker.OnEvent(1, S(20));
  tracker.OnEnd(0);
  EXPECT_EQ(tracker.task_watermark(), S(20));
  tracker.OnEnd(1);
  EXPECT_EQ(tracker.task_watermark(), S(20));
  tracker.OnEnd(2);
  EXPECT_EQ(tracker.task_watermark(), EventTime::Max());
}

TEST(WatermarkTrackerTest, CarriedWatermarksStandInForEventTimes) {
  WatermarkTracker tracker({Clock(0), Clock(0)});
  tracker.OnCarried(0, S(30), false);
  tracker.OnCarried(1, S(50), false);
  EXPECT_EQ(tracker.task_watermark(), S(30));
  tracker.OnCarried(0, S(30), true);
  EXPECT_EQ(tracker.task_watermark(), S(50));
}

TEST(WatermarkTrackerTest, DecodesWhatItEncoded) {
  WatermarkTracker tracker({Clock(10, 5), Clock(0, 5), Fact()});
  tracker.OnEvent(0, S(100));
  tracker.OnEvent(1, S(70));
  tracker.OnPoll(1, false, true, false, P(0));
  tracker.OnPoll(1, false, true, false, P(9));
  std::string bytes;
  tracker.Encode(&bytes);
  WatermarkTracker other({Clock(10, 5), Clock(0, 5), Fact()});
  ASSERT_TRUE(other.Decode(bytes).ok());
  EXPECT_EQ(other.task_watermark(), tracker.task_watermark());
  other.OnPoll(1, false, true, false, P(10));
  EXPECT_TRUE(other.idle(1));
  EXPECT_EQ(other.OnEvent(1, S(71)), tracker.OnEvent(1, S(71)));
  std::string again;
  other.Encode(&again);
  std::string now;
  tracker.Encode(&now);
  EXPECT_EQ(again, now);
  EXPECT_EQ(other.Decode(bytes.substr(0, bytes.size() - 1)).code(), Code::kCorruption);
  bytes[0] = 9;
  EXPECT_EQ(other.Decode(bytes).code(), Code::kVersion);
}

TEST(WatermarkTrackerTest, ASourceThatTellsAFiniteWatermarkHasNotEnded) {
  WatermarkTracker tracker({Clock(0), Clock(0)});
  tracker.OnCarried(0, S(5), false);
  tracker.OnCarried(1, S(7), false);
  tracker.OnEnd(0);
  tracker.OnEnd(1);
  EXPECT_EQ(tracker.task_watermark(), EventTime::Max());
  EXPECT_EQ(tracker.newest_finite_watermark(), S(7));
  tracker.OnCarried(0, S(9), false);
  EXPECT_EQ(tracker.task_watermark(), S(9));
}

TEST(WatermarkTrackerTest, KeepsMoreSourcesThanAByteCounts) {
  WatermarkTracker tracker(std::vector<WatermarkTracker::Source>(300));
  for (size_t i = 0; i < 300; ++i) tracker.OnCarried(i, S(10 + static_cast<int64_t>(i)), false);
  std::string bytes;
  tracker.Encode(&bytes);
  WatermarkTracker back(std::vector<WatermarkTracker::Source>(300));
  ASSERT_TRUE(back.Decode(bytes).ok());
  EXPECT_EQ(back.task_watermark(), S(10));
  back.OnCarried(0, S(50), false);
  EXPECT_EQ(back.task_watermark(), S(11));
}

}  // namespace
}  // namespace tidecast
