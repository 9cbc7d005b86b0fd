#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/time.h"

namespace tidecast {

/// What the calendar says of one bucket; the same for all series, known ahead.
struct CalendarStep {
  int64_t index = 0;                  ///< ordinal of the open bucket since the view's epoch; +1 for the next open one
  EventTime start;
  EventTime end;
  std::vector<int32_t> season_phase;  ///< position in each season of the view, e.g. {weekday} or {hour of day, hour of week}
  std::vector<float> features;        ///< calendar features for the net (cyclic codes, holiday flag), fixed length a view
};

/// A round's place in time: the bucket that has closed and the next `horizon` open ones.
struct BucketContext {
  CalendarStep now;
  std::vector<CalendarStep> ahead;    ///< [horizon]
};

}  // namespace tidecast
