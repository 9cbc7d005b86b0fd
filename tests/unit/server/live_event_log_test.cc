#include "engine/server/live_event_log.h"

#include <gtest/gtest.h>

namespace tidecast {
namespace {

std::shared_ptr<const std::string> Text(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

TEST(LiveEventLogTest, ReadsOnFromTheCursor) {
  LiveEventLog log(1 << 20, 100, 0xab);
  log.Append("status", "", Text("1"));
  log.Append("bucket", "A", Text("2"));
  uint64_t cursor = 1;
  std::string out;
  EXPECT_EQ(log.ReadAfter(&cursor, {}, 1 << 20, &out), LiveEventLog::ReadOutcome::kOk);
  EXPECT_EQ(out, "id: ab-2\nevent: bucket\ndata: 2\n\n");
  EXPECT_EQ(cursor, 2U);
}

TEST(LiveEventLogTest, AFilterPassesItsSeriesAndWhatBelongsToNone) {
  LiveEventLog log(1 << 20, 100, 1);
  log.Append("bucket", "A", Text("a"));
  log.Append("bucket", "B", Text("b"));
  log.Append("alert", "", Text("c"));
  uint64_t cursor = 0;
  std::string out;
  LiveEventFilter filter;
  filter.series.insert("A");
  EXPECT_EQ(log.ReadAfter(&cursor, filter, 1 << 20, &out), LiveEventLog::ReadOutcome::kOk);
  EXPECT_NE(out.find("data: a"), std::string::npos);
  EXPECT_EQ(out.find("data: b"), std::string::npos);
  EXPECT_NE(out.find("data: c"), std::string::npos);
  EXPECT_EQ(cursor, 3U);
}

TEST(LiveEventLogTest, AReaderThatFellBehindFindsAGapAndThenStandsAtTheNewest) {
  LiveEventLog log(1 << 20, 3, 1);
  for (int i = 0; i < 10; ++i) log.Append("status", "", Text("x"));
  uint64_t cursor = 6;
  std::string out;
  EXPECT_EQ(log.ReadAfter(&cursor, {}, 1 << 20, &out), LiveEventLog::ReadOutcome::kGap);
  EXPECT_EQ(cursor, 10U);
  cursor = 7;  // events 8, 9, 10 are still there: no gap
  EXPECT_EQ(log.ReadAfter(&cursor, {}, 1 << 20, &out), LiveEventLog::ReadOutcome::kOk);
}

TEST(LiveEventLogTest, IsBoundedInBytes) {
  LiveEventLog log(1000, 1000, 1);
  for (int i = 0; i < 10; ++i) log.Append("status", "", Text(std::string(300, 'x')));
  uint64_t cursor = 1;
  std::string out;
  EXPECT_EQ(log.ReadAfter(&cursor, {}, 1 << 20, &out), LiveEventLog::ReadOutcome::kGap);
}

TEST(LiveEventLogTest, OneReadIsBoundedAndGoesOn) {
  LiveEventLog log(1 << 20, 100, 1);
  for (int i = 0; i < 4; ++i) log.Append("status", "", Text(std::string(100, 'x')));
  uint64_t cursor = 0;
  std::string out;
  EXPECT_EQ(log.ReadAfter(&cursor, {}, 150, &out), LiveEventLog::ReadOutcome::kOk);
  EXPECT_EQ(cursor, 2U);
}

TEST(LiveEventLogTest, IdsOfAnotherRunOrOfTheFutureAreRefused) {
  LiveEventLog log(1 << 20, 100, 0xab);
  log.Append("status", "", Text("1"));
  uint64_t id = 0;
  EXPECT_TRUE(log.ParseId("ab-1", &id));
  EXPECT_EQ(id, 1U);
  EXPECT_FALSE(log.ParseId("ac-1", &id));
  EXPECT_FALSE(log.ParseId("ab-2", &id));
  EXPECT_FALSE(log.ParseId("ab-1x", &id));
  EXPECT_FALSE(log.ParseId("1", &id));
}

TEST(LiveEventLogTest, ANewlineInTheDataStaysInsideTheEvent) {
  std::string out;
  RenderServerSentEvent("1", "status", "a\nb", &out);
  EXPECT_EQ(out, "id: 1\nevent: status\ndata: a\ndata: b\n\n");
}

}  // namespace
}  // namespace tidecast
