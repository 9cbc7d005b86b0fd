#include "engine/server/live_trends.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

namespace tidecast {
namespace {

using Json = nlohmann::json;

std::string Quoted(std::string_view text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

double NumberOf(const Json& json, const char* name) {
  const auto it = json.find(name);
  return it != json.end() && it->is_number() ? it->get<double>() : std::nan("");
}

}  // namespace

void LiveTrends::OnTrend(const std::string& series, std::string_view value) {
  const Json json = Json::parse(value, nullptr, false);
  if (!json.is_object() || !json.contains("phase") || !json["phase"].is_string()) return;
  Row row{std::string(value), json["phase"].get<std::string>(), NumberOf(json, "p_rise"),
          NumberOf(json, "expected") - NumberOf(json, "last")};
  if (!std::isfinite(row.rise) || !std::isfinite(row.gain)) return;
  const std::lock_guard lock(mutex_);
  rows_.insert_or_assign(series, std::move(row));
  changed_ = true;
  // An eighth at once, so that a full table does not look for its least with every record.
  if (rows_.size() <= series_max_ + series_max_ / 8) return;
  std::vector<std::pair<double, std::string>> by_news;
  by_news.reserve(rows_.size());
  for (const auto& [name, kept] : rows_) by_news.emplace_back(std::abs(kept.rise - .5), name);
  const auto keep = by_news.end() - static_cast<ptrdiff_t>(series_max_);
  std::nth_element(by_news.begin(), keep, by_news.end());
  for (auto at = by_news.begin(); at != keep; ++at) rows_.erase(at->second);
}

void LiveTrends::Erase(const std::string& series) {
  const std::lock_guard lock(mutex_);
  changed_ = rows_.erase(series) > 0 || changed_;
}

std::vector<const std::map<std::string, LiveTrends::Row>::value_type*> LiveTrends::Ranked() const {
  std::vector<const std::map<std::string, Row>::value_type*> ranked;
  ranked.reserve(rows_.size());
  for (const auto& row : rows_) ranked.push_back(&row);
  std::ranges::sort(ranked, [](const auto* a, const auto* b) {
    return std::tie(b->second.rise, b->second.gain, a->first) < std::tie(a->second.rise, a->second.gain, b->first);
  });
  return ranked;
}

std::string LiveTrends::ListJson(std::string_view phase, bool from_the_end, size_t limit) const {
  const std::lock_guard lock(mutex_);
  const auto ranked = Ranked();
  std::string out = "{\"items\":[";
  size_t total = 0;
  for (size_t i = 0; i < ranked.size(); ++i) {
    const size_t rank = from_the_end ? ranked.size() - i : i + 1;
    const auto& [series, row] = *ranked[rank - 1];
    if (!phase.empty() && row.phase != phase) continue;
    if (++total > limit) continue;
    if (total > 1) out += ',';
    out += fmt::format(R"({{"series":{},"rank":{},"trend":{}}})", Quoted(series), rank, row.json);
  }
  return out + fmt::format("],\"total\":{}}}", total);
}

std::string LiveTrends::BoardJson(size_t limit) const {
  return fmt::format(R"({{"rising":{},"fading":{}}})", ListJson("rising", false, limit),
                     ListJson("fading", true, limit));
}

bool LiveTrends::TakeChanged() {
  const std::lock_guard lock(mutex_);
  return std::exchange(changed_, false);
}

}  // namespace tidecast
