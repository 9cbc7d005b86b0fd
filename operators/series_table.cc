// Reading a series file:
//   1. rows: name, time, value, columns (series_rows.h);
//   2. the calendar: the distinct times, or every step between the first and the last;
//   3. dense arrays, missing cells NaN; 4. seasons and each bucket's phase in them.
#include "operators/series_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <unordered_map>

#include "engine/io/event_time_parser.h"
#include "operators/holiday_sources.h"
#include "operators/series_rows.h"
#include "operators/series_seasons.h"

namespace tidecast {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

/// Seasons of the frequency, and each bucket's phase. The open days of a week are those of the warm-up.
void SetSeasons(const BacktestOptions& options, SeriesTable* table) {
  const size_t learned = std::min(table->buckets(), static_cast<size_t>(std::max(options.warmup, 1)));
  const std::vector<int32_t> weekdays =
      OpenWeekdays({table->seconds.begin(), table->seconds.begin() + static_cast<ptrdiff_t>(learned)});
  table->season_lengths =
      options.season_lengths.empty() ? NaturalSeasons(table->frequency, weekdays.size()) : options.season_lengths;
  table->phases.resize(table->buckets());
  for (const int season : table->season_lengths) {
    const std::vector<int32_t> phases = SeasonPhases(table->frequency, table->seconds, weekdays, season);
    for (size_t t = 0; t < phases.size(); ++t) table->phases[t].push_back(phases[t]);
  }
}

/// Puts a column in behind the known ones: how many holidays each bucket holds.
void AddHolidays(const HolidayDates& dates, SeriesTable* table) {
  std::vector<float> counts;
  for (const int64_t at : table->seconds) {
    const bool long_step = table->frequency == SeriesFrequency::kWeek || table->frequency == SeriesFrequency::kMonth;
    const int64_t first = DayOf(at);
    const int64_t last = long_step ? DayOf(StepsAfter(at, 1, table->frequency)) - 1 : first;
    counts.push_back(static_cast<float>(
        std::distance(dates.lower_bound(static_cast<int32_t>(first)), dates.upper_bound(static_cast<int32_t>(last)))));
  }
  const auto place = static_cast<ptrdiff_t>(table->known_names.size());
  const auto width = static_cast<ptrdiff_t>(table->known_width);
  std::vector<float> known;
  known.reserve(table->actual.size() * (table->known_width + 1));
  for (size_t at = 0; at < table->actual.size(); ++at) {
    const auto row = table->known.begin() + static_cast<ptrdiff_t>(at) * width;
    known.insert(known.end(), row, row + place);
    known.push_back(counts[at % table->buckets()]);
    known.insert(known.end(), row + place, row + width);
  }
  table->known = std::move(known);
  table->known_names.emplace_back("holiday");
  ++table->known_width;
}

}  // namespace

