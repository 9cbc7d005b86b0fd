#include "operators/series_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace tidecast {
namespace {

constexpr int64_t kDaySeconds = 86400;

}  // namespace

std::optional<SeriesFrequency> ParseSeriesFrequency(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, SeriesFrequency>, 16> kNames = {{
      {"5min", SeriesFrequency::kFiveMinutes},
      {"5T", SeriesFrequency::kFiveMinutes},
      {"1h", SeriesFrequency::kHour},
      {"1H", SeriesFrequency::kHour},
      {"h", SeriesFrequency::kHour},
      {"H", SeriesFrequency::kHour},
      {"1d", SeriesFrequency::kDay},
      {"1D", SeriesFrequency::kDay},
      {"D", SeriesFrequency::kDay},
      {"1w", SeriesFrequency::kWeek},
      {"1W", SeriesFrequency::kWeek},
      {"W", SeriesFrequency::kWeek},
      {"1mo", SeriesFrequency::kMonth},
      {"M", SeriesFrequency::kMonth},
      {"MS", SeriesFrequency::kMonth},
      {"ME", SeriesFrequency::kMonth},
  }};
  const auto found = std::find_if(kNames.begin(), kNames.end(), [&](const auto& name) { return name.first == text; });
  if (found != kNames.end()) return found->second;
  if (text == "1M" || text == "1MS" || text == "1ME") return SeriesFrequency::kMonth;
  if (text.starts_with("W-") || text.starts_with("1W-")) return SeriesFrequency::kWeek;
  return std::nullopt;
}

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
int64_t DayOf(int64_t seconds) { return FloorDivide(seconds, kDaySeconds); }
int32_t WeekdayOf(int64_t seconds) { return static_cast<int32_t>(((DayOf(seconds) + 3) % 7 + 7) % 7); }

std::chrono::year_month_day DateOf(int64_t seconds) {
  return std::chrono::year_month_day(std::chrono::sys_days(std::chrono::days(DayOf(seconds))));
}

int64_t StepsAfter(int64_t start, int64_t steps, SeriesFrequency frequency) {
  switch (frequency) {
    case SeriesFrequency::kFiveMinutes:
      return start + 300 * steps;
    case SeriesFrequency::kHour:
      return start + 3600 * steps;
    case SeriesFrequency::kDay:
      return start + kDaySeconds * steps;
    case SeriesFrequency::kWeek:
      return start + 7 * kDaySeconds * steps;
    case SeriesFrequency::kMonth:
      break;
  }
  const auto date = DateOf(start) + std::chrono::months(steps);
  const auto day =
      date.ok() ? std::chrono::sys_days(date) : std::chrono::sys_days(date.year() / date.month() / std::chrono::last);
  return day.time_since_epoch().count() * kDaySeconds + (start - DayOf(start) * kDaySeconds);
}

std::string TimeLabel(int64_t seconds, const std::string& like) {
  const auto date = DateOf(seconds);
  const int64_t rest = seconds - DayOf(seconds) * kDaySeconds;
  std::string text = fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  if (like.size() > 10) {
    text += fmt::format("{}{:02}:{:02}", like[10], rest / 3600, rest / 60 % 60);
    if (like.size() > 16) text += fmt::format(":{:02}", rest % 60);
  }
  return text;
}

}  // namespace tidecast
