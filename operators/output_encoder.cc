#include "operators/output_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>

#include "engine/core/check.h"
#include "engine/core/hash.h"
#include "engine/io/json_append.h"

namespace tidecast {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr size_t kTimeBytesMax = 40;  // RFC 3339 with microseconds, or a bucket's label
constexpr std::string_view kStructured = "application/cloudevents+json";

/// The levels as the payload's keys spell them: shortest text of each ("0.025").
const std::array<std::string, kLevelCount>& LevelKeys() {
  static const std::array<std::string, kLevelCount> keys = [] {
    std::array<std::string, kLevelCount> out;
    for (size_t i = 0; i < kLevelCount; ++i) out[i] = fmt::format("\"{}\":", kLevels[i]);
    return out;
  }();
  return keys;
}

/// RFC 3339 in UTC; microseconds only where there are some.
std::string Rfc3339(EventTime time) {
  TC_CHECK(time.IsFinite(), "a time without an end has no text");
  using namespace std::chrono;
  const sys_time<microseconds> point{microseconds(time.us)};
  const auto day = floor<days>(point);
  const year_month_day date{day};
  const hh_mm_ss clock{point - day};
  std::string out = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  if (clock.subseconds().count() != 0) fmt::format_to(std::back_inserter(out), ".{:06}", clock.subseconds().count());
  out.push_back('Z');
  return out;
}

/// The same, kept for the next call: rows of a bucket come together.
const std::string& KeptRfc3339(EventTime time) {
  static thread_local EventTime kept_time = EventTime::Min();
  static thread_local std::string kept;
  if (kept_time != time) {
    kept = Rfc3339(time);
    kept_time = time;
  }
  return kept;
}

/// Parts joined by '/', the number last: the content id.
std::string ContentId(std::initializer_list<std::string_view> parts, uint32_t revision) {
  size_t size = 12;
  for (const std::string_view part : parts) size += part.size() + 1;
  std::string id;
  id.reserve(size);
  for (const std::string_view part : parts) id.append(part).push_back('/');
  AppendJsonInteger(revision, &id);
  return id;
}

std::string Frequency(const CalendarOptions& calendar) {
  constexpr std::array<std::string_view, 6> kUnits = {"s", "min", "h", "d", "w", "mo"};
  return fmt::format("{}{}", calendar.count, kUnits[static_cast<size_t>(calendar.unit)]);
}

std::string_view SeverityName(int number) {
  if (number >= 21) return "critical";
  if (number >= 17) return "error";
  if (number >= 13) return "warning";
  return "info";
}

template <typename Float>
void AppendArray(std::span<const Float> values, size_t stride, std::string* out) {
  out->push_back('[');
  for (size_t i = 0; i < values.size(); i += stride) {
    if (i > 0) out->push_back(',');
    AppendJsonNumber(values[i], out);
  }
  out->push_back(']');
}

/// Position and reason under the names of Kafka Connect's dead letter queues.
/// Source: org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter.
void AddOrigin(const std::string& topic, int32_t partition, int64_t offset, std::string_view reason,
               std::string message, std::string_view kind, OutputRecord* record) {
  record->headers.push_back({"__connect.errors.topic", topic});
  record->headers.push_back({"__connect.errors.partition", fmt::to_string(partition)});
  record->headers.push_back({"__connect.errors.offset", fmt::to_string(offset)});
  record->headers.push_back({"__connect.errors.exception.class.name", fmt::format("tidecast.{}", reason)});
  record->headers.push_back({"__connect.errors.exception.message", std::move(message)});
  record->headers.push_back({"tidecast_reason", std::string(reason)});
  record->headers.push_back({"tidecast_content_id", fmt::format("{}/{}/{}/{}", kind, topic, partition, offset)});
}

/// Labels made lately on this thread. A bucket's rows come together, so that a few places serve nearly every call.
struct KeptLabel {
  uint64_t encoder = 0;
  uint16_t view = 0;
  EventTime start;
  std::string label;
};
constexpr size_t kKeptLabels = 128;

}  // namespace

