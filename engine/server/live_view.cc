#include "engine/server/live_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/server/feature_row_reader.h"

namespace tidecast {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kActivityStep = .1;  // of the decayed mean
constexpr double kAdmitAbove = 1.5;   // an outsider must be this much busier than the least busy one kept
constexpr size_t kOutsidersMax = 50'000;
constexpr uint64_t kLeastEveryCalls = 1024;  // how often the least busy one is looked for anew
constexpr uint64_t kOutsidersEvery = 8;      // a row of so many tells how busy they are
constexpr size_t kRowBytesMax = 8ULL << 20;  // kept of an epoch: the newest once or twice as much
constexpr size_t kMoversPublished = 12;
constexpr uint64_t kMoversEveryTicks = 4;
constexpr size_t kTrendsPublished = 8;
constexpr size_t kForecastsParsedATick = 400;

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }
std::string Quoted(std::string_view text) { return Dump(Json(text)); }

// A number as JSON; JSON has no NaN.
std::string Number(double value) { return std::isfinite(value) ? fmt::format("{:.10g}", value) : "null"; }

std::string Lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string ActualJson(std::string_view ds, double value, uint32_t revision) {
  return fmt::format(R"({{"ds":{},"y":{},"revision":{}}})", Quoted(ds), Number(value), revision);
}

// First value of an array of numbers in `json`, NaN where there is none.
double FirstOf(const Json& json, const char* level) {
  const auto it = json.find(level);
  if (it == json.end() || !it->is_array() || it->empty() || !it->front().is_number()) return std::nan("");
  return it->front().get<double>();
}

