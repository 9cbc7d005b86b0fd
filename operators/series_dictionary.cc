#include "operators/series_dictionary.h"

#include <algorithm>
#include <array>
#include <span>

#include "operators/window_keys.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 3;        // before it each name had a row
constexpr uint8_t kBirthsVersion = 1;  // had no signs
constexpr size_t kRowBytes = 64;
constexpr size_t kTimeBytes = 5;  // as most differences are stored
// Ids whose rows of older formats one Save carries over, each with a deletion: a few milliseconds of an epoch.
constexpr size_t kCarriedIds = 1024;
constexpr size_t kAhead = 16;

constexpr size_t RoomIn(size_t slots) { return slots / 4 * 3; }

std::string RowKey(uint32_t first) {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kSeries)).U32(first).Take();
}

// Most series of a block are as old as their neighbours.
void EncodeTimes(std::span<const EventTime> times, ByteWriter& value) {
  uint64_t last = 0;
  for (const EventTime time : times) {
    const auto us = static_cast<uint64_t>(time.us);
    value.SignedVarint(static_cast<int64_t>(us - last));
    last = us;
  }
}

void DecodeTimes(ByteReader& value, std::span<EventTime> times) {
  uint64_t last = 0;
  for (EventTime& time : times) {
    last += static_cast<uint64_t>(value.SignedVarint());
    time.us = static_cast<int64_t>(last);
  }
}

}  // namespace

void SeriesDictionary::GrowSlots() {
  std::vector<Slot> slots(slots_.size() * 2);
  const size_t mask = slots.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.id == kNobody) continue;
    size_t at = slot.hash & mask;
    while (slots[at].id != kNobody) at = (at + 1) & mask;
    slots[at] = slot;
  }
  slots_.swap(slots);
}

uint32_t SeriesDictionary::Add(std::string_view name, uint32_t hash) {
  TC_CHECK_LT(names_.size(), size_t{kNobody});
  const auto id = static_cast<uint32_t>(names_.size());
  if (names_.size() >= RoomIn(slots_.size())) GrowSlots();
  names_.Add(name);
  slots_[SlotOf(name, hash)] = {hash, id};
  for (std::vector<EventTime>& births : births_) births.push_back(EventTime::Max());
  for (std::vector<EventTime>& signs : signs_) signs.push_back(EventTime::Min());
  if (id / kBlockIds == blocks_.size()) blocks_.push_back(0);
  MarkDirty(id);
  return id;
}

void SeriesDictionary::MarkBlockDirty(uint32_t block) {
  uint8_t& flags = blocks_[block];
  if ((flags & kDirty) != 0) return;
  if ((flags & kOldRows) != 0) ++dirty_old_blocks_;
  flags |= kDirty;
  dirty_blocks_.push_back(block);
}

void SeriesDictionary::SetBirth(size_t view, uint32_t id, EventTime bucket_start) {
  births_[view][id] = bucket_start;
  MarkDirty(id);
}

void SeriesDictionary::Retire(size_t view, uint32_t id) {
  births_[view][id] = EventTime::Max();
  signs_[view][id] = EventTime::Min();
  MarkDirty(id);
}

size_t SeriesDictionary::born(size_t view) const {
  return static_cast<size_t>(
      std::count_if(births_[view].begin(), births_[view].end(), [](EventTime t) { return t != EventTime::Max(); }));
}

const std::vector<uint32_t>& SeriesDictionary::Order() {
  const size_t known = order_.size();
  if (known == names_.size()) return order_;
  for (size_t id = known; id < names_.size(); ++id) order_.push_back(static_cast<uint32_t>(id));
  const auto by_name = [this](uint32_t a, uint32_t b) { return names_[a] < names_[b]; };
  const auto middle = order_.begin() + static_cast<ptrdiff_t>(known);
  std::sort(middle, order_.end(), by_name);
  std::inplace_merge(order_.begin(), middle, order_.end(), by_name);
  ranks_.resize(order_.size());
  for (size_t i = 0; i < order_.size(); ++i) ranks_[order_[i]] = static_cast<uint32_t>(i);
  return order_;
}

