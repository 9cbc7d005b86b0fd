#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"

namespace tidecast {

/// Steps that a series file can have.
enum class SeriesFrequency : uint8_t { kFiveMinutes, kHour, kDay, kWeek, kMonth };

/// Of our own names (5min, 1h, 1d, 1w, 1mo) and of those of pandas (5T, H, D, W-SUN, M, MS ...).
std::optional<SeriesFrequency> ParseSeriesFrequency(std::string_view text);

/// Our own name of it.
std::string_view NameOf(SeriesFrequency frequency);

/// `text`: a name, or auto: by the median distance of `times`, seconds in order (a single one: days).
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