/// What is the same in every row of a view or window, ready made.
struct OutputEncoder::RowText {
  enum class Source : uint8_t { kFeature, kSeries, kStart, kEnd, kLast, kRevision, kEvents, kConstant };
  struct Field {
    std::string before;  ///< all that stands before the value: comma, name, colon, constants
    Source source = Source::kConstant;
    size_t feature = 0;
  };
  std::string topic;
  std::vector<Field> fields;
  std::string after;  ///< behind the last value
  RowTimes times = RowTimes::kText;
  RowHeaders headers = RowHeaders::kCloudEvents;
  std::string type;       ///< ce_type
  std::string id_prefix;  ///< of the content id, up to the series
  Duration gap{};         ///< of a session
  size_t features = 0;
  size_t value_bytes_max = 0;  ///< of a row's JSON, but for the series's name
  size_t series_fields = 0;    ///< how often that stands in it
  /// Whether the bucket's start and end are needed as texts.
  bool has_texts() const { return times == RowTimes::kText || headers != RowHeaders::kNone; }
};

/// Texts that grow once and are used again; fetched once a row, since each look at a thread's own memory is a call.
struct OutputEncoder::Scratch {
  std::string key;
  std::string id;
  std::string bucket_start;
  std::string start;
  std::string end;
  EventTime kept_start = EventTime::Min();  ///< whose text `start` is
  EventTime kept_end = EventTime::Min();
  static Scratch& OfThread() {
    static thread_local Scratch scratch;
    return scratch;
  }
};

struct OutputEncoder::ViewText {
  std::string json_name;  ///< "sku", quoted
  std::string frequency;  ///< 1d
  RowText rows;
  std::vector<RowText> windows;
};

OutputEncoder::RowText OutputEncoder::MakeRowText(const ViewOptions& view, const WindowOptions* window) const {
  using Source = RowText::Source;
  const RowOptions& options = window == nullptr ? view.rows : window->rows;
  RowText text;
  text.topic = name_space_ + ".features";
  if (window != nullptr) text.topic += "." + window->name;
  if (!options.topic.empty()) text.topic = options.topic;
  text.times = options.times;
  text.headers = options.headers;
  text.type = window == nullptr ? "tidecast.features.v1" : "tidecast.window.v1";
  text.id_prefix = window == nullptr ? "features/" + view.name + "/" : "window/" + view.name + "/" + window->name + "/";
  if (window != nullptr) text.gap = window->gap;
  text.features = view.features.size();
  auto fields = options.fields;
  if (fields.empty()) {
    fields = {{"unique_id", "series"}, {"view", "view"}};
    if (window != nullptr) fields.emplace_back("window", "window");
    fields.insert(fields.end(), {{"ds", "start"}, {"end", "end"}, {"revision", "revision"}});
    for (const FeatureOptions& feature : view.features) fields.emplace_back(feature.name, feature.name);
  }
  const std::array<std::pair<std::string_view, Source>, 6> words = {{{"series", Source::kSeries},
                                                                     {"start", Source::kStart},
                                                                     {"end", Source::kEnd},
                                                                     {"last", Source::kLast},
                                                                     {"revision", Source::kRevision},
                                                                     {"events", Source::kEvents}}};
  std::string before = "{";
  for (const auto& [name, what] : fields) {
    if (before != "{" || !text.fields.empty()) before.push_back(',');
    AppendJsonString(name, &before);
    before.push_back(':');
    if (what == "view") {
      AppendJsonString(view.name, &before);
      continue;
    }
    if (what == "window") {
      AppendJsonString(window == nullptr ? std::string_view() : std::string_view(window->name), &before);
      continue;
    }
    RowText::Field field;
    const auto word =
        std::find_if(words.begin(), words.end(), [&what = what](const auto& w) { return w.first == what; });
    const auto feature = std::find_if(view.features.begin(), view.features.end(),
                                      [&what = what](const FeatureOptions& f) { return f.name == what; });
    if (word != words.end()) {
      field.source = word->second;
    } else if (feature != view.features.end()) {
      field.source = Source::kFeature;
      field.feature = static_cast<size_t>(feature - view.features.begin());
    } else {
      before += what;  // a number
      continue;
    }
    const bool quoted =
        text.times == RowTimes::kText &&
        (field.source == Source::kStart || field.source == Source::kEnd || field.source == Source::kLast);
    if (quoted) before.push_back('"');
    field.before = std::move(before);
    text.fields.push_back(std::move(field));
    before = quoted ? "\"" : "";
  }
  text.after = before + "}";
  text.value_bytes_max = text.after.size();
  for (const RowText::Field& field : text.fields) {
    text.value_bytes_max += field.before.size();
    if (field.source == Source::kSeries) {
      ++text.series_fields;
    } else {
      text.value_bytes_max += std::max(kJsonNumberBytesMax, kTimeBytesMax);
    }
  }
  return text;
}

