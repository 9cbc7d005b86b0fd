#include "engine/io/event_time_parser.h"

#include <gtest/gtest.h>

namespace tidecast {
namespace {

int64_t Read(std::string_view text, TimeFormat format = TimeFormat::kAuto, const std::string& zone = "UTC") {
  auto parser = EventTimeParser::Make(format, zone);
  EXPECT_TRUE(parser.ok());
  return parser->Parse(text).value_or(EventTime::Min()).us;
}
constexpr int64_t kNothing = EventTime::Min().us;
constexpr int64_t kSecond = 1'000'000;

TEST(EventTimeParserTest, ReadsRfc3339) {
  EXPECT_EQ(Read("2010-12-01T08:26:00Z"), 1'291'191'960 * kSecond);
  EXPECT_EQ(Read("2010-12-01t08:26:00.25z"), 1'291'191'960 * kSecond + 250'000);
  EXPECT_EQ(Read("2010-12-01T08:26:00.1234567+01:00"), 1'291'188'360 * kSecond + 123'456);
  EXPECT_EQ(Read("2010-12-01 08:26:00-0130"), 1'291'197'360 * kSecond);
  EXPECT_EQ(Read("1969-12-31T23:59:59.5Z"), -500'000);
  EXPECT_EQ(Read("2016-12-31T23:59:60Z"), 1'483'228'800 * kSecond) << "a leap second is the next minute's first";
}

TEST(EventTimeParserTest, ReadsShortFormsInTheZone) {
  EXPECT_EQ(Read("2010-12-01 08:26"), 1'291'191'960 * kSecond);
  EXPECT_EQ(Read("2010-12-01"), 1'291'161'600 * kSecond);
  EXPECT_EQ(Read("2011-07-01 09:00:00", TimeFormat::kAuto, "Europe/London"), Read("2011-07-01T08:00:00Z"));
  EXPECT_EQ(Read("2011-01-01 09:00:00", TimeFormat::kAuto, "Europe/London"), Read("2011-01-01T09:00:00Z"));
  EXPECT_EQ(Read("2011-07-01", TimeFormat::kAuto, "America/New_York"), Read("2011-07-01T04:00:00Z"));
  EXPECT_EQ(Read("2011-07-01 09:00:00Z", TimeFormat::kAuto, "Europe/London"), Read("2011-07-01T09:00:00Z"));
}

TEST(EventTimeParserTest, TheHourThatExistsTwiceIsTheFirst) {
  EXPECT_EQ(Read("2011-10-30 01:30:00", TimeFormat::kAuto, "Europe/London"), Read("2011-10-30T00:30:00Z"));
  EXPECT_EQ(Read("2011-10-30 02:00:00", TimeFormat::kAuto, "Europe/London"), Read("2011-10-30T02:00:00Z"));
}

TEST(EventTimeParserTest, TheHourThatIsSkippedMovesOn) {
  EXPECT_EQ(Read("2011-03-27 01:30:00", TimeFormat::kAuto, "Europe/London"), Read("2011-03-27T01:30:00Z"));
  EXPECT_EQ(Read("2011-03-27 00:59:59", TimeFormat::kAuto, "Europe/London"), Read("2011-03-27T00:59:59Z"));
  EXPECT_EQ(Read("2011-03-27 02:00:00", TimeFormat::kAuto, "Europe/London"), Read("2011-03-27T01:00:00Z"));
}

// The parser remembers the last offset: any order of times must give what a new parser gives.
TEST(EventTimeParserTest, RememberedOffsetDoesNotLeakOverAChange) {
  auto parser = EventTimeParser::Make(TimeFormat::kAuto, "Europe/London");
  ASSERT_TRUE(parser.ok());
  for (int day = 1; day <= 31; ++day) {
    for (const int month : {3, 10, 7, 1}) {
      for (const char* hour : {"00:30", "01:30", "02:30", "12:00"}) {
        const std::string text = fmt::format("2011-{:02}-{:02} {}", month, day, hour);
        EXPECT_EQ(parser->Parse(text)->us, Read(text, TimeFormat::kAuto, "Europe/London")) << text;
      }
    }
  }
}

TEST(EventTimeParserTest, TellsEpochUnitsApartBySize) {
  EXPECT_EQ(Read("1291191960"), 1'291'191'960 * kSecond);
  EXPECT_EQ(Read("1291191960.25"), 1'291'191'960 * kSecond + 250'000);
  EXPECT_EQ(Read("1291191960250"), 1'291'191'960 * kSecond + 250'000);
  EXPECT_EQ(Read("1291191960250001"), 1'291'191'960 * kSecond + 250'001);
  EXPECT_EQ(Read("-1"), -kSecond);
  EXPECT_EQ(Read("99999999999"), 99'999'999'999 * kSecond);
  EXPECT_EQ(Read("100000000000"), 100'000'000 * kSecond);
  EXPECT_EQ(Read("99999999999999"), 99'999'999'999'999 * 1000);
  EXPECT_EQ(Read("100000000000000"), 100'000'000'000'000);
  EXPECT_EQ(Read("1291191960250001000"), kNothing) << "nanoseconds";
}

TEST(EventTimeParserTest, AFixedFormatReadsOnlyItself) {
  EXPECT_EQ(Read("5", TimeFormat::kSeconds), 5 * kSecond);
  EXPECT_EQ(Read("5", TimeFormat::kMillis), 5'000);
  EXPECT_EQ(Read("5.5", TimeFormat::kMillis), 5'500);
  EXPECT_EQ(Read("5", TimeFormat::kMicros), 5);
  EXPECT_EQ(Read("2010-12-01", TimeFormat::kSeconds), kNothing);
  EXPECT_EQ(Read("1291191960", TimeFormat::kRfc3339), kNothing);
  EXPECT_EQ(Read("9999999999999", TimeFormat::kSeconds), kNothing) << "beyond 64 bits of microseconds";
}

TEST(EventTimeParserTest, RefusesWhatIsNoTime) {
  for (const char* text : {"", "soon", "2011-02-29", "2011-13-01", "2011-00-10", "2011-01-00", "2011-01-01T", "2011-01-01T24:00:00Z", "2011-01-01T10:60Z",
                           "2011-01-01T10:00:61Z", "2011-01-01T10:00:00.Z", "2011-01-01T10:00:00+1", "2011-01-01T10:00:00Zx", "2011-1-1", "12/1/2010 8:26",
                           " 2011-01-01", "2011-01-01x", "1e", "nan", "-", "."}) {
    EXPECT_EQ(Read(text), kNothing) << text;
  }
}

// State that they came into could not be read again.
TEST(EventTimeParserTest, RefusesYearsBeyondOneTo9999) {
  for (const char* const text : {"-62135596800", "253402300799", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    EXPECT_NE(Read(text, TimeFormat::kAuto, "UTC"), EventTime::Min().us) << text;
  }
  for (const char* const text : {"-62135596801", "-99999999999999", "0000-12-31T23:59:59Z"}) {
    EXPECT_EQ(Read(text, TimeFormat::kAuto, "UTC"), EventTime::Min().us) << text;
  }
  EXPECT_EQ(Read("253402300800", TimeFormat::kSeconds, "UTC"), EventTime::Min().us);
}

TEST(EventTimeParserTest, UnknownZoneIsAConfigError) {
  const auto parser = EventTimeParser::Make(TimeFormat::kAuto, "Europe/Londn");
  ASSERT_FALSE(parser.ok());
  EXPECT_EQ(parser.status().code(), Code::kConfig);
  EXPECT_EQ(parser.status().message(), "unknown time zone: \"Europe/Londn\"");
}

}  // namespace
}  // namespace tidecast
