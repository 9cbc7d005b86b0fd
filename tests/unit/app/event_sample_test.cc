#include "engine/app/event_sample.h"

#include <gtest/gtest.h>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr int32_t kPartitions = 4;

class EventSampleTest : public ::testing::Test {
 protected:
  EventSampleTest() : sample_(EventSample::Make(Orders(), "key").value()) {}
  static InputOptions Orders() {
    InputOptions input;
    input.name = "orders";
    input.topic = "shop.orders";
    return input;
  }
  /// An order at so many seconds, in the partition that its key belongs to unless said otherwise.
  void Order(int64_t seconds, std::string_view quantity = "1", const std::string& sku = "A", int32_t partition = -1) {
    const std::string value = fmt::format(R"({{"sku":"{}","ts":{},"quantity":{}}})", sku, 1'700'000'000 + seconds, quantity);
    InputRecord record;
    record.offset = offset_++;
    record.has_key = true;
    record.key = sku;
    record.value = value;
    const TopicPartition source{"shop.orders", partition < 0 ? PartitionOf(sku, kPartitions) : partition};
    sample_.Add(record, source, kPartitions, fmt::format("place {}", record.offset));
  }

  EventSample sample_;
  int64_t offset_ = 0;
};

TEST_F(EventSampleTest, CountsReasonsAndKeepsTheFirstExampleOfEach) {
  Order(0);
  Order(1, "\"two\"");
  Order(2, "\"three\"");
  Order(3, "null");
  EXPECT_EQ(sample_.records(), 4);
  EXPECT_EQ(sample_.decoded(), 1);
  ASSERT_EQ(sample_.rejects().size(), 2U);
  const EventSample::Rejects& bad = sample_.rejects().at(RejectReason::kBadValue);
  EXPECT_EQ(bad.count, 2);
  EXPECT_EQ(bad.place, "place 1");
  EXPECT_NE(bad.detail.find("/quantity"), std::string::npos);
  EXPECT_NE(bad.value.find("two"), std::string::npos);
  EXPECT_EQ(sample_.rejects().at(RejectReason::kMissingField).count, 1);
}

TEST_F(EventSampleTest, AKeyInAForeignPartitionIsAMismatch) {
  Order(0, "1", "A", (PartitionOf("A", kPartitions) + 1) % kPartitions);
  EXPECT_EQ(sample_.decoded(), 0);
  EXPECT_EQ(sample_.rejects().at(RejectReason::kKeyMismatch).count, 1);
}

TEST_F(EventSampleTest, OrderIsThatWithinAPartition) {
  ASSERT_NE(PartitionOf("A", kPartitions), PartitionOf("B", kPartitions));
  Order(100, "1", "A");
  Order(50, "1", "B");  // another partition: not behind
  EXPECT_EQ(sample_.out_of_order(), 0);
  EXPECT_EQ(sample_.SuggestedOutOfOrderness(), Duration{});
  Order(40, "1", "A");
  Order(100, "1", "A");
  EXPECT_EQ(sample_.out_of_order(), 1);
  EXPECT_EQ(sample_.lag_max(), std::chrono::seconds(60));
  EXPECT_EQ(sample_.BehindMoreThan(std::chrono::seconds(60)), 0);
  EXPECT_EQ(sample_.BehindMoreThan(std::chrono::seconds(59)), 1);
  EXPECT_EQ(sample_.first(), EventTime::FromSeconds(1'700'000'040));
  EXPECT_EQ(sample_.last(), EventTime::FromSeconds(1'700'000'100));
}

TEST_F(EventSampleTest, TheSuggestionLeavesOneInAThousandBehind) {
  for (int i = 0; i < 2000; ++i) Order(i * 10 + (i % 10 == 9 ? -25 : 0));  // a tenth lies 15 s behind
  EXPECT_EQ(sample_.SuggestedOutOfOrderness(), std::chrono::seconds(30));
  Order(0);  // one that lies far behind does not move it
  EXPECT_EQ(sample_.SuggestedOutOfOrderness(), std::chrono::seconds(30));
  for (int i = 0; i < 4; ++i) Order(2000 * 10 - 3'000);  // four of 2,005 do
  EXPECT_EQ(sample_.SuggestedOutOfOrderness(), std::chrono::hours(1));
}

}  // namespace
}  // namespace tidecast
