#include "operators/holiday_sources.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <set>

#include "engine/io/holiday_file.h"

namespace tidecast {
namespace {

constexpr int kFirstYear = 2000;
constexpr int kLastYear = 2060;

std::optional<int32_t> ParseDate(const std::string& text) {
  int year = 0, month = 0, day = 0, length = 0;
  if (text.size() != 10 || std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &length) != 3 ||
      length != 10) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date = std::chrono::year(year) / month / day;
  if (!date.ok()) return std::nullopt;
  return static_cast<int32_t>(std::chrono::sys_days(date).time_since_epoch().count());
}

bool LooksLikeFile(const std::string& source) {
  return source.find('/') != std::string::npos || source.find('.') != std::string::npos;
}

void Merge(int32_t day, const std::string& name, HolidayDates* dates) {
  std::string& names = (*dates)[day];
  if (!names.empty() && !name.empty() && names != name) names += ", " + name;
  if (names.empty()) names = name.empty() ? "holiday" : name;
}

Status MergeFile(const std::string& source, HolidayDates* dates) {
  const size_t hash = source.rfind('#');
  const std::string path = source.substr(0, hash);
  const std::string country = hash == std::string::npos ? std::string() : source.substr(hash + 1);
  TC_ASSIGN_OR_RETURN(const std::vector<CalendarDay> days, ReadCalendarFile(path));
  std::set<std::string> countries;
  for (const CalendarDay& day : days) countries.insert(day.country);
  if (country.empty() && countries.size() > 1) {
    return Status(Code::kData, fmt::format("a calendar file has days of several countries: {}", path), Domain::kInput)
        .WithRemedy(fmt::format("say which, e.g. {}#{}", path, *countries.rbegin()));
  }
  if (!country.empty() && !countries.contains(country)) {
    return Status(Code::kData, fmt::format("a calendar file has no day of {}: {}", country, path), Domain::kInput);
  }
  for (const CalendarDay& day : days) {
    if (country.empty() || day.country == country) Merge(day.day, day.name, dates);
  }
  return Status::Ok();
}

}  // namespace

Result<HolidayDates> ReadHolidays(std::span<const std::string> sources) {
  HolidayDates dates;
  for (const std::string& source : sources) {
    if (const auto day = ParseDate(source)) {
      Merge(*day, "", &dates);
    } else if (const auto country = HolidaysOf(source, kFirstYear, kLastYear)) {
      for (const auto& [day, name] : *country) Merge(day, name, &dates);
    } else if (LooksLikeFile(source)) {
      TC_RETURN_IF_ERROR(MergeFile(source, &dates));
    } else {
      return Status(Code::kUsage, fmt::format("no country's holidays, no date, no calendar file: {}", source),
                    Domain::kInput)
          .WithRemedy(fmt::format("countries: {}; days as 2011-12-26; files as closures.ics or holidays.csv",
                                  fmt::join(HolidayCountries(), ", ")));
    }
  }
  return dates;
}

std::string DateText(int32_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

}  // namespace tidecast
