#include "operators/bottom_up_table.h"

#include <algorithm>

#include "operators/accumulator.h"
#include "operators/window_keys.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kPartBytes = 128;  // beside its sums: key, nodes, place in the batch

}  // namespace

std::string BottomUpTable::Key(const Series& series, const Place& place) {
  return KeyWriter()
      .U8(static_cast<uint8_t>(WindowTable::kBottomUp))
      .U16(series.first)
      .U16(place.first)
      .Time(place.second)
      .Raw(series.second)
      .Take();
}

void BottomUpTable::Put(const BottomUpShare& share, EventTime closed) {
  const Series series{share.view, std::string(share.key)};
  const Place place{share.upstream, share.start};
  Parts& parts = series_[series];
  // A key without rows is never asked for: what says nothing of a bucket that is still open is of no use to anybody.
  for (auto at = parts.lower_bound({share.upstream, EventTime::Min()});
       at != parts.end() && at->first < place && at->second.end <= closed && at->second.until <= share.start;) {
    at = Erase(series, parts, at);
  }
  Part& part = parts[place];
  part.end = share.end;
  part.until = share.until;
  part.micros = share.micros;
  if (part.dirty) return;
  part.dirty = true;
  dirty_.emplace_back(series, place);
  dirty_bytes_ += kPartBytes + share.key.size() + share.micros.size() * sizeof(int64_t);
}

BottomUpTable::Parts::iterator BottomUpTable::Erase(const Series& series, Parts& parts, Parts::iterator at) {
  if (at->second.stored) {
    deleted_.push_back(Key(series, at->first));
    dirty_bytes_ += deleted_.back().size();
  }
  return parts.erase(at);
}

std::vector<float> BottomUpTable::Take(uint16_t view, std::string_view key, EventTime start, EventTime end,
                                       size_t horizon) {
  const auto of_series = series_.find(Series{view, std::string(key)});
  if (of_series == series_.end()) return {};
  Parts& parts = of_series->second;
  std::vector<int64_t> sum(horizon);
  bool any = false;
  bool silent = false;
  for (auto at = parts.begin(); at != parts.end();) {
    const auto next = std::next(at);
    const bool is_later = at->first.second > start;
    const bool is_last_word = next == parts.end() || next->first.first != at->first.first || next->first.second > start;
    if (is_later) {
      ++at;
      continue;
    }
    if (!is_last_word || at->second.until <= end) {
      at = Erase(of_series->first, parts, at);
      continue;
    }
    if (at->first.second < start || at->second.micros.empty()) {
      silent = true;
    } else {
      any = true;
      for (size_t h = 0; h < std::min(horizon, at->second.micros.size()); ++h) {
        sum[h] = SaturatingAdd(sum[h], at->second.micros[h]);
      }
    }
    ++at;
  }
  if (parts.empty()) series_.erase(of_series);
  if (!any || silent) return {};
  std::vector<float> means(horizon);
  for (size_t h = 0; h < horizon; ++h) means[h] = static_cast<float>(static_cast<double>(sum[h]) / 1e6);
  return means;
}

void BottomUpTable::Save(DeltaSink& out) {
  for (const std::string& key : deleted_) out.Delete(Family::kPanes, key);
  deleted_.clear();
  ByteWriter value;
  for (const auto& [series, place] : dirty_) {
    const auto parts = series_.find(series);
    if (parts == series_.end()) continue;
    const auto at = parts->second.find(place);
    if (at == parts->second.end()) continue;  // let go since
    Part& part = at->second;
    value.Clear();
    value.U8(kVersion).Time(part.end).Time(part.until).Varint(part.micros.size());
    for (const int64_t micros : part.micros) value.SignedVarint(micros);
    out.Put(Family::kPanes, Key(series, place), value.view());
    part.dirty = false;
    part.stored = true;
  }
  dirty_.clear();
  dirty_bytes_ = 0;
}

Status BottomUpTable::Reload(const StateReader& store) {
  series_.clear();
  dirty_.clear();
  deleted_.clear();
  dirty_bytes_ = 0;
  Status inner;
  const std::string table = WindowTablePrefix(WindowTable::kBottomUp);
  TC_RETURN_IF_ERROR(store.Scan(Family::kPanes, table, table, [&](std::string_view key, std::string_view bytes) {
    KeyReader reader(key.substr(table.size()));
    const uint16_t view = reader.U16();
    const uint16_t upstream = reader.U16();
    const EventTime start = reader.Time();
    ByteReader value(bytes);
    if (const uint8_t version = value.U8(); version != kVersion) {
      inner = Status(Code::kVersion,
                     fmt::format("stored sums of forecasts have format {}, this build reads {}", version, kVersion));
      return false;
    }
    Part part;
    part.end = value.Time();
    part.until = value.Time();
    part.micros.resize(value.Count());
    for (int64_t& micros : part.micros) micros = value.SignedVarint();
    part.stored = true;
    series_[{view, std::string(reader.Rest())}][{upstream, start}] = std::move(part);
    inner = value.Finish("stored sums of forecasts");
    return inner.ok();
  }));
  return inner;
}

size_t BottomUpTable::memory_bytes() const {
  size_t bytes = 0;
  for (const auto& [series, parts] : series_) {
    for (const auto& [place, part] : parts)
      bytes += kPartBytes + series.second.size() + part.micros.size() * sizeof(int64_t);
  }
  return bytes;
}

}  // namespace tidecast