OutputEncoder::OutputEncoder(std::string name_space, std::vector<ViewOptions> views)
    : name_space_(std::move(name_space)), views_(std::move(views)), source_("/tidecast/" + name_space_) {
  static std::atomic<uint64_t> made{0};
  number_ = ++made;
  for (const ViewOptions& view : views_) {
    ViewText text;
    AppendJsonString(view.name, &text.json_name);
    text.frequency = Frequency(view.calendar);
    text.rows = MakeRowText(view, nullptr);
    for (const WindowOptions& window : view.windows) text.windows.push_back(MakeRowText(view, &window));
    texts_.push_back(std::move(text));
  }
}

OutputEncoder::~OutputEncoder() = default;

std::string OutputEncoder::SeriesId(uint16_t view, std::string_view series) const {
  if (views_.size() == 1) return std::string(series);
  return fmt::format("{}/{}", views_[view].name, series);
}

std::string_view OutputEncoder::Label(uint16_t view, EventTime start, const BucketCalendar& calendar) const {
  static thread_local std::array<KeptLabel, kKeptLabels> kept;
  KeptLabel& place = kept[Mix64(static_cast<uint64_t>(start.us) + view) % kKeptLabels];
  if (place.encoder != number_ || place.view != view || place.start != start) {
    place.label = calendar.Label(start);
    place.encoder = number_;
    place.view = view;
    place.start = start;
  }
  return place.label;
}

void OutputEncoder::AddHeaders(std::string_view type, std::string content_id, std::string_view content_type,
                               EventTime time, OutputRecord* record) const {
  std::vector<Header>& headers = record->headers;
  headers.resize(7);
  const auto set = [&headers](size_t i, std::string_view name, std::string_view value) {
    headers[i].name.assign(name);
    headers[i].value.assign(value);
  };
  set(0, "content-type", content_type);
  set(1, "ce_specversion", "1.0");
  set(2, "ce_id", content_id);
  set(3, "ce_type", type);
  set(4, "ce_source", source_);
  set(5, "ce_time", KeptRfc3339(time));
  headers[6].name.assign("tidecast_content_id");
  headers[6].value = std::move(content_id);
}