Result<SeriesTable> SeriesTable::Read(const BacktestOptions& options) {
  const std::string& path = options.series_path;
  TC_ASSIGN_OR_RETURN(const SeriesRows file, SeriesRows::Read(options));
  const std::vector<std::string>& names = file.names;
  const std::vector<std::string>& times = file.times;
  const std::vector<int64_t>& seconds = file.seconds;
  if (file.rows.empty()) return BadSeriesData(path, 1, "no rows");

  int64_t end = std::numeric_limits<int64_t>::max();
  if (!options.until.empty()) {
    TC_ASSIGN_OR_RETURN(EventTimeParser parser, EventTimeParser::Make(TimeFormat::kAuto, "UTC"));
    const auto at = parser.Parse(options.until);
    if (!at)
      return Status(Code::kInvalidArgument, fmt::format("--until is not a time: {}", options.until), Domain::kInput);
    end = FloorDivide(at->us, 1'000'000);
  }
  SeriesTable table;
  std::map<int64_t, std::string> calendar;
  for (size_t i = 0; i < times.size(); ++i) {
    if (seconds[i] <= end) calendar.emplace(seconds[i], times[i]);
  }
  if (calendar.empty()) return BadSeriesData(path, 1, "--until lies before the first row");
  std::vector<int64_t> observed;
  for (const auto& [at, label] : calendar) observed.push_back(at);
  TC_ASSIGN_OR_RETURN(
      table.frequency,
      FrequencyOf(options.frequency == "auto" && !file.frequency.empty() ? file.frequency : options.frequency,
                  observed));
  if (options.calendar == BacktestCalendar::kRegular) {
    const int64_t last = observed.back();
    for (int64_t k = 0, at = observed.front(); at <= last; at = StepsAfter(observed.front(), ++k, table.frequency)) {
      calendar.try_emplace(at, TimeLabel(at, times[0]));
      if (calendar.size() > 20'000'000) return BadSeriesData(path, 1, "the calendar has more than 20 million buckets");
    }
    for (const int64_t at : observed) {
      int64_t step = observed.front();
      if (table.frequency == SeriesFrequency::kMonth) continue;
      step = StepsAfter(0, 1, table.frequency);
      if ((at - observed.front()) % step != 0) {
        return BadSeriesData(path, 1,
                             fmt::format("{} is not on the steps of {}", calendar[at], NameOf(table.frequency)))
            .WithRemedy(
                "say the step of the file, --freq 15min for instance, or take its times as they are: --calendar "
                "observed");
      }
    }
  }
  std::unordered_map<int64_t, size_t> bucket_of;
  for (const auto& [at, label] : calendar) {
    bucket_of.emplace(at, table.labels.size());
    table.labels.push_back(label);
    table.seconds.push_back(at);
  }
  table.names = names;
  std::sort(table.names.begin(), table.names.end());
  std::vector<size_t> place(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    place[i] =
        static_cast<size_t>(std::lower_bound(table.names.begin(), table.names.end(), names[i]) - table.names.begin());
  }
  if (!file.categories.empty()) {
    table.categories.resize(names.size());
    for (size_t i = 0; i < names.size(); ++i) table.categories[place[i]] = file.categories[i];
  }
  const size_t buckets = table.buckets();
  table.known_names = file.known_names;
  table.known_width = file.known_width;
  table.past_width = file.past_width;
  table.actual.assign(names.size() * buckets, kMissing);
  table.known.assign(names.size() * buckets * table.known_width, kMissing);
  table.past.assign(names.size() * buckets * table.past_width, kMissing);
  table.first_row.assign(names.size(), buckets);
  std::vector<uint8_t> present(names.size() * buckets, 0);
  bool any = false;
  for (size_t r = 0; r < file.rows.size(); ++r) {
    const SeriesRows::Row& row = file.rows[r];
    if (seconds[row.time] > end) continue;
    const size_t t = bucket_of.at(seconds[row.time]);
    const size_t at = place[row.name] * buckets + t;
    if (present[at] != 0)
      return BadSeriesData(path, row.line, fmt::format("a second row of {} at {}", names[row.name], times[row.time]));
    present[at] = 1;
    table.actual[at] = row.value;
    std::copy_n(file.known.begin() + static_cast<ptrdiff_t>(r * table.known_width), table.known_width,
                table.known.begin() + static_cast<ptrdiff_t>(at * table.known_width));
    std::copy_n(file.past.begin() + static_cast<ptrdiff_t>(r * table.past_width), table.past_width,
                table.past.begin() + static_cast<ptrdiff_t>(at * table.past_width));
    table.first_row[place[row.name]] = std::min(table.first_row[place[row.name]], t);
    if (std::isfinite(row.value)) {
      table.last_actual = any ? std::max(table.last_actual, t) : t;
      any = true;
    }
  }
  if (!any) return BadSeriesData(path, 1, "no row has a value in y");
  if (options.fill_zero) {
    for (size_t s = 0; s < names.size(); ++s) {
      for (size_t t = table.first_row[s]; t <= table.last_actual; ++t) {
        if (present[s * buckets + t] == 0) table.actual[s * buckets + t] = 0;
      }
    }
  }
  SetSeasons(options, &table);
  if (!options.holidays.empty()) {
    TC_ASSIGN_OR_RETURN(const HolidayDates dates, ReadHolidays(options.holidays));
    AddHolidays(dates, &table);
  }
  return table;
}

}  // namespace tidecast
