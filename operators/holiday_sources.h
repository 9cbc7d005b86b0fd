#pragma once

#include <span>
#include <string>

#include "engine/core/status.h"
#include "operators/holiday_rules.h"

namespace tidecast {

/// Gathers holidays from what a person names: a country (GB-ENG; holiday_rules.h), a date (2011-12-26), or a calendar
/// file (closures.ics, holidays.csv; `holidays.csv#DE` takes the rows of one country). Countries by their rules from
/// 2000 to 2060.
/// Errors: kConfig for what is none of them; ReadCalendarFile's; kData where a file of several countries is not told
/// which.
Result<HolidayDates> ReadHolidays(std::span<const std::string> sources);

/// "2011-12-26" of a local day.
std::string DateText(int32_t day);

}  // namespace tidecast