OutputRecord OutputEncoder::Forecast(uint16_t view, const SeriesForecast& forecast, const BucketCalendar& calendar,
                                     const BucketContext& context, int64_t model_version, uint32_t revision,
                                     const RollupMeans& means) const {
  TC_CHECK_LT(view, views_.size());
  const size_t horizon = forecast.mean.size();
  TC_CHECK_EQ(forecast.quantiles.size(), horizon * kLevelCount);
  TC_CHECK_LE(horizon, context.ahead.size());
  OutputRecord record;
  record.topic = name_space_ + ".forecasts";
  record.key = SeriesId(view, forecast.series);
  thread_local std::string json;  // grows once; a record holds an exact copy, since thousands of them wait for a commit
  json.assign("{\"unique_id\":");
  AppendJsonString(record.key, &json);
  json.append(",\"view\":").append(texts_[view].json_name);
  const std::string cutoff(Label(view, context.now.start, calendar));
  json.append(",\"cutoff\":\"").append(cutoff).push_back('"');
  if (horizon > 0) json.append(",\"start\":\"").append(Label(view, context.ahead[0].start, calendar)).push_back('"');
  json.append(",\"freq\":\"").append(texts_[view].frequency).append("\",\"ds\":[");
  for (size_t h = 0; h < horizon; ++h) {
    json.append(h > 0 ? ",\"" : "\"").append(Label(view, context.ahead[h].start, calendar)).push_back('"');
  }
  json.append("],\"mean\":");
  AppendArray(forecast.mean, 1, &json);
  if (!means.bottom_up.empty()) {
    json.append(",\"mean_bottom_up\":");
    AppendArray(means.bottom_up, 1, &json);
    json.append(",\"mean_reconciled\":");
    AppendArray(means.reconciled, 1, &json);
  }
  json.append(",\"quantiles\":{");
  for (size_t level = 0; level < kLevelCount; ++level) {
    if (level > 0) json.push_back(',');
    json.append(LevelKeys()[level]);
    AppendArray(forecast.quantiles.subspan(horizon > 0 ? level : 0), kLevelCount, &json);
  }
  json.append("},\"p0\":");
  AppendArray(forecast.zero_probability, 1, &json);
  json.append(",\"model\":\"tidecast\",\"model_version\":");
  AppendJsonInteger(model_version, &json);
  json.append(",\"revision\":");
  AppendJsonInteger(revision, &json);
  json.push_back('}');
  record.value.emplace(json);
  AddHeaders("tidecast.forecast.v1", ContentId({"forecast", views_[view].name, forecast.series, cutoff}, revision),
             kJson, context.now.end, &record);
  return record;
}

OutputRecord OutputEncoder::ForecastTombstone(uint16_t view, std::string_view series, const BucketCalendar& calendar,
                                              const BucketContext& context) const {
  return Retired(".forecasts", "tidecast.forecast.v1", "retired", view, series, calendar, context);
}

OutputRecord OutputEncoder::TrendTombstone(uint16_t view, std::string_view series, const BucketCalendar& calendar,
                                           const BucketContext& context) const {
  return Retired(".trends", "tidecast.trend.v1", "retired-trend", view, series, calendar, context);
}

OutputRecord OutputEncoder::Retired(std::string_view topic, std::string_view type, std::string_view kind, uint16_t view,
                                    std::string_view series, const BucketCalendar& calendar,
                                    const BucketContext& context) const {
  OutputRecord record;
  record.topic = name_space_ + std::string(topic);
  record.key = SeriesId(view, series);
  AddHeaders(type, ContentId({kind, views_[view].name, series, Label(view, context.now.start, calendar)}, 1), kJson,
             context.now.end, &record);
  return record;
}

