#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/status.h"

namespace tidecast {

/// One local day of a calendar file.
struct CalendarDay {
  int32_t day = 0;  ///< since 1970-01-01
  std::string name;
  std::string country;  ///< empty where the file has no such column
};

/// Reads the days of a calendar: CSV with the columns date (or ds), name (or holiday) and perhaps country, or iCalendar
/// (.ics: every event, an event of several days as so many days, recurring ones from 1990 to 2060 with their
/// exceptions); .gz too for CSV. In order of the file.
/// Errors: kNoInput, kPermission, kData (with the line of a CSV file, with the property of an iCalendar one).
Result<std::vector<CalendarDay>> ReadCalendarFile(const std::string& path);

}  // namespace tidecast
