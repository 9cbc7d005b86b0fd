// GluonTS's JSON Lines: one object a series.
//   {"item_id": "a", "start": "2024-01-01", "freq": "D", "target": [1, 2, null], "feat_dynamic_real": [[0, 1, 0, 1]],
//   ...}
// A feature that is longer than the target tells the buckets behind it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "engine/core/json_nesting.h"
#include "engine/io/csv_reader.h"
#include "engine/io/event_time_parser.h"
#include "operators/series_rows.h"
#include "operators/series_steps.h"

namespace tidecast {
namespace {

using Json = nlohmann::json;

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
constexpr size_t kLongest = 20'000'000;

/// A number, or null, "NaN" or an empty text for a missing one.
std::optional<float> NumberOf(const Json& value) {
  if (value.is_null() || (value.is_string() && (value == "NaN" || value == "nan" || value == ""))) return kMissing;
  if (!value.is_number()) return std::nullopt;
  const auto number = static_cast<float>(value.get<double>());
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

class Reader {
 public:
  explicit Reader(const BacktestOptions& options) : options_(options) {}

  Result<SeriesRows> Read();

 private:
  Status Bad(std::string_view words) const { return BadSeriesData(options_.series_path, line_, words); }
  Status Take(const Json& object);
  /// A field of lists of numbers, one list a feature. `least`, `most`: how long each may be.
  Result<std::vector<std::vector<float>>> Features(const Json& object, const char* field, size_t least, size_t most);
  Result<std::vector<float>> Numbers(const Json& list, const char* field);
  Result<SeriesFrequency> FrequencyOf(const Json& object);
  uint32_t TimeIndex(int64_t seconds, const std::string& like);

  const BacktestOptions& options_;
  std::optional<EventTimeParser> parser_;
  SeriesRows rows_;
  std::unordered_map<std::string, int64_t> line_of_;
  std::unordered_map<int64_t, uint32_t> time_of_;
  std::optional<size_t> dynamic_, statics_;
  int64_t line_ = 0;
};

Result<std::vector<float>> Reader::Numbers(const Json& list, const char* field) {
  if (!list.is_array()) return Bad(fmt::format("{} is not a list of numbers", field));
  std::vector<float> numbers;
  numbers.reserve(list.size());
  for (const Json& item : list) {
    const auto number = NumberOf(item);
    if (!number)
      return Bad(fmt::format("{}: entry {} is not a number: {}", field, numbers.size(), item.dump().substr(0, 40)));
    numbers.push_back(*number);
  }
  return numbers;
}

Result<std::vector<std::vector<float>>> Reader::Features(const Json& object, const char* field, size_t least,
                                                         size_t most) {
  std::vector<std::vector<float>> features;
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return features;
  if (!found->is_array()) return Bad(fmt::format("{} is not a list of lists", field));
  for (const Json& list : *found) {
    TC_ASSIGN_OR_RETURN(std::vector<float> numbers, Numbers(list, field));
    if (numbers.size() < least || numbers.size() > most) {
      return Bad(
          fmt::format("{}: feature {} has {} values, the target {}", field, features.size(), numbers.size(), least));
    }
    features.push_back(std::move(numbers));
  }
  return features;
}

Result<SeriesFrequency> Reader::FrequencyOf(const Json& object) {
  const auto field = object.find("freq");
  std::string text = options_.frequency;
  if (text == "auto") {
    if (field == object.end() || !field->is_string()) {
      return Bad("it has no freq").WithRemedy(fmt::format("say the step, --freq: {}", kFrequencyNames));
    }
    text = field->get<std::string>();
  }
  const auto frequency = ParseSeriesFrequency(text);
  if (!frequency)
    return Bad(fmt::format("unknown freq: {}", text)).WithRemedy(fmt::format("steps can be {}", kFrequencyNames));
  if (!rows_.frequency.empty() && rows_.frequency != text) {
    return Bad(fmt::format("freq is {}, above it was {}", text, rows_.frequency))
        .WithRemedy("one file has one step; forecast them apart");
  }
  rows_.frequency = text;
  return *frequency;
}

uint32_t Reader::TimeIndex(int64_t seconds, const std::string& like) {
  const auto [found, is_new] = time_of_.try_emplace(seconds, static_cast<uint32_t>(rows_.times.size()));
  if (is_new) {
    rows_.times.push_back(TimeLabel(seconds, like));
    rows_.seconds.push_back(seconds);
  }
  return found->second;
}

Status Reader::Take(const Json& object) {
  if (!object.is_object()) return Bad("not a JSON object");
  const auto id = object.find("item_id");
  const std::string name = id == object.end() ? fmt::format("series_{:06}", line_)
                           : id->is_string()  ? id->get<std::string>()
                                              : id->dump();
  if (const auto [first, is_new] = line_of_.try_emplace(name, line_); !is_new) {
    return Bad(fmt::format("a second series {}; the first is in line {}", name, first->second));
  }
  for (const char* field : {"feat_dynamic_cat", "past_feat_dynamic_cat"}) {
    if (object.contains(field))
      return Bad(fmt::format("{} cannot be used", field)).WithRemedy("write it as 0/1 columns of feat_dynamic_real");
  }
  const auto start = object.find("start");
  if (start == object.end() || !start->is_string()) return Bad("start is missing, or no text");
  std::string begin = start->get<std::string>();
  if (begin.size() == 7) begin += "-01";  // a month
  const auto at = parser_->Parse(begin);
  if (!at) return Bad(fmt::format("start is not a time: {}", begin));
  const int64_t first = FloorDivide(at->us, 1'000'000);
  TC_ASSIGN_OR_RETURN(const SeriesFrequency frequency, FrequencyOf(object));

  const auto list = object.find("target");
  if (list == object.end()) return Bad("target is missing");
  TC_ASSIGN_OR_RETURN(const std::vector<float> target, Numbers(*list, "target"));
  if (target.empty()) return Bad("target is empty");
  TC_ASSIGN_OR_RETURN(const auto dynamic, Features(object, "feat_dynamic_real", target.size(), kLongest));
  TC_ASSIGN_OR_RETURN(const auto past, Features(object, "past_feat_dynamic_real", target.size(), target.size()));
  std::vector<float> statics;
  for (const char* field : {"feat_static_cat", "feat_static_real"}) {
    if (!object.contains(field) || object[field].is_null()) continue;
    TC_ASSIGN_OR_RETURN(const std::vector<float> values, Numbers(object[field], field));
    statics.insert(statics.end(), values.begin(), values.end());
  }
  const auto category = object.find("feat_static_cat");
  rows_.categories.push_back(category == object.end() || category->is_null() ? "" : category->dump());
  if (!dynamic_) {
    dynamic_ = dynamic.size();
    statics_ = statics.size();
    rows_.past_width = past.size();
    rows_.known_width = dynamic.size() + statics.size();
    for (size_t f = 0; f < dynamic.size(); ++f) rows_.known_names.push_back(fmt::format("feat_dynamic_real_{}", f));
  }
  if (dynamic.size() != *dynamic_ || statics.size() != *statics_ || past.size() != rows_.past_width) {
    return Bad(fmt::format("{} dynamic, {} past and {} static features; the first series has {}, {} and {}",
                           dynamic.size(), past.size(), statics.size(), *dynamic_, rows_.past_width, *statics_));
  }
  size_t length = target.size();
  for (const auto& feature : dynamic) length = std::max(length, feature.size());
  const auto series = static_cast<uint32_t>(rows_.names.size());
  rows_.names.push_back(name);
  for (size_t t = 0; t < length; ++t) {
    rows_.rows.push_back({series, TimeIndex(StepsAfter(first, static_cast<int64_t>(t), frequency), begin),
                          t < target.size() ? target[t] : kMissing, line_});
    for (const auto& feature : dynamic) rows_.known.push_back(t < feature.size() ? feature[t] : kMissing);
    rows_.known.insert(rows_.known.end(), statics.begin(), statics.end());
    for (const auto& feature : past) rows_.past.push_back(t < feature.size() ? feature[t] : kMissing);
  }
  return Status::Ok();
}

Result<SeriesRows> Reader::Read() {
  if (!options_.known_columns.empty() || !options_.past_columns.empty() || !options_.static_columns.empty()) {
    return Status(Code::kUsage, "columns cannot be chosen from JSON Lines: all features of the file are taken",
                  Domain::kInput)
        .WithRemedy("leave --known, --past and --static out");
  }
  TC_ASSIGN_OR_RETURN(GzipLineSource source, GzipLineSource::Open(options_.series_path));
  CsvReader lines(std::move(source), CsvReader::kLinesOnly);
  TC_ASSIGN_OR_RETURN(parser_, EventTimeParser::Make(TimeFormat::kAuto, "UTC"));
  std::string text;
  for (;;) {
    TC_ASSIGN_OR_RETURN(const bool more, lines.Next(&text));
    if (!more) break;
    line_ = lines.line();
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (NestsDeeper(text)) return Bad(fmt::format("nests deeper than {} levels", kJsonNestingMost));
    const Json object = Json::parse(text, nullptr, false);
    if (object.is_discarded()) return Bad("not JSON").WithRemedy("one object a line; a missing value is null, not NaN");
    TC_RETURN_IF_ERROR(Take(object));
  }
  return std::move(rows_);
}

}  // namespace

Result<SeriesRows> ReadJsonSeries(const BacktestOptions& options) { return Reader(options).Read(); }

}  // namespace tidecast