OutputRecord OutputEncoder::TrendRecord(uint16_t view, std::string_view series, const Trend& trend,
                                        const BucketCalendar& calendar, const BucketContext& context) const {
  TC_CHECK_LT(view, views_.size());
  OutputRecord record;
  record.topic = name_space_ + ".trends";
  record.key = SeriesId(view, series);
  std::string json = "{\"unique_id\":";
  const auto number = [&json](std::string_view before, double value) {
    json.append(before);
    AppendJsonNumber(static_cast<float>(value), &json);
  };
  const auto growth = [&trend](double next) {
    return trend.last > 0 ? next / trend.last - 1 : std::numeric_limits<double>::quiet_NaN();
  };
  AppendJsonString(record.key, &json);
  json.append(",\"view\":").append(texts_[view].json_name);
  const std::string cutoff(Label(view, context.now.start, calendar));
  json.append(",\"cutoff\":\"").append(cutoff).append("\",\"freq\":\"").append(texts_[view].frequency);
  json.append("\",\"horizon\":");
  AppendJsonInteger(static_cast<int64_t>(context.ahead.size()), &json);
  json.append(",\"phase\":\"").append(NameOf(trend.phase)).push_back('"');
  number(",\"p_rise\":", trend.rise);
  number(",\"last\":", trend.last);
  number(",\"before\":", trend.before);
  number(",\"expected\":", trend.expected);
  number(",\"next\":{\"0.1\":", trend.next[0]);
  number(",\"0.5\":", trend.next[1]);
  number(",\"0.9\":", trend.next[2]);
  number("},\"growth\":{\"0.1\":", growth(trend.next[0]));
  number(",\"0.5\":", growth(trend.next[1]));
  number(",\"0.9\":", growth(trend.next[2]));
  number("},\"acceleration\":", trend.acceleration);
  json.push_back('}');
  record.value = std::move(json);
  AddHeaders("tidecast.trend.v1", ContentId({"trend", views_[view].name, series, cutoff}, 1), kJson, context.now.end,
             &record);
  return record;
}

// The row is written where it will wait: key, JSON, then the headers.
void OutputEncoder::Row(const ClosedBucket& row, const RowText& text, std::string_view start, std::string_view end,
                        Scratch& scratch, PackedRecords* out) const {
  using Source = RowText::Source;
  TC_CHECK_EQ(row.features.size(), text.features);
  TC_CHECK(start.size() <= kTimeBytesMax && end.size() <= kTimeBytesMax);
  const bool has_name = views_.size() > 1;
  if (has_name) scratch.key = SeriesId(row.view, row.series);
  const std::string_view key = has_name ? std::string_view(scratch.key) : row.series;

  std::array<HeaderView, 7> all;
  std::span<const HeaderView> headers;
  if (text.headers != RowHeaders::kNone) {
    std::string& id = scratch.id;
    id.assign(text.id_prefix).append(row.series).push_back('/');
    id.append(start).push_back('/');
    AppendJsonInteger(row.revision, &id);
    if (text.headers == RowHeaders::kId) {
      all[0] = {"tidecast_content_id", id};
      headers = std::span(all).first(1);
    } else {
      all = {{{"content-type", kJson},
              {"ce_specversion", "1.0"},
              {"ce_id", id},
              {"ce_type", text.type},
              {"ce_source", source_},
              {"ce_time", KeptRfc3339(row.end)},
              {"tidecast_content_id", id}}};
      headers = all;
    }
  }

  const size_t value_max = text.value_bytes_max + text.series_fields * JsonStringBytesMax(key.size());
  char* const begin = out->Room(key.size() + value_max + PackedRecords::HeaderBytes(headers));
  const auto append = [](std::string_view bytes, char* to) {
    std::memcpy(to, bytes.data(), bytes.size());
    return to + bytes.size();
  };
  char* const value = append(key, begin);
  char* to = value;
  const auto append_time = [&](EventTime time, std::string_view kept) {
    return text.times == RowTimes::kMillis ? WriteJsonInteger(time.us / 1000, to) : append(kept, to);
  };
  for (const RowText::Field& field : text.fields) {
    to = append(field.before, to);
    switch (field.source) {
      case Source::kFeature:
        to = WriteJsonNumber(row.features[field.feature], to);
        break;
      case Source::kSeries:
        to = WriteJsonString(key, to);
        break;
      case Source::kStart:
        to = append_time(row.start, start);
        break;
      case Source::kEnd:
        to = append_time(row.end, end);
        break;
      case Source::kLast: {
        const EventTime last = row.end - text.gap;
        to = append_time(last, text.times == RowTimes::kText ? KeptRfc3339(last) : std::string_view());
        break;
      }
      case Source::kRevision:
        to = WriteJsonInteger(row.revision, to);
        break;
      case Source::kEvents:
        to = WriteJsonInteger(row.events, to);
        break;
      case Source::kConstant:
        break;
    }
  }
  to = append(text.after, to);
  const auto value_bytes = static_cast<size_t>(to - value);
  TC_CHECK_LE(value_bytes, value_max);
  RecordView record;
  record.topic = text.topic;
  record.key = {begin, key.size()};
  record.value = {value, value_bytes};
  record.headers = headers;
  out->AddWritten(record);
}

