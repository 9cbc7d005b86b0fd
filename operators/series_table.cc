// Reading a series file:
//   1. rows: name, time, value, columns (times are parsed once per distinct text);
//   2. the calendar: the distinct times, or every step between the first and the last;
//   3. dense arrays, missing cells NaN; 4. seasons and each bucket's phase in them.
#include "operators/series_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

#include "engine/io/csv_reader.h"
#include "engine/io/event_time_parser.h"

namespace tidecast {
namespace {

constexpr int64_t kDaySeconds = 86400;
constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

struct Row {
  uint32_t name = 0;
  uint32_t time = 0;
  float value = kMissing;
  int64_t line = 0;
};

Status BadData(const std::string& path, int64_t line, std::string_view words) {
  return Status(Code::kData, fmt::format("a series file cannot be used: {}:{}: {}", path, line, words), Domain::kInput)
      .WithRemedy("the columns are unique_id,ds,y[,...], one row a series and bucket, numbers with a point");
}

std::optional<float> ParseNumber(std::string_view text) {
  if (text.empty() || text == "NaN" || text == "nan" || text == "NA" || text == "null") return kMissing;
  if (text[0] == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  const float narrow = static_cast<float>(value);
  if (!std::isfinite(narrow)) return std::nullopt;
  return narrow;
}

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
int64_t DayOf(int64_t seconds) { return FloorDiv(seconds, kDaySeconds); }
int32_t WeekdayOf(int64_t seconds) { return static_cast<int32_t>(((DayOf(seconds) + 3) % 7 + 7) % 7); }  // Monday 0

std::chrono::year_month_day DateOf(int64_t seconds) {
  return std::chrono::year_month_day(std::chrono::sys_days(std::chrono::days(DayOf(seconds))));
}

int64_t StepAfter(int64_t seconds, SeriesFrequency frequency) {
  switch (frequency) {
    case SeriesFrequency::kFiveMinutes: return seconds + 300;
    case SeriesFrequency::kHour: return seconds + 3600;
    case SeriesFrequency::kDay: return seconds + kDaySeconds;
    case SeriesFrequency::kWeek: return seconds + 7 * kDaySeconds;
    case SeriesFrequency::kMonth: break;
  }
  const auto date = DateOf(seconds) + std::chrono::months(1);
  const auto day = date.ok() ? std::chrono::sys_days(date) : std::chrono::sys_days(date.year() / date.month() / std::chrono::last);
  return day.time_since_epoch().count() * kDaySeconds + (seconds - DayOf(seconds) * kDaySeconds);
}

std::string LabelOf(int64_t seconds, const std::string& like) {
  const auto date = DateOf(seconds);
  const int64_t rest = seconds - DayOf(seconds) * kDaySeconds;
  std::string text = fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                 static_cast<unsigned>(date.day()));
  if (like.size() > 10) {
    text += fmt::format("{}{:02}:{:02}", like[10], rest / 3600, rest / 60 % 60);
    if (like.size() > 16) text += fmt::format(":{:02}", rest % 60);
  }
  return text;
}

Result<SeriesFrequency> FrequencyOf(const std::string& text, const std::vector<int64_t>& times) {
  static const std::map<std::string, SeriesFrequency, std::less<>> kNames = {
      {"5min", SeriesFrequency::kFiveMinutes}, {"1h", SeriesFrequency::kHour},   {"1d", SeriesFrequency::kDay},
      {"1w", SeriesFrequency::kWeek},          {"1mo", SeriesFrequency::kMonth},
  };
  if (const auto found = kNames.find(text); found != kNames.end()) return found->second;
  if (text != "auto") {
    return Status(Code::kUsage, fmt::format("unknown frequency: {}", text), Domain::kInput)
        .WithRemedy("one of 5min, 1h, 1d, 1w, 1mo, auto");
  }
  std::vector<int64_t> steps;
  for (size_t i = 1; i < times.size(); ++i) steps.push_back(times[i] - times[i - 1]);
  if (steps.empty()) return SeriesFrequency::kDay;
  std::nth_element(steps.begin(), steps.begin() + static_cast<ptrdiff_t>(steps.size() / 2), steps.end());
  const int64_t step = steps[steps.size() / 2];
  if (step <= 300) return SeriesFrequency::kFiveMinutes;
  if (step <= 3600) return SeriesFrequency::kHour;
  if (step <= 2 * kDaySeconds) return SeriesFrequency::kDay;
  if (step <= 10 * kDaySeconds) return SeriesFrequency::kWeek;
  return SeriesFrequency::kMonth;
}

/// Seasons of the frequency, and each bucket's phase. The open days of a week are those of the warm-up.
void SetSeasons(const BacktestOptions& options, SeriesTable* table) {
  std::set<int32_t> open;
  const size_t learned = std::min(table->buckets(), static_cast<size_t>(std::max(options.warmup, 1)));
  for (size_t t = 0; t < learned; ++t) open.insert(WeekdayOf(table->seconds[t]));
  const std::vector<int32_t> weekdays(open.begin(), open.end());
  std::vector<int> natural;
  switch (table->frequency) {
    case SeriesFrequency::kFiveMinutes: natural = {288, 2016}; break;
    case SeriesFrequency::kHour: natural = {24, 168}; break;
    case SeriesFrequency::kDay: natural = {static_cast<int>(weekdays.size())}; break;
    case SeriesFrequency::kWeek: natural = {52}; break;
    case SeriesFrequency::kMonth: natural = {12}; break;
  }
  table->season_lengths = options.season_lengths.empty() ? natural : options.season_lengths;
  table->phases.resize(table->buckets());
  for (size_t t = 0; t < table->buckets(); ++t) {
    const int64_t at = table->seconds[t];
    for (const int season : table->season_lengths) {
      int64_t phase = static_cast<int64_t>(t);
      if (table->frequency == SeriesFrequency::kFiveMinutes && (season == 288 || season == 2016)) {
        phase = FloorDiv(at + 3 * kDaySeconds, 300);
      } else if (table->frequency == SeriesFrequency::kHour && (season == 24 || season == 168)) {
        phase = FloorDiv(at + 3 * kDaySeconds, 3600);
      } else if (table->frequency == SeriesFrequency::kDay && season == static_cast<int>(weekdays.size())) {
        const auto found = std::lower_bound(weekdays.begin(), weekdays.end(), WeekdayOf(at));
        phase = found - weekdays.begin();
      } else if (table->frequency == SeriesFrequency::kMonth && season == 12) {
        phase = static_cast<int64_t>(static_cast<unsigned>(DateOf(at).month())) - 1;
      }
      table->phases[t].push_back(static_cast<int32_t>(((phase % season) + season) % season));
    }
  }
}

}  // namespace

Result<SeriesTable> SeriesTable::Read(const BacktestOptions& options) {
  const std::string& path = options.series_path;
  TC_ASSIGN_OR_RETURN(GzipLineSource source, GzipLineSource::Open(path));
  CsvReader reader(std::move(source), ',');
  std::string record, scratch;
  std::vector<std::string_view> fields;
  TC_ASSIGN_OR_RETURN(bool more, reader.Next(&record));
  if (!more || !SplitCsv(record, ',', &scratch, &fields)) return BadData(path, 1, "no header");
  std::map<std::string, size_t, std::less<>> columns;
  for (size_t i = 0; i < fields.size(); ++i) columns.emplace(std::string(fields[i]), i);
  const auto column = [&](const std::string& name) -> Result<size_t> {
    const auto found = columns.find(name);
    if (found == columns.end()) return BadData(path, 1, fmt::format("no column {}", name));
    return found->second;
  };
  TC_ASSIGN_OR_RETURN(const size_t id_column, column("unique_id"));
  TC_ASSIGN_OR_RETURN(const size_t time_column, column("ds"));
  TC_ASSIGN_OR_RETURN(const size_t value_column, column("y"));
  std::vector<size_t> known_columns, past_columns;
  for (const auto* names : {&options.known_columns, &options.static_columns}) {
    for (const std::string& name : *names) {
      TC_ASSIGN_OR_RETURN(const size_t at, column(name));
      known_columns.push_back(at);
    }
  }
  for (const std::string& name : options.past_columns) {
    TC_ASSIGN_OR_RETURN(const size_t at, column(name));
    past_columns.push_back(at);
  }
  const size_t width = fields.size();

  TC_ASSIGN_OR_RETURN(EventTimeParser parser, EventTimeParser::Make(TimeFormat::kAuto, "UTC"));
  std::unordered_map<std::string, uint32_t> name_of, time_of;
  std::vector<std::string> names, times;
  std::vector<int64_t> seconds;
  std::vector<Row> rows;
  std::vector<float> known_values, past_values;
  for (;;) {
    TC_ASSIGN_OR_RETURN(more, reader.Next(&record));
    if (!more) break;
    if (!SplitCsv(record, ',', &scratch, &fields) || fields.size() != width) {
      return BadData(path, reader.line(), fmt::format("{} fields, the header has {}", fields.size(), width));
    }
    Row row;
    row.line = reader.line();
    const auto [name, new_name] = name_of.try_emplace(std::string(fields[id_column]), static_cast<uint32_t>(names.size()));
    if (new_name) names.push_back(name->first);
    row.name = name->second;
    const auto [time, new_time] = time_of.try_emplace(std::string(fields[time_column]), static_cast<uint32_t>(times.size()));
    if (new_time) {
      const auto at = parser.Parse(time->first);
      if (!at) return BadData(path, reader.line(), fmt::format("not a time: {}", time->first));
      times.push_back(time->first);
      seconds.push_back(FloorDiv(at->us, 1'000'000));
    }
    row.time = time->second;
    const auto number = [&](size_t at) { return ParseNumber(fields[at]); };
    const auto value = number(value_column);
    if (!value) return BadData(path, reader.line(), fmt::format("not a number: {}", fields[value_column]));
    row.value = *value;
    for (const auto* list : {&known_columns, &past_columns}) {
      for (const size_t at : *list) {
        const auto covariate = number(at);
        if (!covariate) return BadData(path, reader.line(), fmt::format("not a number: {}", fields[at]));
        (list == &known_columns ? known_values : past_values).push_back(*covariate);
      }
    }
    rows.push_back(row);
  }
  if (rows.empty()) return BadData(path, 1, "no rows");

  int64_t end = std::numeric_limits<int64_t>::max();
  if (!options.until.empty()) {
    const auto at = parser.Parse(options.until);
    if (!at) return Status(Code::kInvalidArgument, fmt::format("--until is not a time: {}", options.until), Domain::kInput);
    end = FloorDiv(at->us, 1'000'000);
  }
  SeriesTable table;
  std::map<int64_t, std::string> calendar;
  for (size_t i = 0; i < times.size(); ++i) {
    if (seconds[i] <= end) calendar.emplace(seconds[i], times[i]);
  }
  if (calendar.empty()) return BadData(path, 1, "--until lies before the first row");
  std::vector<int64_t> observed;
  for (const auto& [at, label] : calendar) observed.push_back(at);
  TC_ASSIGN_OR_RETURN(table.frequency, FrequencyOf(options.frequency, observed));
  if (options.calendar == BacktestCalendar::kRegular) {
    const int64_t last = observed.back();
    for (int64_t at = observed.front(); at <= last; at = StepAfter(at, table.frequency)) {
      calendar.try_emplace(at, LabelOf(at, times[0]));
      if (calendar.size() > 20'000'000) return BadData(path, 1, "the calendar has more than 20 million buckets");
    }
    for (const int64_t at : observed) {
      int64_t step = observed.front();
      if (table.frequency == SeriesFrequency::kMonth) continue;
      step = StepAfter(0, table.frequency);
      if ((at - observed.front()) % step != 0) {
        return BadData(path, 1, fmt::format("{} is not on the steps of the frequency", calendar[at]));
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
    place[i] = static_cast<size_t>(std::lower_bound(table.names.begin(), table.names.end(), names[i]) - table.names.begin());
  }
  const size_t buckets = table.buckets();
  table.known_names = options.known_columns;
  table.known_width = known_columns.size();
  table.past_width = past_columns.size();
  table.actual.assign(names.size() * buckets, kMissing);
  table.known.assign(names.size() * buckets * table.known_width, kMissing);
  table.past.assign(names.size() * buckets * table.past_width, kMissing);
  table.first_row.assign(names.size(), buckets);
  std::vector<uint8_t> present(names.size() * buckets, 0);
  bool any = false;
  for (size_t r = 0; r < rows.size(); ++r) {
    const Row& row = rows[r];
    if (seconds[row.time] > end) continue;
    const size_t t = bucket_of.at(seconds[row.time]);
    const size_t at = place[row.name] * buckets + t;
    if (present[at] != 0) return BadData(path, row.line, fmt::format("a second row of {} at {}", names[row.name], times[row.time]));
    present[at] = 1;
    table.actual[at] = row.value;
    std::copy_n(known_values.begin() + static_cast<ptrdiff_t>(r * table.known_width), table.known_width,
                table.known.begin() + static_cast<ptrdiff_t>(at * table.known_width));
    std::copy_n(past_values.begin() + static_cast<ptrdiff_t>(r * table.past_width), table.past_width,
                table.past.begin() + static_cast<ptrdiff_t>(at * table.past_width));
    table.first_row[place[row.name]] = std::min(table.first_row[place[row.name]], t);
    if (std::isfinite(row.value)) {
      table.last_actual = any ? std::max(table.last_actual, t) : t;
      any = true;
    }
  }
  if (!any) return BadData(path, 1, "no row has a value in y");
  if (options.fill_zero) {
    for (size_t s = 0; s < names.size(); ++s) {
      for (size_t t = table.first_row[s]; t <= table.last_actual; ++t) {
        if (present[s * buckets + t] == 0) table.actual[s * buckets + t] = 0;
      }
    }
  }
  SetSeasons(options, &table);
  return table;
}

}  // namespace tidecast