uint32_t SeriesDictionary::RowEnd(uint32_t first) const {
  const size_t end = std::min(names_.size(), (size_t{first} / kBlockIds + 1) * kBlockIds);
  size_t bytes = names_[first].size();
  size_t id = first + size_t{1};
  while (id < end && (bytes += names_[id].size()) <= kRowNameBytes) ++id;
  return static_cast<uint32_t>(id);
}

void SeriesDictionary::SaveBlock(uint32_t block, ByteWriter& value, DeltaSink& out) {
  const uint32_t begin = block * kBlockIds;
  const auto end = static_cast<uint32_t>(std::min(names_.size(), size_t{begin} + kBlockIds));
  const uint32_t old_end = (blocks_[block] & kOldRows) != 0 ? std::min(end, old_end_) : begin;
  for (uint32_t first = begin; first < end;) {
    const uint32_t row_end = RowEnd(first);
    value.Clear();
    value.U8(kVersion).Varint(births_.size()).Varint(row_end - first);
    for (uint32_t id = first; id < row_end; ++id) value.Varint(names_[id].size());
    for (uint32_t id = first; id < row_end; ++id) value.Raw(names_[id]);
    for (size_t view = 0; view < births_.size(); ++view) {
      EncodeTimes(std::span(births_[view]).subspan(first, row_end - first), value);
      EncodeTimes(std::span(signs_[view]).subspan(first, row_end - first), value);
    }
    out.Put(Family::kPanes, RowKey(first), value.view());
    for (uint32_t id = first + 1; id < std::min(row_end, old_end); ++id) out.Delete(Family::kPanes, RowKey(id));
    first = row_end;
  }
  blocks_[block] = 0;
}

void SeriesDictionary::Save(DeltaSink& out) {
  for (size_t ids = 0; ids < kCarriedIds && uint64_t{old_block_} * kBlockIds < old_end_; ++old_block_) {
    if ((blocks_[old_block_] & kOldRows) == 0) continue;
    MarkBlockDirty(old_block_);
    ids += kBlockIds;
  }
  std::sort(dirty_blocks_.begin(), dirty_blocks_.end());
  ByteWriter value;
  for (const uint32_t block : dirty_blocks_) SaveBlock(block, value, out);
  dirty_blocks_.clear();
  dirty_old_blocks_ = 0;
}

Status SeriesDictionary::Damaged(uint32_t id, size_t views) const {
  return Status(Code::kCorruption, fmt::format("the dictionary of series is damaged: row {} of {}, views {} of {}", id,
                                               names_.size(), views, births_.size()))
      .WithRemedy("restore the task from its changelog, or reset its state after a change of views");
}

// The reader stands behind the name's views.
void SeriesDictionary::LoadOldName(std::string_view name, uint8_t version, ByteReader& value) {
  names_.Add(name);
  for (size_t view = 0; view < births_.size(); ++view) {
    births_[view].push_back(value.Time());
    // The oldest knew births alone: from there on the time runs anew.
    signs_[view].push_back(version == kBirthsVersion ? births_[view].back() : value.Time());
  }
  old_end_ = static_cast<uint32_t>(names_.size());
}

// The reader stands behind the count.
void SeriesDictionary::LoadNames(size_t count, ByteReader& value) {
  const size_t known = names_.size();
  std::array<size_t, kBlockIds> sizes;
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) bytes += sizes[i] = value.Count();
  const std::string_view together = value.Raw(bytes);
  if (!value.ok()) return;
  const char* at = together.data();
  for (size_t i = 0; i < count; at += sizes[i], ++i) names_.Add({at, sizes[i]});
  for (size_t view = 0; view < births_.size(); ++view) {
    births_[view].resize(known + count);
    DecodeTimes(value, std::span(births_[view]).subspan(known));
    signs_[view].resize(known + count);
    DecodeTimes(value, std::span(signs_[view]).subspan(known));
  }
}

