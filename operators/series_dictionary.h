#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/core/hash.h"
#include "engine/core/stateful.h"
#include "engine/core/time.h"
#include "operators/name_list.h"
#include "state/key_codec.h"

namespace tidecast {

/// Interns series names to dense ids (0, 1, 2 ...) of one task, keeps them in name order for closing, and remembers in
/// which bucket a series was born in each view. Ids are never given back. Stored by blocks of `kBlockIds` ids: a start
/// reads each name, and a row of its own would cost it more than the name does. Rows of older formats, one a name, are
/// read; each Save carries some of them over.
/// Thread: confined.
class SeriesDictionary {
 public:
  static constexpr uint32_t kBlockIds = 32;
  /// A row ends before a name that would take it over this: brokers take records of 1 MB.
  static constexpr size_t kRowNameBytes = 64 << 10;

  explicit SeriesDictionary(size_t views) : slots_(kSlotsLeast), births_(views), signs_(views) {}

  std::optional<uint32_t> Find(std::string_view name) const {
    const uint32_t id = slots_[SlotOf(name, HashOf(name))].id;
    return id == kNobody ? std::nullopt : std::optional(id);
  }
  uint32_t Intern(std::string_view name) {
    const uint32_t hash = HashOf(name);
    const uint32_t id = slots_[SlotOf(name, hash)].id;
    return id != kNobody ? id : Add(name, hash);
  }
  size_t size() const { return names_.size(); }
  std::string_view name(uint32_t id) const { return names_[id]; }

  /// Start of the bucket of the first accepted event; Max() before there is one.
  EventTime birth(size_t view, uint32_t id) const { return births_[view][id]; }
  void SetBirth(size_t view, uint32_t id, EventTime bucket_start);
  /// Start of the newest bucket with a sign of life; Min() before there is one. Kept where views let series retire.
  EventTime last_sign(size_t view, uint32_t id) const { return signs_[view][id]; }
  void SetSign(size_t view, uint32_t id, EventTime bucket_start) {
    if (signs_[view][id] >= bucket_start) return;
    signs_[view][id] = bucket_start;
    MarkDirty(id);
  }
  /// The series is over in this view, as if it had never been born.
  void Retire(size_t view, uint32_t id);
  size_t born(size_t view) const;

  /// Ids in the order of their names; merges new ones. Valid until the next Add.
  const std::vector<uint32_t>& Order();
  /// Place of `id` in Order(). REQUIRES: Order() was called since the last Add.
  uint32_t rank(uint32_t id) const { return ranks_[id]; }

  void Save(DeltaSink& out);
  /// Errors: kVersion, kCorruption; then it is empty.
  Status Reload(const StateReader& store);
  size_t memory_bytes() const;
  /// What Save will take, about, without what it carries over: of that alone no epoch is to be full.
  size_t dirty_bytes() const;

 private:
  static constexpr uint32_t kNobody = UINT32_MAX;
  static constexpr size_t kSlotsLeast = 16;
  struct Slot {
    uint32_t hash = 0;
    uint32_t id = kNobody;
  };
  enum BlockFlag : uint8_t { kDirty = 1, kOldRows = 2 };

  static uint32_t HashOf(std::string_view name) { return static_cast<uint32_t>(Hash64(name)); }
  /// Where the name is, or belongs.
  size_t SlotOf(std::string_view name, uint32_t hash) const {
    const size_t mask = slots_.size() - 1;
    size_t at = hash & mask;
    const NameList::Probe probe(name);
    while (slots_[at].id != kNobody && (slots_[at].hash != hash || !names_.Is(slots_[at].id, probe)))
      at = (at + 1) & mask;
    return at;
  }
  void GrowSlots();
  uint32_t Add(std::string_view name, uint32_t hash);
  void MarkDirty(uint32_t id) { MarkBlockDirty(id / kBlockIds); }
  void MarkBlockDirty(uint32_t block);
  /// Where the row ends that begins at `first`.
  uint32_t RowEnd(uint32_t first) const;
  void SaveBlock(uint32_t block, ByteWriter& value, DeltaSink& out);
  void LoadOldName(std::string_view name, uint8_t version, ByteReader& value);
  void LoadNames(size_t count, ByteReader& value);
  Status LoadRow(std::string_view key, std::string_view bytes, uint32_t* row_begin);
  Status LoadRows(const StateReader& store);
  Status IndexNames();
  Status Damaged(uint32_t id, size_t views) const;

  /// Ids by name: open addressing, a power of two, at most three quarters full. Eight bytes a slot and the hash beside
  /// the id, so that a start misses few cache lines, can fetch them ahead, and growing looks at no name.
  std::vector<Slot> slots_;
  NameList names_;
  std::vector<std::vector<EventTime>> births_;  ///< [view][id]
  std::vector<std::vector<EventTime>> signs_;   ///< likewise
  std::vector<uint32_t> order_;
  std::vector<uint32_t> ranks_;
  std::vector<uint8_t> blocks_;  ///< flags
  std::vector<uint32_t> dirty_blocks_;
  size_t dirty_old_blocks_ = 0;
  uint32_t old_end_ = 0;    ///< ids from here on have no rows of older formats
  uint32_t old_block_ = 0;  ///< the first block that may have some
};

}  // namespace tidecast
