#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidecast {

/// Public holidays by local date (days since 1970-01-01); several names of one day are joined by ", ".
using HolidayDates = std::map<int32_t, std::string>;

/// Codes that HolidaysOf knows: ISO 3166, with the part of the country where holidays differ (GB-ENG); GB means GB-ENG.
std::vector<std::string_view> HolidayCountries();

/// A country's public holidays of some years by its rules: fixed dates, weekdays of a month, days about Easter, days
/// instead of those that fall on a weekend, single days by proclamation. Nothing for a country that is not known.
/// Rules hold from 2000 on; what is proclaimed later than this build is not in them. Tested against an independent
/// package for 2009-2027.
std::optional<HolidayDates> HolidaysOf(std::string_view country, int first_year, int last_year);

/// Western Easter Sunday, as days since 1970-01-01. Source: Meeus, Astronomical Algorithms, 1991, ch. 8.
int32_t EasterSunday(int year);

}  // namespace tidecast
