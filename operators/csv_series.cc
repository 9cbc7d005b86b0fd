// Nixtla's long form: unique_id,ds,y[,...], one row a series and bucket. Times are parsed once per distinct text.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>

#include "engine/io/csv_reader.h"
#include "engine/io/event_time_parser.h"
#include "operators/series_rows.h"
#include "operators/series_steps.h"

namespace tidecast {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

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

/// The texts of several columns are one category; empty where all of them are.
std::string CategoryOf(std::span<const std::string_view> fields, std::span<const size_t> columns) {
  std::string category;
  bool told = false;
  for (const size_t at : columns) {
    if (at != columns[0]) category += " / ";
    category += fields[at];
    told = told || !fields[at].empty();
  }
  return told ? category : std::string();
}

}  // namespace

Status BadSeriesData(const std::string& path, int64_t line, std::string_view words) {
  return Status(Code::kData, fmt::format("a series file cannot be used: {}:{}: {}", path, line, words), Domain::kInput)
      .WithRemedy(
          "CSV: the columns are unique_id,ds,y[,...], one row a series and bucket, numbers with a point; "
          "JSON Lines: item_id, start, target[, feat_...], one object a series");
}

Result<SeriesRows> ReadCsvSeries(const BacktestOptions& options) {
  const std::string& path = options.series_path;
  TC_ASSIGN_OR_RETURN(GzipLineSource source, GzipLineSource::Open(path));
  CsvReader reader(std::move(source), ',');
  std::string record, scratch;
  std::vector<std::string_view> fields;
  TC_ASSIGN_OR_RETURN(bool more, reader.Next(&record));
  if (!more || !SplitCsv(record, ',', &scratch, &fields)) return BadSeriesData(path, 1, "no header");
  std::map<std::string, size_t, std::less<>> columns;
  for (size_t i = 0; i < fields.size(); ++i) columns.emplace(std::string(fields[i]), i);
  const auto column = [&](const std::string& name) -> Result<size_t> {
    const auto found = columns.find(name);
    if (found == columns.end()) return BadSeriesData(path, 1, fmt::format("no column {}", name));
    return found->second;
  };
  TC_ASSIGN_OR_RETURN(const size_t id_column, column("unique_id"));
  TC_ASSIGN_OR_RETURN(const size_t time_column, column("ds"));
  TC_ASSIGN_OR_RETURN(const size_t value_column, column("y"));
  SeriesRows file;
  std::vector<size_t> known_columns, past_columns, static_columns, text_columns;
  for (const auto& [names, list] :
       {std::pair(&options.known_columns, &known_columns), std::pair(&options.static_columns, &static_columns)}) {
    for (const std::string& name : *names) {
      TC_ASSIGN_OR_RETURN(const size_t at, column(name));
      list->push_back(at);
    }
  }
  for (const std::string& name : options.past_columns) {
    TC_ASSIGN_OR_RETURN(const size_t at, column(name));
    past_columns.push_back(at);
  }
  file.known_names = options.known_columns;
  file.past_width = past_columns.size();
  const size_t width = fields.size();

  TC_ASSIGN_OR_RETURN(EventTimeParser parser, EventTimeParser::Make(TimeFormat::kAuto, "UTC"));
  std::unordered_map<std::string, uint32_t> name_of, time_of;
  for (;;) {
    TC_ASSIGN_OR_RETURN(more, reader.Next(&record));
    if (!more) break;
    if (!SplitCsv(record, ',', &scratch, &fields) || fields.size() != width) {
      return BadSeriesData(path, reader.line(), fmt::format("{} fields, the header has {}", fields.size(), width));
    }
    if (file.rows.empty()) {
      for (const size_t at : static_columns) (ParseNumber(fields[at]) ? known_columns : text_columns).push_back(at);
      file.known_width = known_columns.size();
    }
    SeriesRows::Row row;
    row.line = reader.line();
    const auto [name, new_name] =
        name_of.try_emplace(std::string(fields[id_column]), static_cast<uint32_t>(file.names.size()));
    if (new_name) {
      file.names.push_back(name->first);
      if (!text_columns.empty()) file.categories.push_back(CategoryOf(fields, text_columns));
    }
    row.name = name->second;
    const auto [time, new_time] =
        time_of.try_emplace(std::string(fields[time_column]), static_cast<uint32_t>(file.times.size()));
    if (new_time) {
      const auto at = parser.Parse(time->first);
      if (!at) return BadSeriesData(path, reader.line(), fmt::format("not a time: {}", time->first));
      file.times.push_back(time->first);
      file.seconds.push_back(FloorDivide(at->us, 1'000'000));
    }
    row.time = time->second;
    const auto value = ParseNumber(fields[value_column]);
    if (!value) return BadSeriesData(path, reader.line(), fmt::format("not a number: {}", fields[value_column]));
    row.value = *value;
    for (const auto* list : {&known_columns, &past_columns}) {
      for (const size_t at : *list) {
        const auto covariate = ParseNumber(fields[at]);
        if (!covariate) return BadSeriesData(path, reader.line(), fmt::format("not a number: {}", fields[at]));
        (list == &known_columns ? file.known : file.past).push_back(*covariate);
      }
    }
    file.rows.push_back(row);
  }
  return file;
}

Result<SeriesRows> SeriesRows::Read(const BacktestOptions& options) {
  TC_ASSIGN_OR_RETURN(GzipLineSource source, GzipLineSource::Open(options.series_path));
  std::string line;
  for (;;) {
    TC_ASSIGN_OR_RETURN(const bool more, source.NextLine(&line));
    const size_t begin = line.find_first_not_of(" \t\r");
    if (more && begin == std::string::npos) continue;
    return more && line[begin] == '{' ? ReadJsonSeries(options) : ReadCsvSeries(options);
  }
}

}  // namespace tidecast
