#include "operators/holiday_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "operators/bucket_calendar.h"
#include "operators/holiday_sources.h"
#include "operators/series_table.h"

namespace tidecast {
namespace {

using testing::HasSubstr;

std::set<std::string> DatesOf(const HolidayDates& holidays) {
  std::set<std::string> dates;
  for (const auto& [day, name] : holidays) dates.insert(DateText(day));
  return dates;
}

// Pinned values of the Python package `holidays` 0.109.
TEST(HolidayRulesTest, AgreeWithAnIndependentPackage) {
  const char* source = std::getenv("TIDECAST_SOURCE_DIR");
  std::ifstream file(std::string(source == nullptr ? "." : source) +
                     "/tests/unit/operators/data/holidays_2009_2027.txt");
  ASSERT_TRUE(file);
  std::set<std::string> countries;
  size_t years = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) continue;
    std::istringstream words(line);
    std::string country, date;
    int year = 0;
    words >> country >> year;
    std::set<std::string> wanted;
    while (words >> date) wanted.insert(std::to_string(year) + "-" + date.substr(0, 2) + "-" + date.substr(2));
    const auto found = HolidaysOf(country, year, year);
    ASSERT_TRUE(found) << country;
    EXPECT_EQ(DatesOf(*found), wanted) << country << " " << year;
    countries.insert(country);
    ++years;
  }
  EXPECT_EQ(years, 16U * 19);
  for (const std::string_view code : HolidayCountries()) {
    EXPECT_TRUE(code == "GB" || countries.contains(std::string(code))) << code << " is not tested";
  }
}

TEST(HolidayRulesTest, KnowNamesAndYearEnds) {
  const auto england = HolidaysOf("GB", 2022, 2022);
  ASSERT_TRUE(england);
  EXPECT_EQ(england->begin()->second, "New Year's Day");
  EXPECT_TRUE(DatesOf(*england).contains("2022-09-19")) << "the state funeral";
  EXPECT_TRUE(DatesOf(*HolidaysOf("US", 2021, 2021)).contains("2021-12-31"))
      << "instead of a Saturday of the next year";
  EXPECT_FALSE(HolidaysOf("XX", 2020, 2020));
}

TEST(HolidayRulesTest, FindEaster) {
  const std::map<int, std::string> known = {
      {1961, "1961-04-02"}, {2000, "2000-04-23"}, {2008, "2008-03-23"}, {2038, "2038-04-25"}};
  for (const auto& [year, date] : known) EXPECT_EQ(DateText(EasterSunday(year)), date);
}

class HolidaySourcesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "holidays_" + std::to_string(getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
    return folder_ + "/" + name;
  }
  static HolidayDates Read(const std::vector<std::string>& sources) {
    const Result<HolidayDates> dates = ReadHolidays(sources);
    EXPECT_TRUE(dates.ok()) << dates.status().message();
    return dates.ok() ? *dates : HolidayDates();
  }
  static std::string Refused(const std::string& source) {
    const Result<HolidayDates> dates = ReadHolidays({&source, 1});
    EXPECT_FALSE(dates.ok());
    return dates.ok() ? "" : dates.status().message();
  }
  std::string folder_;
};

TEST_F(HolidaySourcesTest, PutCountriesDaysAndFilesTogether) {
  const std::string file = Write("stock_taking.csv", "date,name\n2024-01-15,Stock-taking\n2024-12-25,Party\n");
  const HolidayDates dates = Read({"DE", "2024-07-01", file});
  EXPECT_TRUE(DatesOf(dates).contains("2024-01-15"));
  EXPECT_TRUE(DatesOf(dates).contains("2024-07-01"));
  for (const auto& [day, name] : dates) {
    const std::string date = DateText(day);
    const std::string wanted = date == "2024-12-25"   ? "Christmas Day, Party"
                               : date == "2024-07-01" ? "holiday"
                               : date == "2024-01-15" ? "Stock-taking"
                                                      : name;
    EXPECT_EQ(name, wanted) << date;
  }
}

TEST_F(HolidaySourcesTest, TakeOneCountryOfAFile) {
  const std::string file = Write("many.csv", "ds,holiday,country\n2024-01-01,New Year,DE\n2024-05-09,Europe Day,XK\n");
  EXPECT_EQ(DatesOf(Read({file + "#XK"})), (std::set<std::string>{"2024-05-09"}));
  EXPECT_THAT(Refused(file), HasSubstr("several countries"));
  EXPECT_THAT(Refused(file + "#FR"), HasSubstr("no day of FR"));
}

