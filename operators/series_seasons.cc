#include "operators/series_seasons.h"

#include <algorithm>
#include <set>

namespace tidecast {
namespace {

/// 0 where a step is a day or more.
int StepsADay(SeriesFrequency frequency) {
  return frequency.seconds() > 0 ? static_cast<int>(86400 / frequency.seconds()) : 0;
}

}  // namespace

std::vector<int32_t> OpenWeekdays(const std::vector<int64_t>& seconds) {
  std::set<int32_t> open;
  for (const int64_t at : seconds) open.insert(WeekdayOf(at));
  return {open.begin(), open.end()};
}

std::vector<int> NaturalSeasons(SeriesFrequency frequency, size_t open_weekdays) {
  switch (frequency.unit()) {
    case SeriesFrequency::Unit::kSeconds:
      return {StepsADay(frequency), 7 * StepsADay(frequency)};
    case SeriesFrequency::Unit::kDay:
      return {static_cast<int>(open_weekdays)};
    case SeriesFrequency::Unit::kWeek:
      return {52};
    case SeriesFrequency::Unit::kMonth:
      return {12};
  }
  return {};
}

std::vector<int32_t> SeasonPhases(SeriesFrequency frequency, const std::vector<int64_t>& seconds,
                                  const std::vector<int32_t>& open_weekdays, int season) {
  constexpr int64_t kMonday = 3 * 86400;  // 1970 began on a Thursday
  const int day = StepsADay(frequency);
  std::vector<int32_t> phases;
  for (size_t t = 0; t < seconds.size(); ++t) {
    const int64_t at = seconds[t];
    auto phase = static_cast<int64_t>(t);
    if (day > 0 && (season == day || season == 7 * day)) {
      phase = FloorDivide(at + kMonday, frequency.seconds());
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
