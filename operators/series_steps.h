#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"

namespace tidecast {

/// Steps that a series file can have: minutes or hours of which a day is a whole number, days, weeks, months.
class SeriesFrequency {
 public:
  enum class Unit : uint8_t { kSeconds, kDay, kWeek, kMonth };
  static const SeriesFrequency kFiveMinutes, kHour, kDay, kWeek, kMonth;
  /// Below a day; nothing where a day is no whole number of such steps, or where they are no whole minutes.
  static std::optional<SeriesFrequency> OfSeconds(int64_t seconds);
  Unit unit() const { return unit_; }
  /// Of a step below a day, else 0.
  int64_t seconds() const { return seconds_; }
  bool operator==(const SeriesFrequency&) const = default;

 private:
  constexpr SeriesFrequency(Unit unit, int64_t seconds) : unit_(unit), seconds_(seconds) {}
  Unit unit_;
  int64_t seconds_;
};
inline constexpr SeriesFrequency SeriesFrequency::kFiveMinutes{Unit::kSeconds, 300};
inline constexpr SeriesFrequency SeriesFrequency::kHour{Unit::kSeconds, 3600};
inline constexpr SeriesFrequency SeriesFrequency::kDay{Unit::kDay, 0};
inline constexpr SeriesFrequency SeriesFrequency::kWeek{Unit::kWeek, 0};
inline constexpr SeriesFrequency SeriesFrequency::kMonth{Unit::kMonth, 0};

/// What a frequency can be, for help texts and remedies.
inline constexpr std::string_view kFrequencyNames =
    "1min, 5min, 15min, 1h, 6h (any of which a day is made), 1d, 1w, 1mo";

/// Of our own names (15min, 6h, 1d, 1w, 1mo) and of those of pandas (15T, H, D, W-SUN, M, MS ...).
std::optional<SeriesFrequency> ParseSeriesFrequency(std::string_view text);

/// Our own name of it.
std::string NameOf(SeriesFrequency frequency);

/// `text`: a name, or auto: by the median distance of `times`, seconds in order: of the steps that are common the least
/// that is no shorter (a single time: days).
/// Errors: kUsage for another word.
Result<SeriesFrequency> FrequencyOf(const std::string& text, const std::vector<int64_t>& times);

// Times are seconds since 1970 as if local time were UTC.

int64_t FloorDivide(int64_t a, int64_t b);
int64_t DayOf(int64_t seconds);
/// 0 = Monday.
int32_t WeekdayOf(int64_t seconds);
std::chrono::year_month_day DateOf(int64_t seconds);
/// The time `steps` steps behind `start`; months keep the day where they have it, else they end.
int64_t StepsAfter(int64_t start, int64_t steps, SeriesFrequency frequency);
/// The time as text, in the manner of `like`: a date alone, or date and time with the same sign between them.
std::string TimeLabel(int64_t seconds, const std::string& like);

}  // namespace tidecast
