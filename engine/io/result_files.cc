#include "engine/io/result_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "engine/core/hash.h"
#include "engine/io/text_file.h"

namespace tidecast {
namespace {

/// RFC 4180: quoted only where it must be.
void AppendField(std::string_view text, std::string* out) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos && !text.starts_with(' ') && !text.ends_with(' ')) {
    out->append(text);
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

/// Shortest text that reads back to the same bits; empty for NaN.
template <typename Float>
void AppendNumber(Float value, std::string* out) {
  if (std::isnan(value)) return;
  char digits[32];
  if (std::abs(value) < Float{1e15} && value == static_cast<Float>(static_cast<int64_t>(value))) {
    out->append(digits, std::to_chars(digits, digits + sizeof digits, static_cast<int64_t>(value)).ptr);
  } else {
    out->append(digits, fmt::format_to(digits, "{}", value));
  }
}

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k)
      word = word << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (size_t k = 0; k < 4; ++k) out.push_back(i + k <= bytes.size() ? kLetters[word >> (18 - 6 * k) & 63] : '=');
  }
  return out;
}

bool IsUtf8(std::string_view text) {
  try {
    (void)nlohmann::json(text).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

std::string_view HeaderOf(const OutputRecord& record, std::string_view name) {
  // The last one of that name is ours: what the input brought stands before it.
  for (auto header = record.headers.rbegin(); header != record.headers.rend(); ++header) {
    if (header->name == name) return header->value;
  }
  return {};
}

}  // namespace

ResultFiles::ResultFiles(Options options) : options_(std::move(options)), views_(options_.views.size()) {
  for (const View& view : options_.views) reconciled_ = reconciled_ || view.reconciled;
}

ResultFiles::~ResultFiles() = default;

Result<std::unique_ptr<ResultFiles>> ResultFiles::Create(Options options) {
  TC_CHECK(!options.views.empty());
  TC_RETURN_IF_ERROR(MakeOutputDirectory(options.directory));
  // Written last, it says that the folder is whole: one of an earlier run must not say so of this one.
  std::error_code none;
  std::filesystem::remove(options.directory + "/summary.json", none);
  std::unique_ptr<ResultFiles> files(new ResultFiles(std::move(options)));
  const std::string base = files->options_.directory + "/";
  const bool gzip = files->options_.gzip;
  const std::string csv = gzip ? ".csv.gz" : ".csv";
  for (size_t v = 0; v < files->options_.views.size(); ++v) {
    const View& view = files->options_.views[v];
    TC_ASSIGN_OR_RETURN(auto file, TextFile::Create(base + "features" + (v == 0 ? "" : "." + view.name) + csv, gzip));
    std::string header = "unique_id,ds";
    for (const std::string& feature : view.features) AppendField(feature, &header.append(","));
    file->Write(header + '\n');
    files->features_.push_back(std::move(file));
  }
  if (files->options_.forecasts) {
    TC_ASSIGN_OR_RETURN(files->forecasts_, TextFile::Create(base + "forecasts" + csv, gzip));
    std::string header = "unique_id,ds,cutoff,mean";
    for (const float level : kLevels) header += fmt::format(",q{}", level);
    if (files->reconciled_) header += ",mean_bottom_up,mean_reconciled";
    files->forecasts_->Write(header + '\n');
    TC_ASSIGN_OR_RETURN(files->trends_, TextFile::Create(base + "trends" + csv, gzip));
    header = "unique_id,cutoff,phase";
    for (const std::string_view column : kTrendColumns) header.append(",").append(column);
    files->trends_->Write(header + '\n');
  } else {
    for (const char* name : {"forecasts", "trends"}) std::filesystem::remove(base + name + csv, none);
  }
  TC_ASSIGN_OR_RETURN(files->alerts_, TextFile::Create(base + "alerts.jsonl", false));
  TC_ASSIGN_OR_RETURN(files->late_, TextFile::Create(base + "late.jsonl", false));
  TC_ASSIGN_OR_RETURN(files->dead_, TextFile::Create(base + "dlq.jsonl", false));
  return files;
}

std::string ResultFiles::UniqueId(uint16_t view, std::string_view series) const {
  if (options_.views.size() == 1) return std::string(series);
  return fmt::format("{}/{}", options_.views[view].name, series);
}

void ResultFiles::OnBucket(const ClosedBucket& bucket, std::string_view ds) {
  TC_CHECK_LT(bucket.view, views_.size());
  TC_CHECK_EQ(bucket.features.size(), options_.views[bucket.view].features.size());
  ViewRows& view = views_[bucket.view];
  const auto [place, fresh] =
      view.ids.try_emplace(std::string(bucket.series), static_cast<uint32_t>(view.names.size()));
  if (fresh) view.names.emplace_back(bucket.series);
  FeatureBucket& rows = view.buckets[bucket.start];
  if (rows.ds.empty()) rows.ds = ds;
  rows.rows.push_back({place->second, bucket.revision});
  rows.values.insert(rows.values.end(), bucket.features.begin(), bucket.features.end());
}

bool ResultFiles::ViewRows::Place::Advance(EventTime to_cutoff, std::string_view to_series) {
  if (to_cutoff < cutoff || (to_cutoff == cutoff && to_series <= series)) return false;
  cutoff = to_cutoff;
  series = to_series;
  return true;
}

void ResultFiles::OnForecast(uint16_t view, const SeriesForecast& forecast, EventTime cutoff_start,
                             std::string_view cutoff, std::span<const std::string> steps, const RollupMeans& means) {
  TC_CHECK_LT(view, views_.size());
  TC_CHECK_LE(forecast.mean.size(), steps.size());
  TC_CHECK_EQ(forecast.quantiles.size(), forecast.mean.size() * kLevelCount);
  if (forecasts_ == nullptr || !views_[view].forecast.Advance(cutoff_start, forecast.series)) return;
  line_.clear();
  for (size_t h = 0; h < forecast.mean.size(); ++h) {
    AppendField(UniqueId(view, forecast.series), &line_);
    line_.append(",").append(steps[h]).append(",").append(cutoff).push_back(',');
    AppendNumber(forecast.mean[h], &line_);
    for (size_t level = 0; level < kLevelCount; ++level) {
      line_.push_back(',');
      AppendNumber(forecast.quantiles[h * kLevelCount + level], &line_);
    }
    for (const std::span<const float> mean : {means.bottom_up, means.reconciled}) {
      if (!reconciled_) break;
      line_.push_back(',');
      if (!mean.empty()) AppendNumber(mean[h], &line_);
    }
    line_.push_back('\n');
  }
  forecasts_->Write(line_);
}

void ResultFiles::OnTrend(uint16_t view, std::string_view series, EventTime cutoff_start, std::string_view cutoff,
                          std::string_view phase, std::span<const double, kTrendColumns.size()> numbers) {
  TC_CHECK_LT(view, views_.size());
  if (trends_ == nullptr || !views_[view].trend.Advance(cutoff_start, series)) return;
  line_.clear();
  AppendField(UniqueId(view, series), &line_);
  line_.append(",").append(cutoff).append(",").append(phase);
  for (const double number : numbers) {
    line_.push_back(',');
    AppendNumber(static_cast<float>(number), &line_);
  }
  line_.push_back('\n');
  trends_->Write(line_);
}

void ResultFiles::OnAlert(std::string_view id, std::string_view json) {
  if (!alert_ids_.emplace(id).second) return;
  alerts_->Write(json);
  alerts_->Write("\n");
}

void ResultFiles::WriteRejected(TextFile& file, const OutputRecord& record) {
  const std::string_view content_id = HeaderOf(record, "tidecast_content_id");
  if (!content_id.empty() && !rejected_.insert(Hash64(content_id)).second) return;
  const auto number = [&](std::string_view name) {
    const std::string_view text = HeaderOf(record, name);
    int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  nlohmann::ordered_json json;
  json["topic"] = HeaderOf(record, "__connect.errors.topic");
  json["partition"] = number("__connect.errors.partition");
  json["offset"] = number("__connect.errors.offset");
  json["reason"] = HeaderOf(record, "tidecast_reason");
  json["detail"] = HeaderOf(record, "__connect.errors.exception.message");
  const std::string_view happened = HeaderOf(record, "tidecast_event_time");
  if (!happened.empty()) json["event_time"] = happened;
  const std::string_view watermark = HeaderOf(record, "tidecast_watermark");
  if (!watermark.empty()) json["watermark"] = watermark;
  json["key"] = record.key;
  if (!record.value) {
    json["value"] = nullptr;
  } else if (IsUtf8(*record.value)) {
    json["value"] = *record.value;
  } else {
    json["value_base64"] = Base64(*record.value);
  }
  file.Write(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n');
}

void ResultFiles::OnLate(const OutputRecord& record) { WriteRejected(*late_, record); }
void ResultFiles::OnDeadLetter(const OutputRecord& record) { WriteRejected(*dead_, record); }

Status ResultFiles::WriteFeatures(size_t v) {
  ViewRows& view = views_[v];
  const size_t width = options_.views[v].features.size();
  std::vector<size_t> order;
  for (auto& [start, bucket] : view.buckets) {
    order.resize(bucket.rows.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    // By series; of one series the last revision first, and of two with that number the one that came last.
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      const FeatureRow& left = bucket.rows[a];
      const FeatureRow& right = bucket.rows[b];
      if (left.series != right.series) return view.names[left.series] < view.names[right.series];
      if (left.revision != right.revision) return left.revision > right.revision;
      return a > b;
    });
    line_.clear();
    for (size_t i = 0; i < order.size(); ++i) {
      const FeatureRow& row = bucket.rows[order[i]];
      if (i > 0 && bucket.rows[order[i - 1]].series == row.series) continue;
      AppendField(view.names[row.series], &line_);
      line_.append(",").append(bucket.ds);
      for (size_t f = 0; f < width; ++f) {
        line_.push_back(',');
        AppendNumber(bucket.values[order[i] * width + f], &line_);
      }
      line_.push_back('\n');
    }
    features_[v]->Write(line_);
    TC_RETURN_IF_ERROR(features_[v]->status());
  }
  view.buckets.clear();
  return features_[v]->Close();
}

Status ResultFiles::Finish(std::string_view summary_json) {
  for (size_t v = 0; v < views_.size(); ++v) TC_RETURN_IF_ERROR(WriteFeatures(v));
  for (TextFile* file : {forecasts_.get(), trends_.get(), alerts_.get(), late_.get(), dead_.get()}) {
    if (file != nullptr) TC_RETURN_IF_ERROR(file->Close());
  }
  TC_ASSIGN_OR_RETURN(auto file, TextFile::Create(options_.directory + "/summary.json", false));
  file->Write(summary_json);
  if (!summary_json.ends_with('\n')) file->Write("\n");
  return file->Close();
}

}  // namespace tidecast
