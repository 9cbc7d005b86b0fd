#include "config/config_values.h"

#include <gtest/gtest.h>

namespace tidecast {
namespace {

TEST(ConfigValuesTest, Durations) {
  using namespace std::chrono_literals;
  EXPECT_EQ(ParseDuration("0"), Duration(0));
  EXPECT_EQ(ParseDuration("500ms"), Duration(500ms));
  EXPECT_EQ(ParseDuration("1.5s"), Duration(1500ms));
  EXPECT_EQ(ParseDuration("30m"), Duration(30min));
  EXPECT_EQ(ParseDuration("30min"), Duration(30min));
  EXPECT_EQ(ParseDuration("1h30m"), Duration(90min));
  EXPECT_EQ(ParseDuration("2w"), Duration(24h * 14));
  for (const char* text : {"", "5", "s", "5x", "-5s", "5 s", "5s ", "1..5s", "99999999999999d"}) EXPECT_FALSE(ParseDuration(text)) << text;
}

TEST(ConfigValuesTest, Bytes) {
  EXPECT_EQ(ParseBytes("0"), 0U);
  EXPECT_EQ(ParseBytes("512MiB"), 512U << 20);
  EXPECT_EQ(ParseBytes("1.5KiB"), 1536U);
  EXPECT_EQ(ParseBytes("10MB"), 10'000'000U);
  for (const char* text : {"", "512", "512M", "MiB", "-1B", "1KiBx"}) EXPECT_FALSE(ParseBytes(text)) << text;
}

TEST(ConfigValuesTest, ShownValuesReadBackTheSame) {
  for (const int64_t us : {int64_t{1}, int64_t{1'500}, int64_t{90'000'000}, int64_t{86'400'000'000}, int64_t{0}, int64_t{7'200'000'000}}) {
    EXPECT_EQ(ParseDuration(ShowDuration(Duration(us))), Duration(us)) << ShowDuration(Duration(us));
  }
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{100}, uint64_t{1536}, uint64_t{1} << 20, uint64_t{3} << 30}) {
    EXPECT_EQ(ParseBytes(ShowBytes(bytes)), bytes) << ShowBytes(bytes);
  }
}

TEST(ConfigValuesTest, BucketsHoursDaysAndDates) {
  EXPECT_EQ(ParseBucketLength("1mo")->unit, BucketUnit::kMonth);
  EXPECT_EQ(ParseBucketLength("5m")->unit, BucketUnit::kMinute);
  EXPECT_EQ(ParseBucketLength("5min")->count, 5);
  EXPECT_EQ(ParseBucketLength("10s")->unit, BucketUnit::kSecond);
  for (const char* text : {"", "1", "0d", "d", "1y", "-1d", "1.5d"}) EXPECT_FALSE(ParseBucketLength(text)) << text;
  EXPECT_EQ(ParseBusinessHours("09:00-17:30")->open_minute, 540);
  EXPECT_EQ(ParseBusinessHours("00:00-24:00")->close_minute, 1440);
  for (const char* text : {"", "9-17", "09:00", "17:00-09:00", "09:00-09:00", "09:60-10:00", "09:00-24:01"}) EXPECT_FALSE(ParseBusinessHours(text)) << text;
  EXPECT_EQ(ParseWeekday("mon"), 1);
  EXPECT_EQ(ParseWeekday("sunday"), 7);
  EXPECT_FALSE(ParseWeekday("tues"));
}

}  // namespace
}  // namespace tidecast
