#include "operators/bucket_calendar.h"

#include <gtest/gtest.h>

#include <set>

namespace tidecast {
namespace {

CalendarOptions Options(BucketUnit unit, int count = 1, std::string zone = "Europe/London") {
  CalendarOptions options;
  options.unit = unit;
  options.count = count;
  options.zone = std::move(zone);
  return options;
}

std::unique_ptr<BucketCalendar> Make(const CalendarOptions& options) {
  auto made = BucketCalendar::Make(options);
  TC_CHECK(made.ok(), "{}", made.status().message());
  return std::move(made).value();
}

constexpr int64_t kMarch27 = 1301184000;    // 2011-03-27T00:00:00Z
constexpr int64_t kOctober30 = 1319929200;  // 2011-10-30T00:00:00+01:00

int64_t Hours(const BucketCalendar::Span& span) { return (span.end - span.start).count() / 3'600'000'000; }

TEST(BucketCalendarTest, DaysOfLondonHave23And25HoursWhenTheClockMoves) {
  const auto calendar = Make(Options(BucketUnit::kDay));
  const auto spring = calendar->BucketOf(EventTime::FromSeconds(kMarch27 + 40000));
  EXPECT_EQ(spring.start, EventTime::FromSeconds(kMarch27));
  EXPECT_EQ(Hours(spring), 23);
  EXPECT_EQ(calendar->Label(spring.start), "2011-03-27");
  const auto autumn = calendar->BucketOf(EventTime::FromSeconds(kOctober30 + 40000));
  EXPECT_EQ(autumn.start, EventTime::FromSeconds(kOctober30));
  EXPECT_EQ(Hours(autumn), 25);
  EXPECT_EQ(Hours(calendar->Next(autumn.start)), 24);
  EXPECT_EQ(Hours(calendar->Previous(autumn.start)), 24);
}

TEST(BucketCalendarTest, EachHourOfA25HourDayHasItsOwnBucketAndLabel) {
  const auto calendar = Make(Options(BucketUnit::kHour));
  std::set<std::string> labels;
  auto span = calendar->BucketOf(EventTime::FromSeconds(kOctober30));
  for (int i = 0; i < 25; ++i) {
    EXPECT_EQ(Hours(span), 1);
    labels.insert(calendar->Label(span.start));
    span = calendar->Next(span.start);
  }
  EXPECT_EQ(labels.size(), 25U);
  EXPECT_TRUE(labels.contains("2011-10-30T01:00:00+01:00"));
  EXPECT_TRUE(labels.contains("2011-10-30T01:00:00+00:00"));
  EXPECT_EQ(calendar->Label(span.start), "2011-10-31T00:00:00+00:00");
}

TEST(BucketCalendarTest, PiecesLongerThanAnHourFollowTheLocalClock) {
  const auto calendar = Make(Options(BucketUnit::kHour, 6));
  const auto night = calendar->BucketOf(EventTime::FromSeconds(kMarch27));
  EXPECT_EQ(Hours(night), 5);
  EXPECT_EQ(calendar->Label(night.end), "2011-03-27T06:00:00+01:00");
  EXPECT_EQ(Hours(calendar->BucketOf(EventTime::FromSeconds(kOctober30 + 100))), 7);
}

TEST(BucketCalendarTest, BordersBelongToTheLaterBucket) {
  for (const BucketUnit unit :
       {BucketUnit::kMinute, BucketUnit::kHour, BucketUnit::kDay, BucketUnit::kWeek, BucketUnit::kMonth}) {
    const auto calendar = Make(Options(unit));
    const auto span = calendar->BucketOf(EventTime::FromSeconds(kMarch27 + 5000));
    EXPECT_EQ(calendar->BucketOf(EventTime{span.end.us - 1}).start, span.start);
    EXPECT_EQ(calendar->BucketOf(span.end).start, span.end);
    EXPECT_EQ(calendar->Previous(span.end).start, span.start);
  }
}

TEST(BucketCalendarTest, BucketsTileTimeInOddZones) {
  for (const char* zone : {"Europe/London", "America/Sao_Paulo", "America/St_Johns", "Australia/Lord_Howe",
                           "Atlantic/Azores", "Asia/Kathmandu"}) {
    for (const auto& [unit, count] : {std::pair{BucketUnit::kHour, 1}, {BucketUnit::kHour, 6}, {BucketUnit::kDay, 1}}) {
      const auto calendar = Make(Options(unit, count, zone));
      auto span = calendar->BucketOf(EventTime::FromSeconds(915148800));  // 1999
      const EventTime until = EventTime::FromSeconds(915148800 + 86400LL * 400);
      while (span.start < until) {
        const auto next = calendar->Next(span.start);
        ASSERT_EQ(next.start, span.end) << zone << " " << calendar->Label(span.start);
        ASSERT_LT(next.start, next.end);
        ASSERT_EQ(calendar->BucketOf(EventTime{next.end.us - 1}).start, next.start)
            << zone << " " << calendar->Label(next.start);
        span = next;
      }
    }
  }
}

TEST(BucketCalendarTest, WeeksBeginOnMondayAndMonthsOnTheFirst) {
  const auto weeks = Make(Options(BucketUnit::kWeek));
  EXPECT_EQ(weeks->Label(weeks->BucketOf(EventTime::FromSeconds(kMarch27)).start), "2011-03-21");
  const auto months = Make(Options(BucketUnit::kMonth));
  const auto march = months->BucketOf(EventTime::FromSeconds(kMarch27));
  EXPECT_EQ(months->Label(march.start), "2011-03-01");
  EXPECT_EQ(months->Label(march.end), "2011-04-01");
  EXPECT_EQ(Hours(march), 31 * 24 - 1);
}

TEST(BucketCalendarTest, WeekdaysHolidaysAndHoursClose) {
  CalendarOptions options = Options(BucketUnit::kHour);
  options.open = OpenRule::kWeekdays;
  options.weekdays = {1, 2, 3, 4, 5};
  options.holidays = {"2011-03-28"};
  options.open_minute = 9 * 60 + 30;
  options.close_minute = 17 * 60;
  const auto calendar = Make(options);
  const int64_t tuesday = kMarch27 + 2 * 86400 - 3600;                                      // midnight BST of the 29th
  EXPECT_FALSE(calendar->OpenByRule(EventTime::FromSeconds(kMarch27 + 11 * 3600)));         // a Sunday
  EXPECT_FALSE(calendar->OpenByRule(EventTime::FromSeconds(tuesday - 86400 + 11 * 3600)));  // the holiday
  EXPECT_FALSE(calendar->OpenByRule(EventTime::FromSeconds(tuesday + 8 * 3600)));
  EXPECT_TRUE(calendar->OpenByRule(EventTime::FromSeconds(tuesday + 9 * 3600)));
  EXPECT_TRUE(calendar->OpenByRule(EventTime::FromSeconds(tuesday + 16 * 3600)));
  EXPECT_FALSE(calendar->OpenByRule(EventTime::FromSeconds(tuesday + 17 * 3600)));
  EXPECT_EQ(calendar->SeasonLengths(), (std::vector<int>{8, 40}));
  const CalendarStep step = calendar->StepAt(EventTime::FromSeconds(tuesday + 10 * 3600), 4);
  EXPECT_EQ(step.season_phase, (std::vector<int32_t>{1, 9}));
  EXPECT_EQ(step.features.size(), calendar->FeatureCount());
}

TEST(BucketCalendarTest, SeasonsAreThoseOfTheFrequency) {
  EXPECT_EQ(Make(Options(BucketUnit::kMinute, 5))->SeasonLengths(), (std::vector<int>{288, 2016}));
  EXPECT_EQ(Make(Options(BucketUnit::kHour))->SeasonLengths(), (std::vector<int>{24, 168}));
  EXPECT_EQ(Make(Options(BucketUnit::kDay))->SeasonLengths(), (std::vector<int>{7}));
  EXPECT_EQ(Make(Options(BucketUnit::kWeek))->SeasonLengths(), (std::vector<int>{52}));
  EXPECT_EQ(Make(Options(BucketUnit::kMonth))->SeasonLengths(), (std::vector<int>{12}));
  CalendarOptions six = Options(BucketUnit::kDay);
  six.open = OpenRule::kWeekdays;
  six.weekdays = {1, 2, 3, 4, 5, 7};
  EXPECT_EQ(Make(six)->SeasonLengths(), (std::vector<int>{6}));
  EXPECT_EQ(Make(six)->StepAt(EventTime::FromSeconds(kMarch27), 0).season_phase, (std::vector<int32_t>{5}));
}

TEST(BucketCalendarTest, RefusesWhatMakesNoSenseWithARemedy) {
  std::vector<CalendarOptions> bad(6, Options(BucketUnit::kDay));
  bad[0].zone = "Mars/Olympus";
  bad[1].count = 0;
  bad[2].open = OpenRule::kWeekdays;
  bad[3].holidays = {"2011-02-30"};
  bad[4].open_minute = 600;
  bad[4].close_minute = 600;
  bad[5].weekdays = {8};
  bad.push_back(Options(BucketUnit::kHour, 48));
  for (const CalendarOptions& options : bad) {
    const auto made = BucketCalendar::Make(options);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.status().code(), Code::kConfig);
    EXPECT_FALSE(made.status().remedy().empty());
  }
}

}  // namespace
}  // namespace tidecast
