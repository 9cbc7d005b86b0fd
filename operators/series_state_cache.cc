#include "operators/series_state_cache.h"

#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 4;  // reads 1 to 3 too: without life, without trend, without reconciler
constexpr uint8_t kTable = 0xF1;

std::string Key(uint16_t view, std::string_view series) {
  return KeyWriter().U8(kTable).U16(view).Raw(series).Take();
}

}  // namespace

Status SeriesStateCache::Load(std::span<const ModelRow> rows, std::vector<Entry>* entries) const {
  entries->assign(rows.size(), {});
  std::vector<size_t> absent;
  std::vector<std::string> keys;
  for (size_t i = 0; i < rows.size(); ++i) {
    (*entries)[i].partition = rows[i].partition;
    if (const auto slot = slots_.find(rows[i].series); slot != slots_.end()) {
      if (!slot->second.entry.gone) (*entries)[i] = slot->second.entry;
      continue;
    }
    absent.push_back(i);
    keys.push_back(TaskPrefix({stage_, rows[i].partition}) + Key(view_, rows[i].series));
  }
  std::vector<std::string> values(keys.size());
  std::vector<uint8_t> found(keys.size());
  TC_RETURN_IF_ERROR(store_.GetMany(Family::kSeries, keys, values, found));
  for (size_t k = 0; k < absent.size(); ++k) {
    if (found[k] == 0) continue;
    Entry& entry = (*entries)[absent[k]];
    ByteReader bytes(values[k]);
    const uint8_t version = bytes.U8();
    if (version < 1 || version > kVersion) {
      return Status(Code::kVersion, fmt::format("series state has format {}, this build reads {}", version, kVersion));
    }
    entry.age_buckets = bytes.U32();
    if (version > 1) {
      entry.zero_run = bytes.U32();
      entry.dormant_mean = bytes.F32();
      entry.domain = static_cast<ValueDomain>(bytes.U8());
    }
    entry.forecaster = bytes.Bytes();
    entry.alert = bytes.Bytes();
    if (version > 2) entry.trend = bytes.Bytes();
    if (version > 3) entry.reconciler = bytes.Bytes();
    TC_RETURN_IF_ERROR(bytes.Finish("series state"));
  }
  return Status::Ok();
}

void SeriesStateCache::Store(std::string_view series, Entry entry) {
  const auto [at, is_new] = slots_.try_emplace(std::string(series));
  Slot& slot = at->second;
  if (!is_new) bytes_ -= Bytes(slot);
  slot.entry = std::move(entry);
  bytes_ += Bytes(slot);
  if (!slot.dirty) {
    slot.dirty = true;
    dirty_.push_back(at->first);
    dirty_bytes_ += Bytes(slot);
  }
}

void SeriesStateCache::Save(Epoch epoch, StateBatch& out) {
  ByteWriter value;
  for (const std::string& name : dirty_) {
    Slot& slot = slots_.at(name);
    const Entry& entry = slot.entry;
    TaskDeltaSink sink(out, {stage_, entry.partition});
    if (entry.gone) {
      sink.Delete(Family::kSeries, Key(view_, name));
    } else {
      value.Clear();
      value.U8(kVersion).U32(entry.age_buckets).U32(entry.zero_run).F32(entry.dormant_mean).U8(static_cast<uint8_t>(entry.domain));
      value.Bytes(entry.forecaster).Bytes(entry.alert).Bytes(entry.trend).Bytes(entry.reconciler);
      sink.Put(Family::kSeries, Key(view_, name), value.view());
    }
    slot.dirty = false;
    slot.saved_in = epoch;
  }
  for (std::string& name : dirty_) saving_.push_back(std::move(name));
  dirty_.clear();
  dirty_bytes_ = 0;
}

void SeriesStateCache::OnCommitted(Epoch epoch) {
  const bool shrink = bytes_ > bytes_max_;
  std::vector<std::string> still_saving;
  for (std::string& name : saving_) {
    const auto at = slots_.find(name);
    if (at == slots_.end()) continue;
    Slot& slot = at->second;
    if (slot.saved_in > epoch) {
      still_saving.push_back(std::move(name));
      continue;
    }
    if ((shrink || slot.entry.gone) && !slot.dirty) {
      bytes_ -= Bytes(slot);
      slots_.erase(at);
    }
  }
  saving_ = std::move(still_saving);
}

void SeriesStateCache::Forget() {
  slots_.clear();
  dirty_.clear();
  saving_.clear();
  bytes_ = 0;
  dirty_bytes_ = 0;
}

}  // namespace tidecast