void OutputEncoder::Features(const ClosedBucket& bucket, const BucketCalendar& calendar, PackedRecords* out) const {
  TC_CHECK_LT(bucket.view, views_.size());
  Scratch& scratch = Scratch::OfThread();
  const RowText& text = texts_[bucket.view].rows;
  if (!text.has_texts()) return Row(bucket, text, {}, {}, scratch, out);
  // The first label may lie where the second one is going to.
  std::string& start = scratch.bucket_start;
  start.assign(Label(bucket.view, bucket.start, calendar));
  Row(bucket, text, start, Label(bucket.view, bucket.end, calendar), scratch, out);
}

void OutputEncoder::Window(const ClosedBucket& window, uint16_t window_index, PackedRecords* out) const {
  TC_CHECK_LT(window.view, views_.size());
  TC_CHECK_LT(window_index, views_[window.view].windows.size());
  Scratch& scratch = Scratch::OfThread();
  const RowText& text = texts_[window.view].windows[window_index];
  if (!text.has_texts()) return Row(window, text, {}, {}, scratch, out);
  const auto keep = [](EventTime time, EventTime* kept, std::string* text) {
    if (*kept == time) return;
    *text = Rfc3339(time);
    *kept = time;
  };
  keep(window.start, &scratch.kept_start, &scratch.start);
  keep(window.end, &scratch.kept_end, &scratch.end);
  Row(window, text, scratch.start, scratch.end, scratch, out);
}

void OutputEncoder::AppendExplanation(const Explanation& explanation, std::string* json) {
  const auto number = [json](std::string_view key, float value) {
    json->append(key);
    AppendJsonNumber(value, json);
  };
  number("\"level\":", explanation.level);
  number(",\"recent\":", explanation.recent);
  number(",\"season\":", explanation.season);
  json->append(",\"known\":{");
  for (const Explanation::Column& column : explanation.known) {
    if (&column != explanation.known.data()) json->push_back(',');
    AppendJsonString(column.name, json);
    number(":", column.part);
  }
  number("},\"net\":", explanation.net);
  json->append(",\"experts\":[");
  for (const Explanation::Voice& voice : explanation.experts) {
    json->append(&voice == explanation.experts.data() ? "{\"name\":" : ",{\"name\":");
    AppendJsonString(voice.expert, json);
    number(",\"weight\":", voice.weight);
    number(",\"mean\":", voice.mean);
    json->push_back('}');
  }
  json->push_back(']');
}

