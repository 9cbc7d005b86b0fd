#include "operators/output_encoder.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <chrono>

#include "engine/core/check.h"
#include "engine/core/hash.h"
#include "engine/io/json_append.h"

namespace tidecast {
namespace {

constexpr std::string_view kJson = "application/json";
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

struct OutputEncoder::ViewText {
  std::string json_name;                  ///< "sku", quoted
  std::string topic;                      ///< of features
  std::string frequency;                  ///< 1d
  std::vector<std::string> feature_keys;  ///< ,"units":
  std::vector<std::string> window_topics;
};

OutputEncoder::OutputEncoder(std::string name_space, std::vector<ViewOptions> views)
    : name_space_(std::move(name_space)), views_(std::move(views)), source_("/tidecast/" + name_space_) {
  static std::atomic<uint64_t> made{0};
  number_ = ++made;
  for (const ViewOptions& view : views_) {
    ViewText text;
    AppendJsonString(view.name, &text.json_name);
    text.topic = name_space_ + ".features";
    text.frequency = Frequency(view.calendar);
    for (const FeatureOptions& feature : view.features) {
      std::string key = ",";
      AppendJsonString(feature.name, &key);
      text.feature_keys.push_back(key + ':');
    }
    for (const WindowOptions& window : view.windows) text.window_topics.push_back(text.topic + '.' + window.name);
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
                                     const BucketContext& context, int64_t model_version, uint32_t revision) const {
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
  OutputRecord record;
  record.topic = name_space_ + ".forecasts";
  record.key = SeriesId(view, series);
  AddHeaders("tidecast.forecast.v1",
             ContentId({"retired", views_[view].name, series, Label(view, context.now.start, calendar)}, 1), kJson,
             context.now.end, &record);
  return record;
}

OutputRecord OutputEncoder::Row(const ClosedBucket& row, const ViewText& text, std::string_view window,
                                std::string_view ds, std::string_view end) const {
  TC_CHECK_EQ(row.features.size(), text.feature_keys.size());
  OutputRecord record;
  record.key = SeriesId(row.view, row.series);
  std::string json;
  json.reserve(128 + row.series.size() + row.features.size() * 24);
  json.append("{\"unique_id\":");
  AppendJsonString(record.key, &json);
  json.append(",\"view\":").append(text.json_name);
  if (!window.empty()) {
    json.append(",\"window\":");
    AppendJsonString(window, &json);
  }
  json.append(",\"ds\":\"").append(ds).append("\",\"end\":\"").append(end).append("\",\"revision\":");
  AppendJsonInteger(row.revision, &json);
  for (size_t f = 0; f < row.features.size(); ++f) {
    json.append(text.feature_keys[f]);
    AppendJsonNumber(row.features[f], &json);
  }
  json.push_back('}');
  record.value = std::move(json);
  return record;
}

OutputRecord OutputEncoder::Features(const ClosedBucket& bucket, const BucketCalendar& calendar) const {
  TC_CHECK_LT(bucket.view, views_.size());
  const ViewText& text = texts_[bucket.view];
  const std::string ds(Label(bucket.view, bucket.start, calendar));
  OutputRecord record = Row(bucket, text, {}, ds, Label(bucket.view, bucket.end, calendar));
  record.topic = text.topic;
  AddHeaders("tidecast.features.v1",
             ContentId({"features", views_[bucket.view].name, bucket.series, ds}, bucket.revision), kJson, bucket.end,
             &record);
  return record;
}

OutputRecord OutputEncoder::Window(const ClosedBucket& window, uint16_t window_index) const {
  TC_CHECK_LT(window.view, views_.size());
  TC_CHECK_LT(window_index, views_[window.view].windows.size());
  const ViewText& text = texts_[window.view];
  const WindowOptions& options = views_[window.view].windows[window_index];
  const std::string ds = Rfc3339(window.start);
  OutputRecord record = Row(window, text, options.name, ds, KeptRfc3339(window.end));
  record.topic = text.window_topics[window_index];
  AddHeaders("tidecast.window.v1",
             ContentId({"window", views_[window.view].name, options.name, window.series, ds}, window.revision), kJson,
             window.end, &record);
  return record;
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
  json.append("},\"explanation\":{\"component\":\"tail\"}}}");

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
