#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/stateful.h"
#include "operators/accumulator.h"
#include "operators/block_journal.h"

namespace tidecast {

/// Reads the panes that only the store has; the first error stays.
struct StoredPanes {
  const StateReader* store = nullptr;
  Status failure;
};

/// The panes of one bucket: a row of slots for each series that has one, found by series id through a flat index while
/// the bucket is open, by binary search once it is sealed, or by a bit and a count where windows go on reading it. Rows
/// keep their places; nothing is allocated per event once warm. Rows are stored by a BlockJournal: in blocks of
/// kBlockIds ids, so that an epoch writes a few dozen values a bucket instead of thousands. A table that is attached to
/// the store reads a block when it is first asked for. Thread: confined.
class PaneTable {
 public:
  static constexpr uint32_t kNoRow = UINT32_MAX;
  static constexpr uint32_t kBlockIds = BlockJournal::kBlockIds;

  explicit PaneTable(const Accumulator& layout) : layout_(&layout) {}

  /// Row of `id`; kNoRow when there is none, or its block was not asked for yet.
  uint32_t Find(uint32_t id) const {
    if (sealed_) return by_rank_.empty() ? FindSealed(id) : FindRanked(id);
    return id < row_of_.size() ? row_of_[id] : kNoRow;
  }
  /// The same; reads its block from the store first.
  uint32_t FindOrLoad(uint32_t id) {
    if (stored_ != nullptr) [[unlikely]]
      LoadStored(id / kBlockIds);
    return Find(id);
  }
  /// The row of `id`, made from zeros when there is none.
  uint32_t FindOrAdd(uint32_t id) {
    const uint32_t row = FindOrLoad(id);
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
  bool revised(uint32_t row) const { return meta_[row].revised; }
  bool dirty() const { return journal_.dirty(); }
  /// Whether Save has anything to do: a sealed table gives up its deltas, some with each Save.
  bool needs_save() const { return journal_.dirty() || (sealed_ && journal_.has_deltas()); }
  bool has_deltas() const { return journal_.has_deltas(); }
  /// What Save will take at most, about.
  size_t dirty_bytes() const {
    const size_t blocks = journal_.changed_blocks().size();
    const size_t rows = std::min<size_t>(blocks * kBlockIds, ids_.size());
    return blocks * kStoredBytes + rows * (2 + 2 * layout_->slots() + (layout_->has_distinct() ? kStoredBytes : 0));
  }

  /// No more than late events from now on: gives the flat index up. `read_often`: windows go on reading all of it.
  void Seal(bool read_often = false);
  /// The store has rows under (view, start): what was saved of them and let go. REQUIRES: empty. `stored` outlives it.
  void Attach(StoredPanes& stored, uint16_t view, EventTime start);
  /// Forgets everything but the memory.
  void Clear();

  /// `delta_blocks`: BlockJournal::Save.
  void Save(uint16_t view, EventTime start, size_t delta_blocks, DeltaSink& out);
  /// Deletes what the store has of the rows in memory, about `rows_max` rows a call; returns whether nothing is left.
  bool DeleteStored(uint16_t view, EventTime start, size_t rows_max, DeltaSink& out);
  /// All blocks, then all deltas by their numbers. `series`: how many there are.
  Status LoadBlock(uint32_t block, size_t series, std::string_view value);
  Status LoadDelta(uint64_t number, size_t series, std::string_view value);
  /// A row as builds before blocks have stored it; the next Save writes its block.
  Status LoadRow(uint32_t id, std::string_view value);
  Status LoadSketch(uint32_t id, uint16_t feature, std::string_view value);
  size_t memory_bytes() const;

 private:
  static constexpr size_t kStoredBytes = 90;  // of a saved value: key, head, place in the batch
  struct RowMeta {
    uint32_t revision = 1;
    bool revised = false;
  };
  class Stored;
  /// 64 ids: which have rows, and how many rows stand before.
  struct Rank {
    uint64_t bits = 0;
    uint32_t before = 0;
  };
  uint32_t Add(uint32_t id);
  void LoadStored(uint32_t block);
  Status ReadStored(uint32_t block);
  void EncodeRow(uint32_t row, ByteWriter& value) const;
  void DecodeRow(uint32_t row, ByteReader& value);
  Status DecodeRows(uint32_t block, uint32_t ids, size_t series, bool anew, ByteReader& value);
  void DeleteSketches(uint16_t view, EventTime start, uint32_t row, DeltaSink& out) const;
  void SaveSketches(uint16_t view, EventTime start, uint32_t row, DeltaSink& out);
  uint32_t FindSealed(uint32_t id) const;
  uint32_t FindRanked(uint32_t id) const {
    const size_t place = id / 64;
    if (place >= by_rank_.size()) return kNoRow;
    const Rank& rank = by_rank_[place];
    const uint64_t bit = uint64_t{1} << (id % 64);
    if ((rank.bits & bit) == 0) return kNoRow;
    return by_id_[rank.before + static_cast<uint32_t>(std::popcount(rank.bits & (bit - 1)))];
  }
  void MakeRanks();
  template <typename Visit>
  void VisitRows(uint32_t block, uint32_t ids, Visit visit) const;
  void MarkDirty(uint32_t row) { journal_.Mark(ids_[row]); }

  const Accumulator* layout_;
  bool sealed_ = false;
  bool touched_ = false;
  std::vector<uint32_t> row_of_;  ///< by id, while open
  std::vector<uint32_t> by_id_;   ///< rows sorted by id, once sealed
  std::vector<Rank> by_rank_;     ///< places in by_id_, once sealed to be read often
  std::vector<uint32_t> ids_;     ///< by row
  std::vector<RowMeta> meta_;
  std::vector<int64_t> slots_;
  std::vector<RowSketch> sketches_;
  BlockJournal journal_;
  std::vector<bool> read_;       ///< blocks of an attached table that were asked for
  size_t deleted_sketches_ = 0;  ///< rows whose DeleteStored is done
  StoredPanes* stored_ = nullptr;
  uint16_t view_ = 0;  ///< where in the store
  EventTime start_;
};

}  // namespace tidecast
