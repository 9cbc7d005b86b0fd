#include <gtest/gtest.h>

#include "operators/dedupe_table.h"
#include "tests/unit/operators/windows_fixture.h"

namespace tidecast {
namespace {

using namespace testing;  // NOLINT

WindowAggregator::Options Keep(int64_t seconds) {
  auto options = HourlyUnits(10 * kHour);
  options.dedupe_keep = {std::chrono::seconds(seconds)};
  return options;
}
Event Numbered(int64_t seconds, uint64_t id) {
  Event event = Order("a", seconds);
  event.dedupe = id;
  return event;
}

TEST(DedupeTest, CountsAnIdOnceWhileItIsRemembered) {
  const auto windows = MakeWindows(Keep(600));
  EXPECT_EQ(windows->OnEvent(Numbered(100, 7), EventTime::Min()), Verdict::kAccepted);
  EXPECT_EQ(windows->OnEvent(Numbered(101, 7), EventTime::Min()), Verdict::kDuplicate);
  EXPECT_EQ(windows->OnEvent(Numbered(102, 8), EventTime::Min()), Verdict::kAccepted);
  EXPECT_EQ(windows->OnEvent(Numbered(700, 7), EventTime{At(700).us - 1}), Verdict::kDuplicate);
  EXPECT_EQ(windows->OnEvent(Numbered(700, 7), At(700)), Verdict::kAccepted);
  EXPECT_EQ(windows->OnEvent(Numbered(700, 0), At(700)), Verdict::kAccepted);
  EXPECT_EQ(windows->OnEvent(Numbered(700, 0), At(700)), Verdict::kAccepted);
}

TEST(DedupeTest, AStoredTimeOutsideOfAllTimeIsRefused) {
  DedupeTable table(0, std::chrono::hours(2));
  EXPECT_TRUE(table.LoadRow(At(100), 7).ok());
  EXPECT_EQ(table.LoadRow(EventTime{INT64_MAX - 5}, 8).code(), Code::kCorruption);
  EXPECT_EQ(table.LoadRow(EventTime{INT64_MIN + 5}, 8).code(), Code::kCorruption);
}

TEST(DedupeTest, IsOffWithoutAKeep) {
  const auto windows = MakeWindows(Keep(0));
  EXPECT_EQ(windows->OnEvent(Numbered(100, 7), EventTime::Min()), Verdict::kAccepted);
  EXPECT_EQ(windows->OnEvent(Numbered(100, 7), EventTime::Min()), Verdict::kAccepted);
}

TEST(DedupeTest, IdsOutliveAReloadAndAreTombstonedOnceExpired) {
  const auto windows = MakeWindows(Keep(1600));
  Committer committer;
  FixedActivity activity;
  RecordingSink sink;
  windows->OnEvent(Numbered(100, 7), EventTime::Min());
  committer.Commit(*windows);
  ASSERT_TRUE(windows->Reload(committer.reader()).ok());
  EXPECT_EQ(windows->OnEvent(Numbered(100, 7), EventTime::Min()), Verdict::kDuplicate);
  const size_t before = committer.Contents().size();
  windows->OnWatermark(At(2000), activity, sink, 100);
  committer.Commit(*windows);
  EXPECT_EQ(committer.Contents().size(), before - 1);
}

TEST(DedupeTest, ATooLateEventIsNotRemembered) {
  const auto windows = MakeWindows(Keep(100 * kHour));
  EXPECT_EQ(windows->OnEvent(Numbered(100, 7), At(50 * kHour)), Verdict::kTooLate);
  EXPECT_EQ(windows->OnEvent(Numbered(50 * kHour, 7), At(50 * kHour)), Verdict::kAccepted);
}

}  // namespace
}  // namespace tidecast