std::vector<OutputRecord> OutputEncoder::AlertRecords(const Alert& alert, const BucketCalendar& calendar) const {
  uint16_t view = 0;
  while (view < views_.size() && views_[view].name != alert.view) ++view;
  TC_CHECK_LT(view, views_.size(), "an alert of an unknown view {}", alert.view);
  const std::string id = SeriesId(view, alert.series);
  const std::string time = Rfc3339(alert.bucket_end);
  const std::string_view type = alert.firing ? "tidecast.alert.firing.v1" : "tidecast.alert.resolved.v1";
  const std::string_view direction = alert.high ? "high" : "low";
  const std::string ds(Label(view, alert.bucket_start, calendar));

  std::string json = "{\"specversion\":\"1.0\",\"id\":\"" + alert.id + "\",\"source\":";
  const auto text = [&json](std::string_view key, std::string_view value) {
    json.append(key);
    AppendJsonString(value, &json);
  };
  const auto number = [&json](std::string_view key, double value) {
    json.append(key);
    AppendJsonNumber(value, &json);
  };
  AppendJsonString(source_, &json);
  text(",\"type\":", type);
  text(",\"time\":", time);
  text(",\"subject\":", id);
  json.append(",\"datacontenttype\":\"application/json\",\"data\":{");
  text("\"id\":", alert.id);
  text(",\"fingerprint\":", alert.fingerprint);
  number(",\"episode\":", alert.episode);
  number(",\"revision\":", alert.revision);
  text(",\"status\":", alert.firing ? "firing" : "resolved");
  text(",\"labels\":{\"alertname\":", alert.name);
  text(",\"use_case\":", alert.use_case);
  text(",\"unique_id\":", id);
  text(",\"view\":", alert.view);
  text(",\"direction\":", direction);
  text(",\"severity\":", SeverityName(alert.severity_number));
  text("},\"annotations\":{\"summary\":", alert.firing ? fmt::format("{}: observed {} against {:.4g} expected ({})", id,
                                                                     alert.observed, alert.expected, ds)
                                                       : fmt::format("{}: back within its forecast ({})", id, ds));
  number("},\"severity_number\":", alert.severity_number);
  text(",\"startsAt\":", Rfc3339(alert.starts_at));
  if (alert.ends_at.IsFinite()) {
    text(",\"endsAt\":", Rfc3339(alert.ends_at));
  } else {
    json.append(",\"endsAt\":null");
  }
  text(",\"ds\":", ds);
  number(",\"observed\":", alert.observed);
  number(",\"expected\":", alert.expected);
  json.append(",\"quantiles\":{");
  for (size_t level = 0; level < alert.quantiles.size() && level < kLevelCount; ++level) {
    if (level > 0) json.push_back(',');
    json.append(LevelKeys()[level]);
    AppendJsonNumber(alert.quantiles[level], &json);
  }
  number("},\"effect\":{\"ratio\":", alert.effect_ratio);
  number(",\"absolute\":", alert.effect_absolute);
  number("},\"evidence\":{\"rule\":\"tail_probability\",\"p\":", alert.tail_probability);
  number(",\"surprise\":", AlertOperator::Surprise(alert.tail_probability));
  json.append("},\"explanation\":{\"component\":\"tail\",");
  AppendExplanation(alert.explanation, &json);
  json.append("}}}");

  std::vector<OutputRecord> records(2);
  records[0].topic = name_space_ + ".alerts";
  records[0].key = id;
  records[0].value = json;
  AddHeaders(type, alert.id, kStructured, alert.bucket_end, &records[0]);
  records[1].topic = name_space_ + ".alerts.state";
  records[1].key = alert.fingerprint;
  if (alert.firing) records[1].value = std::move(json);
  AddHeaders(type, alert.id, kStructured, alert.bucket_end, &records[1]);
  return records;
}

OutputRecord OutputEncoder::Late(const std::string& topic, int32_t partition, const InputRecord& input,
                                 EventTime event_time, EventTime watermark) const {
  OutputRecord record;
  record.topic = name_space_ + ".late";
  record.key = input.key;
  if (!input.is_null) record.value = std::string(input.value);
  for (const HeaderView& header : input.headers)
    record.headers.push_back({std::string(header.name), std::string(header.value)});
  const std::string happened = Rfc3339(event_time);
  const std::string passed = watermark.IsFinite() ? Rfc3339(watermark) : std::string("the end of the input");
  AddOrigin(topic, partition, input.offset, "too_late",
            fmt::format("beyond the allowed lateness: happened at {}, watermark {}", happened, passed), "late",
            &record);
  record.headers.push_back({"tidecast_event_time", happened});
  if (watermark.IsFinite()) record.headers.push_back({"tidecast_watermark", passed});
  return record;
}

OutputRecord OutputEncoder::Dead(const DeadLetter& letter) const {
  OutputRecord record;
  record.topic = name_space_ + ".dlq";
  record.key = letter.key;
  record.value = letter.value;
  AddOrigin(letter.topic, letter.partition, letter.offset, RejectReasonName(letter.reason), letter.detail, "dlq",
            &record);
  return record;
}

}  // namespace tidecast