// A text field of an object; "" when it is none.
std::string TextOf(const Json& json, const char* name) {
  if (!json.is_object()) return "";
  const auto it = json.find(name);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace

std::string UtcText(EventTime time) {
  if (!time.IsFinite()) return "";
  const int64_t seconds = time.us >= 0 ? time.us / 1'000'000 : -((-time.us + 999'999) / 1'000'000);
  const std::time_t as_time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&as_time, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

LiveView::LiveView(LiveViewOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      forecasts_topic_(options_.name_space + ".forecasts"),
      features_topic_(options_.name_space + ".features"),
      alerts_topic_(options_.name_space + ".alerts"),
      alerts_state_topic_(options_.name_space + ".alerts.state"),
      trends_topic_(options_.name_space + ".trends"),
      trends_(options_.trends_max),
      events_(options_.event_bytes_max, options_.events_max, static_cast<uint64_t>(clock.Now().us)),
      status_at_(clock.Now()) {
  status_.state = "starting";
}

void LiveView::OnCommitted(std::span<const OutputRecord> records) {
  for (const OutputRecord& record : records) {
    if (record.topic != trends_topic_) continue;
    if (record.value) {
      trends_.OnTrend(record.key, *record.value);
    } else {
      trends_.Erase(record.key);
    }
  }
  {
    const std::lock_guard lock(mutex_);
    std::vector<HeaderView> headers;
    for (const PackedRecords* rows : {&older_rows_, &rows_}) {
      for (size_t i = 0; i < rows->size(); ++i) {
        const RecordView row = rows->View(i, &headers);
        OnFeatures(std::string(row.key), row.value);
      }
    }
    for (const OutputRecord& record : records) {
      if (!record.value) continue;  // tombstones: what they delete is not shown
      if (record.topic == forecasts_topic_) {
        OnForecast(record);
      } else if (record.topic == features_topic_) {
        OnFeatures(record.key, *record.value);
      } else if (record.topic == alerts_topic_ || record.topic == alerts_state_topic_) {
        OnAlert(record);
      }
    }
  }
  ForgetRows();
  events_.Notify();
}

void LiveView::OnRolledBack() { ForgetRows(); }

void LiveView::ForgetRows() {
  older_rows_.Clear();
  rows_.Clear();
  newcomers_.clear();
}

void LiveView::OnRows(const PackedRecords& rows) {
  const std::lock_guard lock(mutex_);
  std::vector<HeaderView> headers;
  for (size_t i = 0; i < rows.size(); ++i) {
    const RecordView row = rows.View(i, &headers);
    if (row.is_null || row.topic != features_topic_ || !Wants(row.key)) continue;
    if (rows_.bytes() >= kRowBytesMax) older_rows_ = std::exchange(rows_, {});
    rows_.Add(row);
  }
}

// At high load there is a row an event: each that is wanted is read, which takes as long as an event does.
bool LiveView::Wants(std::string_view series) {
  if (series_.contains(series) || newcomers_.contains(series)) return true;
  if (series_.size() + newcomers_.size() < options_.series_max) {
    newcomers_.emplace(series);
    return true;
  }
  return outsiders_seen_++ % kOutsidersEvery == 0;
}

LiveView::Series* LiveView::FindOrAdmit(const std::string& key, double activity) {
  const auto found = series_.find(key);
  if (found != series_.end()) return &found->second;
  if (series_.size() < options_.series_max) return &series_[key];
  // Full: keep an account of the outsider, and let it in once it is clearly busier than the least busy one inside.
  if (outsiders_.size() >= kOutsidersMax && !outsiders_.contains(key)) return nullptr;
  double& score = outsiders_[key];
  score += kActivityStep * (activity - score);
  if (++outsider_calls_ % kLeastEveryCalls != 1 && score <= kAdmitAbove * least_activity_) return nullptr;
  const auto least = std::ranges::min_element(series_, {}, [](const auto& row) { return row.second.activity; });
  if (least == series_.end()) return nullptr;
  least_activity_ = least->second.activity;
  if (score <= kAdmitAbove * least_activity_) return nullptr;
  const double admitted = score;
  outsiders_.erase(key);
  outsiders_[least->first] = least->second.activity;
  series_.erase(least);
  Series& row = series_[key];
  row.activity = admitted;
  return &row;
}

size_t LiveView::PastLimit() const {
  const size_t share = options_.past_forecasts_total_max / std::max<size_t>(1, series_.size());
  return std::clamp<size_t>(share, 1, options_.past_forecasts_max);
}

void LiveView::OnForecast(const OutputRecord& record) {
  Series* row = FindOrAdmit(record.key, 0);
  if (row == nullptr) return;
  Text text = std::make_shared<const std::string>(*record.value);
  if (row->forecast) row->past.push_back(std::move(row->forecast));
  while (row->past.size() > PastLimit()) row->past.pop_front();
  row->forecast = text;
  events_.Append(
      "forecast", record.key,
      std::make_shared<const std::string>(fmt::format(R"({{"series":{},"forecast":{}}})", Quoted(record.key), *text)));
}

void LiveView::OnFeatures(const std::string& key, std::string_view value_text) {
  std::optional<FeatureRow> features = ReadFeatureRow(value_text);
  if (!features) return;
  const auto target = options_.targets.find(features->view);
  const std::optional<double> value = features->Feature(target == options_.targets.end() ? "" : target->second);
  if (!value) return;
  Series* row = FindOrAdmit(key, std::abs(*value));
  if (row == nullptr) return;
  row->view = features->view;
  row->activity += kActivityStep * (std::abs(*value) - row->activity);
  const auto same = std::find_if(row->actuals.rbegin(), row->actuals.rend(),
                                 [&](const Actual& actual) { return actual.ds == features->ds; });
  if (same != row->actuals.rend()) {
    if (features->revision < same->revision) return;
    same->value = *value;
    same->revision = features->revision;
  } else {
    row->actuals.push_back({features->ds, *value, features->revision});
    if (row->actuals.size() > options_.actuals_max) row->actuals.pop_front();
    row->open.reset();
    row->surprise_due = true;
  }
  events_.Append(
      "bucket", key,
      std::make_shared<const std::string>(fmt::format(R"({{"series":{},"bucket":{}}})", Quoted(key),
                                                      ActualJson(features->ds, *value, features->revision))));
}

void LiveView::OnAlert(const OutputRecord& record) {
  Json value = Json::parse(*record.value, nullptr, false);
  if (!value.is_object()) return;
  if (value.contains("data") && value["data"].is_object()) value = Json(value["data"]);  // the CloudEvents envelope
  const std::string id = TextOf(value, "id");
  if (id.empty()) return;
  std::string series = record.key;
  if (record.topic == alerts_state_topic_) {  // keyed by fingerprint
    series = value.contains("labels") ? TextOf(value["labels"], "unique_id") : "";
  }
  value["series"] = series;
  const bool firing = TextOf(value, "status") != "resolved";
  Text text = std::make_shared<const std::string>(Dump(value));
  const std::string episode = id.substr(0, id.rfind('/'));
  const auto same = std::ranges::find(alerts_, episode, &AlertRow::episode);
  if (same != alerts_.end()) {
    // The state topic says the same again, except for the key: the series of the first word stands.
    if (record.topic == alerts_state_topic_ && same->firing == firing) return;
    if (*same->json == *text) return;
    if (!firing) {
      // What the page tells of an episode is how it began; the end adds only that it is over.
      Json began = Json::parse(*same->json, nullptr, false);
      for (const char* name : {"id", "revision", "status", "endsAt"}) {
        if (value.contains(name)) began[name] = value[name];
      }
      text = std::make_shared<const std::string>(Dump(began));
    }
    same->firing = firing;
    same->json = text;
  } else {
    alerts_.push_back({episode, series, firing, text});
    if (alerts_.size() > options_.alerts_max) {
      // The oldest one that is over goes first; a firing one only when all are firing.
      const auto over = std::ranges::find(alerts_, false, &AlertRow::firing);
      alerts_.erase(over == alerts_.end() ? alerts_.begin() : over);
    }
  }
  events_.Append("alert", "", text);
}

void LiveView::OnStatus(const LiveStatus& status) {
  const std::lock_guard lock(mutex_);
  status_ = status;
  status_at_ = clock_.Now();
  status_changed_ = true;
}

void LiveView::OnOpenBucket(const std::string& series, EventTime bucket_start, double value) {
  const std::lock_guard lock(mutex_);
  const auto it = series_.find(series);
  if (it == series_.end()) return;
  std::string start = UtcText(bucket_start);
  Series& row = it->second;
  if (row.open && row.open->first == start && row.open->second == value) return;
  row.open = {std::move(start), value};
  row.open_changed = true;
}

void LiveView::Tick() {
  RefreshSurprises();
  bool published = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [key, row] : series_) {
      if (!row.open_changed) continue;
      row.open_changed = false;
      if (!row.open) continue;
      events_.Append(
          "open", key,
          std::make_shared<const std::string>(fmt::format(R"({{"series":{},"start":{},"value":{}}})", Quoted(key),
                                                          Quoted(row.open->first), Number(row.open->second))));
      published = true;
    }
  }
  bool status_changed = false;
  bool movers_changed = false;
  bool trends_changed = false;
  {
    const std::lock_guard lock(mutex_);
    std::swap(status_changed, status_changed_);
    if (++ticks_ % kMoversEveryTicks == 0) {
      std::swap(movers_changed, movers_changed_);
      trends_changed = trends_.TakeChanged();
    }
  }
  if (status_changed) events_.Append("status", "", std::make_shared<const std::string>(StatusJson()));
  if (movers_changed) events_.Append("movers", "", std::make_shared<const std::string>(MoversJson(kMoversPublished)));
  if (trends_changed) events_.Append("trends", "", std::make_shared<const std::string>(trends_.BoardJson(kTrendsPublished)));
  if (published || status_changed || movers_changed || trends_changed) events_.Notify();
}

// 1. Under the lock: copy the last actual of series that are due, and pointers to their newest forecasts.
// 2. Without it: parse, find the forecast whose first step is that bucket, standardise.
// 3. Under the lock: put the result back.
void LiveView::RefreshSurprises() {
  struct Due {
    std::string key;
    Actual actual;
    std::vector<Text> forecasts;  // newest first
  };
  std::vector<Due> due;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [key, row] : series_) {
      if (!row.surprise_due || due.size() >= kForecastsParsedATick) continue;
      row.surprise_due = false;
      if (row.actuals.empty()) continue;
      Due one{key, row.actuals.back(), {}};
      if (row.forecast) one.forecasts.push_back(row.forecast);
      for (auto it = row.past.rbegin(); it != row.past.rend() && one.forecasts.size() < 3; ++it)
        one.forecasts.push_back(*it);
      due.push_back(std::move(one));
    }
  }
  for (Due& one : due) {
    for (const Text& text : one.forecasts) {
      const Json forecast = Json::parse(*text, nullptr, false);
      if (!forecast.is_object() || !forecast.contains("ds") || !forecast.contains("quantiles")) continue;
      if (!forecast["ds"].is_array() || forecast["ds"].empty() || forecast["ds"][0] != one.actual.ds) continue;
      const Json& quantiles = forecast["quantiles"];
      if (!quantiles.is_object()) continue;
      Surprise found{
          one.actual.value, FirstOf(quantiles, "0.5"), FirstOf(quantiles, "0.1"), FirstOf(quantiles, "0.9"), 0,
          one.actual.ds};
      // Half the width of the 80 % interval is 1.2816 standard deviations of a normal; never below half a unit, so that
      // a series of zeros is not infinitely surprised by a single sale.
      const double deviation = std::max((found.high - found.low) / 2.5631, .5);
      found.z = (found.actual - found.expected) / deviation;
      if (!std::isfinite(found.z)) break;
      const std::lock_guard lock(mutex_);
      const auto it = series_.find(one.key);
      if (it != series_.end()) it->second.surprise = std::move(found);
      movers_changed_ = true;
      break;
    }
  }
}

bool LiveView::ready() const {
  const std::lock_guard lock(mutex_);
  return status_.ready;
}

std::string LiveView::state() const {
  const std::lock_guard lock(mutex_);
  return status_.state;
}

Duration LiveView::status_age() const {
  const std::lock_guard lock(mutex_);
  return clock_.Now() - status_at_;
}

size_t LiveView::series_count() const {
  const std::lock_guard lock(mutex_);
  return series_.size();
}

std::string LiveView::StatusJson() const {
  const std::lock_guard lock(mutex_);
  Json json;
  json["state"] = status_.state;
  json["ready"] = status_.ready;
  json["events_read"] = status_.events_read;
  json["events_accepted"] = status_.events_accepted;
  json["events_per_second"] = status_.events_per_second;
  json["returns"] = status_.returns;
  json["late_revised"] = status_.late_revised;
  json["too_late"] = status_.too_late;
  json["dead_lettered"] = status_.dead_lettered;
  json["duplicates"] = status_.duplicates;
  json["forecasts"] = status_.forecasts;
  json["alerts"] = status_.alerts;
  json["alerts_firing"] = status_.alerts_firing;
  json["series"] = status_.series;
  json["epochs"] = status_.epochs;
  json["watermark"] = status_.watermark.IsFinite() ? Json(UtcText(status_.watermark)) : Json(nullptr);
  Json figures = Json::object();
  for (const auto& [name, value] : status_.figures) figures[name] = std::isfinite(value) ? Json(value) : Json(nullptr);
  json["figures"] = std::move(figures);
  Json weights = Json::object();
  for (const auto& [name, value] : status_.expert_weights)
    weights[name] = std::isfinite(value) ? Json(value) : Json(nullptr);
  json["expert_weights"] = std::move(weights);
  json["age_ms"] = (clock_.Now() - status_at_).count() / 1000;
  return Dump(json);
}

std::optional<std::string> LiveView::SeriesJson(const std::string& series, size_t history, size_t past) const {
  const std::lock_guard lock(mutex_);
  const auto it = series_.find(series);
  if (it == series_.end()) return std::nullopt;
  const Series& row = it->second;
  std::string out = fmt::format(R"({{"series":{},"view":{},"forecast":{},"actuals":[)", Quoted(series),
                                Quoted(row.view), row.forecast ? *row.forecast : "null");
  const size_t skip = row.actuals.size() - std::min(history, row.actuals.size());
  for (size_t i = skip; i < row.actuals.size(); ++i) {
    if (i > skip) out += ',';
    out += ActualJson(row.actuals[i].ds, row.actuals[i].value, row.actuals[i].revision);
  }
  out += "],\"past\":[";
  const size_t past_skip = row.past.size() - std::min(past, row.past.size());
  for (size_t i = past_skip; i < row.past.size(); ++i) {
    if (i > past_skip) out += ',';
    out += *row.past[i];
  }
  out += "],\"open\":";
  out += row.open ? fmt::format(R"({{"start":{},"value":{}}})", Quoted(row.open->first), Number(row.open->second))
                  : "null";
  out += ",\"alerts\":[";
  bool first = true;
  for (const AlertRow& alert : alerts_) {
    if (alert.series != series) continue;
    if (!first) out += ',';
    first = false;
    out += *alert.json;
  }
  out += "]}";
  return out;
}

std::string LiveView::ForecastsJson(const std::string& after, size_t limit) const {
  const std::lock_guard lock(mutex_);
  std::string out = "{\"items\":[";
  std::string next;
  size_t count = 0;
  for (auto it = after.empty() ? series_.begin() : series_.upper_bound(after); it != series_.end(); ++it) {
    if (!it->second.forecast) continue;
    if (count == limit) {
      out += "],\"next\":" + Quoted(next) + "}";
      return out;
    }
    if (count++ > 0) out += ',';
    out += fmt::format(R"({{"series":{},"forecast":{}}})", Quoted(it->first), *it->second.forecast);
    next = it->first;
  }
  out += "],\"next\":null}";
  return out;
}

std::string LiveView::AlertsJson(std::string_view status, const std::string& series, size_t limit) const {
  const std::lock_guard lock(mutex_);
  std::string out = "{\"items\":[";
  size_t total = 0;
  for (auto it = alerts_.rbegin(); it != alerts_.rend(); ++it) {
    if (status == "firing" && !it->firing) continue;
    if (status == "resolved" && it->firing) continue;
    if (!series.empty() && it->series != series) continue;
    if (++total > limit) continue;
    if (total > 1) out += ',';
    out += *it->json;
  }
  out += fmt::format("],\"total\":{}}}", total);
  return out;
}

std::string LiveView::SeriesRowJson(const std::string& key, const Series& row) const {
  std::string out = fmt::format(R"({{"series":{},"activity":{},"forecast":{})", Quoted(key), Number(row.activity),
                                row.forecast != nullptr);
  if (!row.actuals.empty()) {
    out += fmt::format(R"(,"ds":{},"y":{})", Quoted(row.actuals.back().ds), Number(row.actuals.back().value));
  }
  if (row.surprise) {
    out += fmt::format(R"(,"surprise":{{"ds":{},"y":{},"expected":{},"low":{},"high":{},"z":{}}})",
                       Quoted(row.surprise->ds), Number(row.surprise->actual), Number(row.surprise->expected),
                       Number(row.surprise->low), Number(row.surprise->high), Number(row.surprise->z));
  }
  return out + "}";
}

std::string LiveView::SeriesListJson(const std::string& search, SeriesOrder order, size_t limit) const {
  const std::string wanted = Lower(search);
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<double, const std::pair<const std::string, Series>*>> rows;
  for (const auto& entry : series_) {
    if (!wanted.empty() && Lower(entry.first).find(wanted) == std::string::npos) continue;
    double rank = 0;
    if (order == SeriesOrder::kBusiest) rank = entry.second.activity;
    if (order == SeriesOrder::kMovers) {
      if (!entry.second.surprise) continue;
      rank = std::abs(entry.second.surprise->z);
    }
    rows.emplace_back(rank, &entry);
  }
  std::ranges::stable_sort(rows, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string out = "{\"items\":[";
  for (size_t i = 0; i < rows.size() && i < limit; ++i) {
    if (i > 0) out += ',';
    out += SeriesRowJson(rows[i].second->first, rows[i].second->second);
  }
  out += fmt::format("],\"total\":{}}}", rows.size());
  return out;
}

std::string LiveView::MoversJson(size_t limit) const { return SeriesListJson("", SeriesOrder::kMovers, limit); }

}  // namespace tidecast
