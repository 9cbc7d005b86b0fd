#include <gtest/gtest.h>

#include "operators/bucket_calendar.h"

namespace tidecast {
namespace {

constexpr int64_t kDayS = 86400;
EventTime Day(int64_t day) { return EventTime::FromSeconds(day * kDayS); }

class OpenBucketsTest : public ::testing::Test {
 protected:
  void Use(OpenRule rule, std::vector<std::string> holidays = {}) {
    options_.open = rule;
    options_.holidays = std::move(holidays);
    auto made = BucketCalendar::Make(options_);
    TC_CHECK(made.ok());
    calendar_ = std::move(made).value();
    open_ = OpenBuckets::Make(*calendar_, options_);
  }
  /// Days from..to, closed on Saturdays. Day 4 is a Monday, day 9 a Saturday.
  void Weeks(int64_t from, int64_t to) {
    for (int64_t day = from; day < to; ++day) open_->OnBucketEnd(Day(day), (day + 3) % 7 != 5);
  }
  CalendarOptions options_;
  std::unique_ptr<BucketCalendar> calendar_;
  std::unique_ptr<OpenBuckets> open_;
};

TEST_F(OpenBucketsTest, NumbersOpenBucketsOnly) {
  Use(OpenRule::kLearned);
  Weeks(4, 18);
  EXPECT_EQ(open_->open_count(), 12);
  EXPECT_EQ(open_->Context(1).now.index, 11);
  EXPECT_EQ(open_->Context(1).now.start, Day(17));
}

TEST_F(OpenBucketsTest, AllWeekdaysAreOpenInTheFirstTwoWeeksThenAsLearned) {
  Use(OpenRule::kLearned);
  Weeks(4, 11);
  EXPECT_EQ(open_->Context(7).ahead[5].start, Day(16));  // a Saturday
  Weeks(11, 18);
  const BucketContext context = open_->Context(7);
  EXPECT_EQ(context.ahead[4].start, Day(22));
  EXPECT_EQ(context.ahead[5].start, Day(24));  // Saturday 23 is skipped
  EXPECT_EQ(context.ahead[5].index, context.now.index + 6);
  EXPECT_EQ(context.ahead[5].season_phase, (std::vector<int32_t>{6}));
}

TEST_F(OpenBucketsTest, AWeekdayOpenInHalfOfTheLastEightWeeksStaysOpen) {
  Use(OpenRule::kLearned);
  for (int64_t day = 4; day < 4 + 8 * 7; ++day) {
    const bool saturday = (day + 3) % 7 == 5;
    open_->OnBucketEnd(Day(day), !saturday || day < 4 + 4 * 7);
  }
  EXPECT_EQ(open_->Context(6).ahead[5].start, Day(4 + 8 * 7 + 5));
  for (int64_t day = 60; day < 67; ++day) open_->OnBucketEnd(Day(day), (day + 3) % 7 != 5);
  EXPECT_EQ(open_->Context(6).ahead[5].start, Day(67 + 6));  // 3 of 8
}

TEST_F(OpenBucketsTest, HolidaysAreClosedAheadUnderEveryRule) {
  Use(OpenRule::kLearned, {"1970-01-20"});
  Weeks(4, 18);
  EXPECT_EQ(open_->Context(2).ahead[1].start, Day(20));  // day 19 = 1970-01-20
  Use(OpenRule::kAll, {"1970-01-20"});
  Weeks(4, 18);
  EXPECT_EQ(open_->Context(2).ahead[1].start, Day(20));
}

TEST_F(OpenBucketsTest, DecodesWhatItEncoded) {
  Use(OpenRule::kLearned);
  Weeks(4, 30);
  std::string bytes;
  open_->Encode(&bytes);
  const auto other = OpenBuckets::Make(*calendar_, options_);
  ASSERT_TRUE(other->Decode(bytes).ok());
  EXPECT_EQ(other->Context(9).ahead[8].start, open_->Context(9).ahead[8].start);
  other->OnBucketEnd(Day(30), true);
  open_->OnBucketEnd(Day(30), true);
  std::string a;
  std::string b;
  open_->Encode(&a);
  other->Encode(&b);
  EXPECT_EQ(a, b);
  EXPECT_EQ(other->Decode("\x07").code(), Code::kVersion);
  EXPECT_EQ(other->Decode(bytes.substr(1)).ok(), false);
}

}  // namespace
}  // namespace tidecast
