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

std::string_view NameOf(SeriesFrequency frequency) {
  constexpr std::array<std::string_view, 5> kNames = {"5min", "1h", "1d", "1w", "1mo"};
  return kNames[static_cast<size_t>(frequency)];
}

Result<SeriesFrequency> FrequencyOf(const std::string& text, const std::vector<int64_t>& times) {
  if (const auto named = ParseSeriesFrequency(text)) return *named;
  if (text != "auto") {
    return Status(Code::kUsage, fmt::format("unknown frequency: {}", text), Domain::kInput)
        .WithRemedy("one of 5min, 1h, 1d, 1w, 1mo, auto");
  }
  std::vector<int64_t> steps;
  for (size_t i = 1; i < times.size(); ++i) steps.push_back(times[i] - times[i - 1]);
  if (steps.empty()) return SeriesFrequency::kDay;
  std::nth_element(steps.begin(), steps.begin() + static_cast<ptrdiff_t>(steps.size() / 2), steps.end());
  const int64_t step = steps[steps.size() / 2];
  if (step <= 300) return SeriesFrequency::kFiveMinutes;
  if (step <= 3600) return SeriesFrequency::kHour;
  if (step <= 2 * kDaySeconds) return SeriesFrequency::kDay;
  if (step <= 10 * kDaySeconds) return SeriesFrequency::kWeek;
  return SeriesFrequency::kMonth;
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
