#pragma once

#include <cstdint>
#include <vector>

#include "operators/series_steps.h"

namespace tidecast {

/// Weekdays (0 = Monday) that occur among times, in order.
std::vector<int32_t> OpenWeekdays(const std::vector<int64_t>& seconds);

/// The seasons that a model takes by itself, in buckets: of days the open ones of a week.
std::vector<int> NaturalSeasons(SeriesFrequency frequency, size_t open_weekdays);

/// Where each bucket stands in a season: by the clock or the calendar for a day, a week, or a year of months, so that
/// missing buckets shift nothing; by count else. `seconds`: of the buckets, in order. Each lies in [0, season).
std::vector<int32_t> SeasonPhases(SeriesFrequency frequency, const std::vector<int64_t>& seconds,
                                  const std::vector<int32_t>& open_weekdays, int season);

}  // namespace tidecast
