#pragma once

#include <cstddef>

#include "engine/core/forecast.h"

namespace tidecast {

struct SeriesTable;

/// Whether counts or amounts are forecast by the pool of reals, kept at 0 or above, by the buckets `from` to `to` - 1.
/// Their own pool is for what sells: it knows zeros, and little of what moves on from where it stands. Two kinds do.
/// Levels (prices, rates): amounts of any bucket, each series always above 0 and moving from bucket to bucket by a
/// twentieth of itself at most. Loads (power, water): counts or amounts by the hour, next to never 0, moving by .15 of
/// themselves at most, on the average of the series (counts below some 55 do not: noise alone moves them further); as
/// long as the regressions by the hour fit the horizon, and their state of all series kLoadBytesMax.
/// Thread: safe.
bool AreForecastAsReals(const SeriesTable& table, ValueDomain domain, int horizon, size_t from, size_t to);

/// Of `judged` series of hours or more: whether they move like loads. `zeros`: share of all values; `step_sum`: of what
/// each moves by from value to value, as a share of itself.
bool AreLoads(double zeros, double step_sum, size_t judged);
/// Steps from value to value from which on a series is judged.
inline constexpr size_t kLoadStepsMin = 48;

/// 10,000 series at horizon 48.
inline constexpr size_t kLoadBytesMax = 1'300'000'000;

}  // namespace tidecast
