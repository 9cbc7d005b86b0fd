#include "engine/core/packed_records.h"

#include <gtest/gtest.h>

namespace tidecast {
namespace {

TEST(PackedRecordsTest, GivesBackWhatWasAdded) {
  PackedRecords records;
  const std::string large(300'000, 'x');
  const std::vector<HeaderView> headers = {{"id", "1"}, {"empty", ""}};
  records.Add({.topic = "a", .partition = 3, .key = "k", .value = "v", .headers = headers});
  records.Add({.topic = "b", .key = "", .value = large});
  records.Add({.topic = "a", .key = "gone", .is_null = true});
  records.Add({.topic = "a", .key = "k", .value = ""});
  ASSERT_EQ(records.size(), 4U);
  EXPECT_GT(records.bytes(), large.size());

  std::vector<HeaderView> held;
  const OutputRecord first = ToOutputRecord(records.View(0, &held));
  EXPECT_EQ(first.topic, "a");
  EXPECT_EQ(first.partition, 3);
  EXPECT_EQ(first.key, "k");
  EXPECT_EQ(first.value, "v");
  ASSERT_EQ(first.headers.size(), 2U);
  EXPECT_EQ(first.headers[0].name, "id");
  EXPECT_EQ(first.headers[0].value, "1");
  EXPECT_EQ(first.headers[1].value, "");
  const OutputRecord second = ToOutputRecord(records.View(1, &held));
  EXPECT_EQ(second.topic, "b");
  EXPECT_EQ(second.partition, -1);
  EXPECT_EQ(second.value, large);
  EXPECT_TRUE(second.headers.empty());
  EXPECT_EQ(ToOutputRecord(records.View(2, &held)).value, std::nullopt);
  EXPECT_EQ(ToOutputRecord(records.View(3, &held)).value, "");
  EXPECT_FALSE(records.View(3, &held).record_time.IsFinite());
}

TEST(PackedRecordsTest, MovesWithItsViewsAndIsEmptyThen) {
  PackedRecords records;
  records.Add({.topic = "a", .key = "k", .value = "v"});
  std::vector<HeaderView> held;
  const RecordView before = records.View(0, &held);
  PackedRecords moved = std::move(records);
  EXPECT_EQ(moved.View(0, &held).value.data(), before.value.data());
  EXPECT_TRUE(records.empty());  // NOLINT: moved from on purpose
  EXPECT_EQ(records.bytes(), 0U);
  records.Add({.topic = "c", .key = "k2", .value = "w"});
  EXPECT_EQ(records.View(0, &held).topic, "c");
  EXPECT_EQ(moved.View(0, &held).topic, "a");
}

TEST(PackedRecordsTest, FillsTheBlocksOfOneThatIsDoneWith) {
  const std::string value(1000, 'v');
  const auto fill = [&value](PackedRecords& records) {
    for (int i = 0; i < 2000; ++i) records.Add({.topic = "a", .key = "k", .value = value});
  };
  PackedRecords first;
  fill(first);
  std::vector<HeaderView> held;
  const char* const newest = first.View(1999, &held).value.data();
  const size_t bytes = first.bytes();
  PackedRecords second;
  second.Reuse(std::move(first));
  EXPECT_TRUE(second.empty());
  EXPECT_EQ(second.bytes(), 0U);
  fill(second);
  EXPECT_EQ(second.bytes(), bytes);
  EXPECT_EQ(second.View(1999, &held).value, value);
  // The block that was filled last is the first to be filled again.
  bool same_memory = false;
  for (size_t i = 0; i < second.size(); ++i) {
    const char* const at = second.View(i, &held).value.data();
    same_memory |= at <= newest && newest < at + value.size();
  }
  EXPECT_TRUE(same_memory);
}

TEST(PackedRecordsTest, HoldsNoMoreHoweverManyEpochsTakeTurns) {
  const std::string value(1000, 'v');
  PackedRecords rows;
  PackedRecords in_flight;
  size_t held_most = 0;
  for (int epoch = 0; epoch < 50; ++epoch) {
    // One fills while the one before commits, and takes its memory halfway.
    for (int i = 0; i < 1000; ++i) rows.Add({.topic = "a", .key = "k", .value = value});
    rows.Reuse(std::move(in_flight));
    for (int i = 0; i < 1000; ++i) rows.Add({.topic = "a", .key = "k", .value = value});
    in_flight = rows.Take();
    EXPECT_TRUE(rows.empty());
    EXPECT_EQ(in_flight.size(), 2000U);
    held_most = std::max(held_most, rows.held_bytes() + in_flight.held_bytes());
  }
  EXPECT_LT(held_most, 8'000'000U);  // 2 MB of records: in flight, and as much kept
}

}  // namespace
}  // namespace tidecast
