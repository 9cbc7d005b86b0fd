#include "engine/runtime/cut_pace.h"

#include <gtest/gtest.h>

namespace tidecast {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Commits of 100 ms that take 40 ms; event time goes as fast as the clock does, a bucket is a minute.
class CutPaceTest : public ::testing::Test {
 protected:
  CutPaceTest() {
    pace_.StartAt(At(0));
    pace_.OnRecords(EventTime::FromMillis(kStart));
    Step(0, seconds(10));
    Step(1000, seconds(9));
    pace_.OnCut(At(1000));
    pace_.OnCommitted(At(1040));
  }
  static ProcessingTime At(int64_t ms) { return {(kStart + ms) * 1000}; }
  /// At `ms` the next bucket's end is `to_close` ahead.
  void Step(int64_t ms, Duration to_close, bool closed = false) {
    pace_.OnRecords(EventTime::FromMillis(kStart + ms));
    pace_.OnStep({At(ms), closed, EventTime::FromMillis(kStart + ms), to_close});
  }
  bool Due(int64_t ms, bool settled = true) const { return pace_.Due(At(ms), settled); }

  static constexpr int64_t kStart = 1'000'000'000'000;
  CutPace pace_{milliseconds(100)};
};

TEST_F(CutPaceTest, CutsAnIntervalAfterTheLastCut) {
  Step(1090, seconds(9));
  EXPECT_FALSE(Due(1099));
  EXPECT_TRUE(Due(1100));
}

TEST_F(CutPaceTest, CutsAtOnceWhenBucketsHaveClosed) {
  Step(1050, seconds(60), true);
  EXPECT_TRUE(Due(1050));
}

TEST_F(CutPaceTest, CutsEarlyNoMoreThanOnceAnInterval) {
  Step(1050, seconds(60), true);
  pace_.OnCut(At(1050));
  pace_.OnCommitted(At(1090));
  Step(1100, seconds(60), true);
  EXPECT_FALSE(Due(1149));
  EXPECT_TRUE(Due(1150));
}

TEST_F(CutPaceTest, WaitsForWhatIsMadeOfTheBucketsForAnIntervalAtMost) {
  Step(1050, seconds(60), true);
  EXPECT_FALSE(Due(1050, false));
  EXPECT_TRUE(Due(1100, false));
}

TEST_F(CutPaceTest, WaitsForTasksThatAreAboutToCloseNoLongerThanACommitTakes) {
  Step(1050, milliseconds(20), true);
  EXPECT_FALSE(Due(1050));
  EXPECT_FALSE(Due(1089));
  EXPECT_TRUE(Due(1090));
}

TEST_F(CutPaceTest, WhatClosedIsCutWithinMomentsUnlessRoundsGoOnOrNobodyWaits) {
  Step(1050, milliseconds(20));
  EXPECT_FALSE(pace_.IsImminent(At(1050), true));  // nothing closed
  Step(1060, milliseconds(20), true);
  EXPECT_TRUE(pace_.IsImminent(At(1060), true));
  EXPECT_FALSE(pace_.IsImminent(At(1060), false));
  EXPECT_FALSE(pace_.IsImminent(At(2060), true));  // what came last lies back by a second
}

TEST_F(CutPaceTest, AfterAnEarlyCutTheNextIsNotImminentBeforeTheIntervalIsNearlyOver) {
  CutPace pace(seconds(60));
  const auto close = [&](int64_t ms) {
    pace.OnRecords(EventTime::FromMillis(kStart + ms));
    pace.OnStep({At(ms), true, EventTime::FromMillis(kStart + ms), seconds(60)});
  };
  pace.StartAt(At(0));
  close(1000);
  pace.OnCut(At(1000));
  close(5000);
  EXPECT_FALSE(pace.IsImminent(At(5000), true));
  close(60'100);
  EXPECT_TRUE(pace.IsImminent(At(60'100), true));
}

TEST_F(CutPaceTest, LeavesTheWayFreeForACloseThatIsNear) {
  Step(1100, milliseconds(30));
  EXPECT_FALSE(Due(1100));
  EXPECT_FALSE(Due(1139));
  EXPECT_TRUE(Due(1140));  // it did not come
}

TEST_F(CutPaceTest, CutsBeforeACloseThatIsFurtherAwayThanACommitTakes) {
  Step(1100, milliseconds(50));
  EXPECT_TRUE(Due(1100));
}

TEST_F(CutPaceTest, HoldsInputWhileRowsOfClosedBucketsAreCommitted) {
  Step(1050, seconds(60), true);
  EXPECT_FALSE(pace_.HoldsInput(At(1050)));
  pace_.OnCut(At(1050));
  EXPECT_TRUE(pace_.HoldsInput(At(1149)));
  EXPECT_FALSE(pace_.HoldsInput(At(1150)));  // the commit takes long
  pace_.OnCommitted(At(1080));
  EXPECT_FALSE(pace_.HoldsInput(At(1080)));
}

TEST_F(CutPaceTest, HoldsInputOnceInTenIntervalsAtMost) {
  const auto close_at = [&](int64_t ms) {
    Step(ms, seconds(60), true);
    pace_.OnCut(At(ms));
    const bool held = pace_.HoldsInput(At(ms + 1));
    pace_.OnCommitted(At(ms + 40));
    return held;
  };
  EXPECT_TRUE(close_at(2000));
  EXPECT_FALSE(close_at(2100));
  EXPECT_FALSE(close_at(2999));
  EXPECT_TRUE(close_at(3000));
}

TEST_F(CutPaceTest, HoldsNoInputWhereNoBucketsClosedOrNobodyWaits) {
  Step(3000, seconds(60));
  pace_.OnCut(At(3000));
  EXPECT_FALSE(pace_.HoldsInput(At(3001)));
  pace_.OnCommitted(At(3040));
  Step(5000, seconds(60), true);
  pace_.OnRecords(EventTime::FromMillis(kStart - 60'000));
  pace_.OnCut(At(5000));
  EXPECT_FALSE(pace_.HoldsInput(At(5001)));
}

TEST_F(CutPaceTest, ForeseesByHowFastEventTimeGoes) {
  pace_.OnCut(At(1500));
  pace_.OnStep({At(1600), false, EventTime::FromMillis(kStart + 60'000), milliseconds(1500)});  // 98 times as fast
  EXPECT_FALSE(Due(1600));
  pace_.OnStep({At(1601), false, EventTime::FromMillis(kStart + 60'010), seconds(9)});
  EXPECT_TRUE(Due(1601));
}

TEST_F(CutPaceTest, LetsMoreIntoAnEpochWhileOthersAreAboutToClose) {
  Step(1050, milliseconds(20));
  EXPECT_FALSE(pace_.WaitsForOthers(At(1050)));
  Step(1050, milliseconds(20), true);
  EXPECT_TRUE(pace_.WaitsForOthers(At(1089)));
  EXPECT_FALSE(pace_.WaitsForOthers(At(1090)));
}

TEST_F(CutPaceTest, KeepsTheIntervalWhereTheInputLiesBehind) {
  Step(1050, milliseconds(20), true);
  pace_.OnRecords(EventTime::FromMillis(kStart - 60'000));
  EXPECT_FALSE(Due(1099));
  EXPECT_TRUE(Due(1100));
}

TEST_F(CutPaceTest, WaitsForHalfAnIntervalAtMost) {
  pace_.OnCut(At(1100));
  pace_.OnCommitted(At(2000));  // a slow one
  pace_.OnCut(At(2000));
  Step(2090, milliseconds(20));
  EXPECT_FALSE(Due(2149));
  EXPECT_TRUE(Due(2150));
}

}  // namespace
}  // namespace tidecast
