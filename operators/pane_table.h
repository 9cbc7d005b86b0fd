#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/stateful.h"
#include "operators/accumulator.h"

namespace tidecast {

/// The panes of one bucket: a row of slots for each series that has one, found by series id through a flat index while
/// the bucket is open, by binary search once it is sealed. Rows keep their places; nothing is allocated per event once
/// warm. What a closed bucket keeps for late events can be frozen: rows packed as they are stored, a third of the
/// memory; a late event thaws its row. Thread: confined.
class PaneTable {
 public:
  static constexpr uint32_t kNoRow = UINT32_MAX;

  explicit PaneTable(const Accumulator& layout) : layout_(&layout) {}

  /// Row of `id`; kNoRow when there is none, or it is frozen.
  uint32_t Find(uint32_t id) const {
    if (sealed_) return FindSealed(id);
    return id < row_of_.size() ? row_of_[id] : kNoRow;
  }
  /// The same; brings back a frozen row.
  uint32_t FindOrThaw(uint32_t id) {
    const uint32_t row = Find(id);
    return row != kNoRow || frozen_.ids.empty() ? row : Thaw(id);
  }
  /// The row of `id`, made from zeros when there is none.
  uint32_t FindOrAdd(uint32_t id) {
    const uint32_t row = FindOrThaw(id);
    return row != kNoRow ? row : Add(id);
  }
  int64_t* slots(uint32_t row) { return slots_.data() + size_t{row} * layout_->slots(); }
  const int64_t* slots(uint32_t row) const { return slots_.data() + size_t{row} * layout_->slots(); }
  uint32_t id(uint32_t row) const { return ids_[row]; }
  uint32_t size() const { return static_cast<uint32_t>(ids_.size()); }
  /// Whether an event counts in any row.
  bool touched() const { return touched_; }
  std::vector<RowSketch>& sketches() { return sketches_; }
  const std::vector<RowSketch>& sketches() const { return sketches_; }

  void AddEvent(uint32_t row, const Event& event) {
    layout_->Add(event, slots(row), sketches_);
    touched_ = true;
    MarkDirty(row);
  }
  /// Adds another row of accumulators, with the sketches that its slots name.
  void MergeRow(uint32_t row, const int64_t* from, const std::vector<RowSketch>& from_sketches) {
    layout_->Merge(from, from_sketches, slots(row), sketches_);
    touched_ = true;
    MarkDirty(row);
  }
  /// The row as if no event had come.
  void ResetRow(uint32_t row);
  double Value(size_t feature, uint32_t row) const { return layout_->ValueOf(feature, slots(row), sketches_); }

  /// A pending revision of the row. Returns whether it is new.
  bool MarkRevised(uint32_t row);
  /// Takes the mark off; returns the number of the revision that is published now (2 or more).
  uint32_t PublishRevision(uint32_t row);
  uint32_t revision(uint32_t row) const { return meta_[row].revision; }
  bool revised(uint32_t row) const { return (meta_[row].flags & kRevised) != 0; }
  bool dirty() const { return !dirty_rows_.empty(); }
  /// What Save will take, about.
  size_t dirty_bytes() const {
    return dirty_rows_.size() * (kRowBytes + 2 * layout_->slots() + (layout_->has_distinct() ? kRowBytes : 0));
  }

  /// No more than late events from now on: gives the flat index up.
  void Seal();
  /// Packs all rows. REQUIRES: sealed, saved, no row revised.
  void Freeze();
  /// Whether Freeze would save much.
  bool worth_freezing() const { return sealed_ && ids_.size() > 8 + frozen_.ids.size() / 8; }
  /// Forgets everything but the memory.
  void Clear();

  void Save(uint16_t view, EventTime start, DeltaSink& out);
  /// Deletes what the store has of it, about `rows_max` rows a call; returns whether nothing is left.
  bool DeleteStored(uint16_t view, EventTime start, size_t rows_max, DeltaSink& out);
  Status LoadRow(uint32_t id, std::string_view value);
  Status LoadSketch(uint32_t id, uint16_t feature, std::string_view value);
  size_t memory_bytes() const;

 private:
  static constexpr size_t kRowBytes = 90;  // of a saved row: key, value, place in the batch
  enum Flag : uint8_t { kDirty = 1, kStored = 2, kRevised = 4 };
  struct RowMeta {
    uint32_t revision = 1;
    uint8_t flags = 0;
  };
  struct Frozen {
    static constexpr uint32_t kThawed = UINT32_MAX;
    std::vector<uint32_t> ids;  ///< in order
    std::vector<uint32_t> at;   ///< where a row begins in `bytes`
    std::string bytes;
  };
  uint32_t Add(uint32_t id);
  uint32_t Thaw(uint32_t id);
  void Encode(uint32_t row, ByteWriter& value) const;
  Status Decode(uint32_t id, ByteReader& value);
  void DeleteSketches(uint16_t view, EventTime start, uint32_t row, DeltaSink& out) const;
  uint32_t FindSealed(uint32_t id) const;
  void MarkDirty(uint32_t row) {
    if ((meta_[row].flags & kDirty) != 0) return;
    meta_[row].flags |= kDirty;
    dirty_rows_.push_back(row);
  }

  const Accumulator* layout_;
  bool sealed_ = false;
  bool touched_ = false;
  std::vector<uint32_t> row_of_;  ///< by id, while open
  std::vector<uint32_t> by_id_;   ///< rows sorted by id, once sealed
  std::vector<uint32_t> ids_;     ///< by row
  std::vector<RowMeta> meta_;
  std::vector<int64_t> slots_;
  std::vector<RowSketch> sketches_;
  std::vector<uint32_t> dirty_rows_;
  Frozen frozen_;
  size_t deleted_ = 0;  ///< rows that DeleteStored has done
};

}  // namespace tidecast
