// What a task tells others of its watermark (topic <ns>.activity) is what it stands by after a crash: days are closed
// by it elsewhere.
#include <gtest/gtest.h>

#include "engine/core/hash.h"
#include "tests/simulation/lab.h"

namespace tidecast::simulation {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr int kPartitions = 2;

std::string KeyIn(int32_t partition) {
  int number = 0;
  while (PartitionOf("s" + std::to_string(number), kPartitions) != partition) ++number;
  return "s" + std::to_string(number);
}

OutputRecord Order(int32_t partition, int hour) {
  return MakeOrder(KeyIn(partition), ShopStart() + hours(hour), 1, fmt::format("{}-{}", partition, hour), "c");
}

OutputRecord Click(int32_t partition, int hour) {
  OutputRecord record = Order(partition, hour);
  record.topic = "shop.clicks";
  const int64_t seconds = record.record_time.us / 1'000'000;
  record.value = fmt::format(R"({{"sku":"{}","ts":{},"action":"view","session_id":"v"}})", record.key, seconds);
  return record;
}

/// The newest that a read_committed reader finds on the partition's watermark; Min() before the first.
EventTime Told(const SimulatedBroker& broker, int32_t partition) {
  EventTime told;
  for (const auto& [source, records] : ReadCommitted(broker, {})) {
    if (source.topic != "shop.activity") continue;
    for (const OutputRecord& record : records) {
      if (record.key == fmt::format("w/{}", partition)) told = EventTime{std::stoll(*record.value)};
    }
  }
  return told;
}

TEST(ToldWatermark, OneThatMovedOnlyBecauseASourceFellIdleIsToldAndHoldsAfterACrash) {
  Lab lab({.partitions = kPartitions,
           .series = 1,
           .days = 0,
           .unruly = false,
           .late = false,
           .open = OpenRule::kLearned,
           .idle_timeout = milliseconds(200)});
  Machine& one = lab.Add("i2");
  const auto task = [&] { return one.process->instance().tasks()[0].get(); };
  lab.Start(one);
  ASSERT_TRUE(lab.Run([&] { return one.process->instance().running(); }));
  ASSERT_EQ(task()->id(), (TaskId{Stage::kSeries, 0}));
  lab.broker.Feed({Click(0, 6)});
  lab.RunFor(milliseconds(150));
  lab.broker.Feed({Order(0, 7)});  // soon after: no visit ends by it, so that nothing but the watermark changes
  lab.RunFor(milliseconds(40));
  const EventTime by_clicks = ShopStart() + hours(6) - hours(2);
  ASSERT_EQ(task()->watermark(), by_clicks);
  ASSERT_EQ(Told(lab.broker, 0), by_clicks);

  lab.RunFor(milliseconds(60));
  const EventTime by_orders = ShopStart() + hours(7) - hours(2);
  ASSERT_EQ(task()->watermark(), by_orders);
  EXPECT_EQ(Told(lab.broker, 0), by_orders) << "others wait for it, though nothing else has changed";

  lab.broker.Feed({Order(1, 1)});  // of another task, whose epoch tells of all
  lab.RunFor(milliseconds(40));
  EXPECT_EQ(Told(lab.broker, 0), by_orders);
  lab.Kill(one);
  lab.Start(one);
  ASSERT_TRUE(lab.Run([&] { return one.process->instance().running(); }));
  EXPECT_EQ(task()->watermark(), by_orders) << "others may have closed days by what was told";
}

}  // namespace
}  // namespace tidecast::simulation