// `row_begin` is the id that the last row begins at.
Status SeriesDictionary::LoadRow(std::string_view key, std::string_view bytes, uint32_t* row_begin) {
  KeyReader at(key);
  const uint32_t id = at.U32();
  ByteReader value(bytes);
  const uint8_t version = value.U8();
  if (version < kBirthsVersion || version > kVersion)
    return Status(Code::kVersion, fmt::format("a series name has format {}, this build reads {}", version, kVersion));
  const bool is_old = version < kVersion;
  const std::string_view old_name = is_old ? value.Bytes() : std::string_view();
  const size_t views = value.Count(is_old ? sizeof(EventTime) : 2);
  const size_t count = is_old ? 1 : value.Count(1 + 2 * views);
  const size_t known = names_.size();
  const uint32_t place = id % kBlockIds;
  if (!at.AtEnd() || id != known || !value.ok() || views != births_.size() || count == 0 || count > kBlockIds - place)
    return Damaged(id, views);
  if (place == 0) blocks_.push_back(is_old ? kOldRows : 0);
  if (((blocks_.back() & kOldRows) != 0) != is_old) return Damaged(id, views);
  if (is_old) {
    LoadOldName(old_name, version, value);
  } else {
    LoadNames(count, value);
  }
  TC_RETURN_IF_ERROR(value.Finish("series name"));
  for (std::vector<EventTime>& signs : signs_) {
    for (EventTime& sign : std::span(signs).subspan(known)) sign = sign == EventTime::Max() ? EventTime::Min() : sign;
  }
  // Where Save would write rows that end elsewhere, some of these would be left behind.
  if (!is_old && (RowEnd(id) != names_.size() || (place != 0 && RowEnd(*row_begin) != id))) return Damaged(id, views);
  *row_begin = id;
  return Status::Ok();
}

Status SeriesDictionary::LoadRows(const StateReader& store) {
  Status failed;
  uint32_t row_begin = 0;
  const std::string prefix = WindowTablePrefix(WindowTable::kSeries);
  TC_RETURN_IF_ERROR(store.Scan(Family::kPanes, prefix, prefix, [&](std::string_view key, std::string_view value) {
    failed = LoadRow(key.substr(prefix.size()), value, &row_begin);
    return failed.ok();
  }));
  TC_RETURN_IF_ERROR(failed);
  return IndexNames();
}

// With all names at hand the table has its size at once, and slots are fetched some names ahead of their use.
Status SeriesDictionary::IndexNames() {
  size_t slots = kSlotsLeast;
  while (RoomIn(slots) < names_.size()) slots *= 2;
  slots_.assign(slots, {});
  std::array<uint32_t, kAhead> hashes;
  for (size_t next = 0; next < names_.size() + kAhead; ++next) {
    if (next >= kAhead) {
      const auto id = static_cast<uint32_t>(next - kAhead);
      const uint32_t hash = hashes[id % kAhead];
      Slot& slot = slots_[SlotOf(names_[id], hash)];
      if (slot.id != kNobody) return Damaged(id, births_.size());  // a name that came before
      slot = {hash, id};
    }
    if (next >= names_.size()) continue;
    hashes[next % kAhead] = HashOf(names_[next]);
    __builtin_prefetch(&slots_[hashes[next % kAhead] & (slots - 1)], 1);
  }
  return Status::Ok();
}

Status SeriesDictionary::Reload(const StateReader& store) {
  *this = SeriesDictionary(births_.size());
  Status loaded = LoadRows(store);
  if (!loaded.ok()) *this = SeriesDictionary(births_.size());
  return loaded;
}

size_t SeriesDictionary::dirty_bytes() const {
  const size_t ids = std::min(dirty_blocks_.size() * kBlockIds, names_.size());
  const size_t name_bytes = names_.empty() ? 0 : names_.name_bytes() / names_.size();
  return dirty_blocks_.size() * kRowBytes + ids * (1 + name_bytes + 2 * kTimeBytes * births_.size()) +
         dirty_old_blocks_ * kBlockIds * kRowBytes;
}

size_t SeriesDictionary::memory_bytes() const {
  const size_t ids = births_.empty() ? 0 : births_.front().capacity();
  return names_.memory_bytes() + slots_.capacity() * sizeof(Slot) + 2 * births_.size() * ids * sizeof(EventTime) +
         (order_.capacity() + ranks_.capacity() + dirty_blocks_.capacity()) * sizeof(uint32_t) + blocks_.capacity();
}

}  // namespace tidecast
