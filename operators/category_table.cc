#include "operators/category_table.h"

#include <algorithm>

#include "operators/window_keys.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

std::string CategoryTable::Key(uint32_t id, const Entry& entry) {
  return KeyWriter()
      .U8(static_cast<uint8_t>(WindowTable::kCategory))
      .U32(id)
      .Time(entry.valid_from)
      .Time(entry.announced)
      .Raw(entry.category)
      .Take();
}

bool CategoryTable::Insert(uint32_t id, Entry entry) {
  std::vector<Entry>& entries = entries_[id];
  const auto at = std::lower_bound(entries.begin(), entries.end(), entry);
  if (at != entries.end() && *at == entry) return false;
  entries.insert(at, std::move(entry));
  return true;
}

void CategoryTable::Add(uint32_t id, const Event& fact) {
  const std::string_view category = fact.texts[static_cast<size_t>(TextField::kCategory)];
  if (category.empty()) return;
  Entry entry{fact.valid_from == EventTime::Min() ? fact.time : fact.valid_from, fact.time, std::string(category)};
  if (Insert(id, entry)) added_.emplace_back(id, std::move(entry));
}

std::string_view CategoryTable::At(uint32_t id, EventTime time) const {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return {};
  const std::vector<Entry>& entries = found->second;
  for (auto at = entries.rbegin(); at != entries.rend(); ++at) {
    if (at->valid_from <= time && at->announced <= time) return at->category;
  }
  return {};
}

void CategoryTable::Expire(EventTime watermark) {
  if (!watermark.IsFinite()) return;
  const EventTime before = watermark - kKeep;
  // A look at all of them now and then is enough.
  if (expired_to_.IsFinite() && before - expired_to_ < kKeep / 8) return;
  expired_to_ = before;
  for (auto& [id, entries] : entries_) {
    size_t drop = 0;
    while (drop + 1 < entries.size() && std::max(entries[drop + 1].valid_from, entries[drop + 1].announced) <= before)
      ++drop;
    for (size_t i = 0; i < drop; ++i) deleted_.push_back(Key(id, entries[i]));
    entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(drop));
  }
}

void CategoryTable::Save(DeltaSink& out) {
  for (const auto& [id, entry] : added_) out.Put(Family::kPanes, Key(id, entry), ByteWriter().U8(kVersion).view());
  for (const std::string& key : deleted_) out.Delete(Family::kPanes, key);
  added_.clear();
  deleted_.clear();
}

Status CategoryTable::Load(std::string_view key, std::string_view bytes) {
  KeyReader reader(key);
  const uint32_t id = reader.U32();
  Entry entry;
  entry.valid_from = reader.Time();
  entry.announced = reader.Time();
  entry.category = reader.Rest();
  if (!reader.ok() || entry.category.empty()) return Status(Code::kCorruption, "a stored category has no name");
  ByteReader value(bytes);
  if (const uint8_t version = value.U8(); version != kVersion) {
    return Status(Code::kVersion,
                  fmt::format("a stored category has format {}, this build reads {}", version, kVersion));
  }
  TC_RETURN_IF_ERROR(value.Finish("category"));
  Insert(id, std::move(entry));
  return Status::Ok();
}

void CategoryTable::Clear() {
  entries_.clear();
  added_.clear();
  deleted_.clear();
  expired_to_ = EventTime::Min();
}

size_t CategoryTable::memory_bytes() const {
  size_t bytes = 0;
  for (const auto& [id, entries] : entries_) {
    bytes += 64;
    for (const Entry& entry : entries) bytes += sizeof(Entry) + entry.category.capacity();
  }
  return bytes;
}

}  // namespace tidecast