TEST_F(HolidaySourcesTest, ReadICalendar) {
  const std::string file =
      Write("shop.ics",
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//shop//EN\r\n"
            "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20240212\r\nDTEND;VALUE=DATE:20240215\r\nSUMMARY:"
            "Carnival\r\nEND:VEVENT\r\n"
            "BEGIN:VEVENT\r\nUID:2\r\nDTSTART;VALUE=DATE:20231106\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1MO;UNTIL="
            "20271231\r\n"
            "EXDATE;VALUE=DATE:20251103\r\nSUMMARY:First Mo\r\n nday\r\nEND:VEVENT\r\n"
            "BEGIN:VEVENT\r\nUID:3\r\nDTSTART;TZID=Europe/Paris:20240621T230000\r\nDTEND;TZID=Europe/"
            "Paris:20240621T235900\r\nSUMMARY:Music\r\nEND:VEVENT\r\n"
            "END:VCALENDAR\r\n");
  const HolidayDates dates = Read({file});
  EXPECT_EQ(DatesOf(dates), (std::set<std::string>{"2023-11-06", "2024-02-12", "2024-02-13", "2024-02-14", "2024-06-21",
                                                   "2024-11-04", "2026-11-02", "2027-11-01"}))
      << "an event ends before its DTEND; a yearly one has its exception; a late evening stays on its day";
  EXPECT_EQ(dates.begin()->second, "First Monday");
}

TEST_F(HolidaySourcesTest, SayWhatIsWrong) {
  EXPECT_THAT(Refused("XX"), HasSubstr("no country's holidays, no date, no calendar file: XX"));
  EXPECT_THAT(Refused("2024-02-30"), HasSubstr("2024-02-30"));
  EXPECT_THAT(Refused("./nowhere.ics"), HasSubstr("nowhere.ics"));
  EXPECT_THAT(Refused(Write("a.csv", "day,what\n")), HasSubstr("no column date"));
  EXPECT_THAT(Refused(Write("b.csv", "date,name\n2024-01-01,New Year\n01.05.2024,May\n")),
              HasSubstr("line 3: not a date: 01.05.2024"));
  EXPECT_THAT(Refused(Write("c.csv", "date,name\n2024-01-01\n")), HasSubstr("line 2: 1 fields, the header has 2"));
  EXPECT_THAT(Refused(Write("d.ics", "no calendar\n")), HasSubstr("no VCALENDAR"));
  EXPECT_THAT(Refused(Write("e.ics", "BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n")), HasSubstr("no event"));
  EXPECT_THAT(Refused(Write("f.ics", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:When?\nEND:VEVENT\nEND:VCALENDAR\n")),
              HasSubstr("has no DTSTART"));
}

TEST(BucketCalendarHolidayTest, AreClosedOrCountedAsTheOptionsSay) {
  CalendarOptions options;
  options.holidays = {"2024-05-01", "2024-05-09"};
  options.open = OpenRule::kWeekdays;
  options.weekdays = {1, 2, 3, 4, 5};
  const EventTime wednesday = EventTime::FromSeconds(1714521600);  // 2024-05-01
  const auto closed = BucketCalendar::Make(options);
  ASSERT_TRUE(closed.ok());
  EXPECT_FALSE((*closed)->OpenByRule(wednesday));
  EXPECT_TRUE((*closed)->ClosedByHoliday(wednesday));
  EXPECT_EQ((*closed)->HolidaysIn(wednesday), 1);
  options.closed_on_holidays = false;
  const auto open = BucketCalendar::Make(options);
  ASSERT_TRUE(open.ok());
  EXPECT_TRUE((*open)->OpenByRule(wednesday));
  EXPECT_FALSE((*open)->ClosedByHoliday(wednesday));
  EXPECT_EQ((*open)->HolidaysIn(wednesday), 1);
  EXPECT_EQ((*open)->HolidaysIn(EventTime::FromSeconds(1714521600 + 86400)), 0);
  options.open = OpenRule::kAll;
  options.weekdays.clear();
  options.unit = BucketUnit::kMonth;
  const auto months = BucketCalendar::Make(options);
  ASSERT_TRUE(months.ok());
  EXPECT_EQ((*months)->HolidaysIn(EventTime::FromSeconds(1714521600)), 2) << "May 2024 has both";
  EXPECT_EQ((*months)->HolidaysIn(EventTime::FromSeconds(1714521600 + 31 * 86400)), 0);
}

TEST_F(HolidaySourcesTest, ABacktestKnowsThemAhead) {
  BacktestOptions options;
  options.series_path = Write(
      "series.csv",
      "unique_id,ds,y,price,size\na,2024-12-24,1,2,9\na,2024-12-25,0,2,9\na,2024-12-26,0,2,9\na,2024-12-27,3,2,9\n");
  options.known_columns = {"price"};
  options.static_columns = {"size"};
  options.holidays = {"GB-ENG"};
  const Result<SeriesTable> table = SeriesTable::Read(options);
  ASSERT_TRUE(table.ok()) << table.status().message();
  EXPECT_EQ(table->known_names, (std::vector<std::string>{"price", "holiday"}));
  EXPECT_EQ(table->known, (std::vector<float>{2, 0, 9, 2, 1, 9, 2, 1, 9, 2, 0, 9}))
      << "between the known and the static ones";
  options.frequency = "1w";
  const Result<SeriesTable> weeks = SeriesTable::Read(options);
  ASSERT_TRUE(weeks.ok());
  EXPECT_FLOAT_EQ(weeks->known[1], 2) << "the week from the 24th on: Christmas and Boxing Day";
}

}  // namespace
}  // namespace tidecast
