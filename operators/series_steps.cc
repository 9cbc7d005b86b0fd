#include "operators/series_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace tidecast {
namespace {

constexpr int64_t kDaySeconds = 86400;

}  // namespace

std::optional<SeriesFrequency> SeriesFrequency::OfSeconds(int64_t seconds) {
  if (seconds < 60 || seconds >= kDaySeconds || seconds % 60 != 0 || kDaySeconds % seconds != 0) return std::nullopt;
  return SeriesFrequency(Unit::kSeconds, seconds);
}

std::optional<SeriesFrequency> ParseSeriesFrequency(std::string_view text) {
  int64_t count = 1;
  const char* end = text.data() + text.size();
  const auto [unit, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc() && unit != text.data()) return std::nullopt;
  const std::string_view name(unit, static_cast<size_t>(end - unit));
  if (name == "min" || name == "T") return count > 1440 ? std::nullopt : SeriesFrequency::OfSeconds(60 * count);
  if (name == "h" || name == "H") return count > 24 ? std::nullopt : SeriesFrequency::OfSeconds(3600 * count);
  if (count != 1) return std::nullopt;
  if (name == "d" || name == "D") return SeriesFrequency::kDay;
  if (name == "w" || name == "W" || name.starts_with("W-")) return SeriesFrequency::kWeek;
  if (name == "mo" || name == "M" || name == "MS" || name == "ME") return SeriesFrequency::kMonth;
  return std::nullopt;
}

std::string NameOf(SeriesFrequency frequency) {
  switch (frequency.unit()) {
    case SeriesFrequency::Unit::kSeconds:
      break;
    case SeriesFrequency::Unit::kDay:
      return "1d";
    case SeriesFrequency::Unit::kWeek:
      return "1w";
    case SeriesFrequency::Unit::kMonth:
      return "1mo";
  }
  const int64_t seconds = frequency.seconds();
  return seconds % 3600 == 0 ? fmt::format("{}h", seconds / 3600) : fmt::format("{}min", seconds / 60);
}

Result<SeriesFrequency> FrequencyOf(const std::string& text, const std::vector<int64_t>& times) {
  if (const auto named = ParseSeriesFrequency(text)) return *named;
  if (text != "auto") {
    return Status(Code::kUsage, fmt::format("unknown frequency: {}", text), Domain::kInput)
        .WithRemedy(fmt::format("one of {}, auto", kFrequencyNames));
  }
  std::vector<int64_t> steps;
  for (size_t i = 1; i < times.size(); ++i) steps.push_back(times[i] - times[i - 1]);
  if (steps.empty()) return SeriesFrequency::kDay;
  std::nth_element(steps.begin(), steps.begin() + static_cast<ptrdiff_t>(steps.size() / 2), steps.end());
  const int64_t step = steps[steps.size() / 2];
  for (const int64_t minutes : {1, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720}) {
    if (step <= 60 * minutes) return *SeriesFrequency::OfSeconds(60 * minutes);
  }
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
  switch (frequency.unit()) {
    case SeriesFrequency::Unit::kSeconds:
      return start + frequency.seconds() * steps;
    case SeriesFrequency::Unit::kDay:
      return start + kDaySeconds * steps;
    case SeriesFrequency::Unit::kWeek:
      return start + 7 * kDaySeconds * steps;
    case SeriesFrequency::Unit::kMonth:
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
