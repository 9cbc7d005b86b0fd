#include "operators/series_seasons.h"

#include <algorithm>
#include <set>

namespace tidecast {

std::vector<int32_t> OpenWeekdays(const std::vector<int64_t>& seconds) {
  std::set<int32_t> open;
  for (const int64_t at : seconds) open.insert(WeekdayOf(at));
  return {open.begin(), open.end()};
}

std::vector<int> NaturalSeasons(SeriesFrequency frequency, size_t open_weekdays) {
  switch (frequency) {
    case SeriesFrequency::kFiveMinutes:
      return {288, 2016};
    case SeriesFrequency::kHour:
      return {24, 168};
    case SeriesFrequency::kDay:
      return {static_cast<int>(open_weekdays)};
    case SeriesFrequency::kWeek:
      return {52};
    case SeriesFrequency::kMonth:
      return {12};
  }
  return {};
}

std::vector<int32_t> SeasonPhases(SeriesFrequency frequency, const std::vector<int64_t>& seconds,
                                  const std::vector<int32_t>& open_weekdays, int season) {
  constexpr int64_t kMonday = 3 * 86400;  // 1970 began on a Thursday
  std::vector<int32_t> phases;
  for (size_t t = 0; t < seconds.size(); ++t) {
    const int64_t at = seconds[t];
    auto phase = static_cast<int64_t>(t);
    if (frequency == SeriesFrequency::kFiveMinutes && (season == 288 || season == 2016)) {
      phase = FloorDivide(at + kMonday, 300);
    } else if (frequency == SeriesFrequency::kHour && (season == 24 || season == 168)) {
      phase = FloorDivide(at + kMonday, 3600);
    } else if (frequency == SeriesFrequency::kDay && season == static_cast<int>(open_weekdays.size())) {
      phase = std::lower_bound(open_weekdays.begin(), open_weekdays.end(), WeekdayOf(at)) - open_weekdays.begin();
    } else if (frequency == SeriesFrequency::kMonth && season == 12) {
      phase = static_cast<int64_t>(static_cast<unsigned>(DateOf(at).month())) - 1;
    }
    phases.push_back(static_cast<int32_t>(((phase % season) + season) % season));
  }
  return phases;
}

}  // namespace tidecast
