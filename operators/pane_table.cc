#include "operators/pane_table.h"

#include <algorithm>

#include "operators/window_keys.h"

namespace tidecast {
namespace {

constexpr uint8_t kRowVersion = 1;  // a row of its own

}  // namespace

// Where the journal finds its rows.
class PaneTable::Stored final : public BlockJournal::Table {
 public:
  Stored(const PaneTable& pane, uint16_t view, EventTime start) : pane_(pane), view_(view), start_(start) {}
  size_t rows() const override { return pane_.size(); }
  size_t slots() const override { return pane_.layout_->slots(); }
  std::string BlockKey(uint32_t block) const override { return PaneBlockKey(view_, start_, block); }
  std::string DeltaKey(uint64_t number) const override { return PaneDeltaKey(view_, start_, number); }
  void EncodeRows(uint32_t block, uint32_t ids, ByteWriter& value) const override {
    pane_.VisitRows(block, ids, [&](uint32_t row) {
      value.U8(static_cast<uint8_t>(pane_.ids_[row] % kBlockIds));
      pane_.EncodeRow(row, value);
    });
  }

 private:
  const PaneTable& pane_;
  uint16_t view_;
  EventTime start_;
};

uint32_t PaneTable::Add(uint32_t id) {
  const auto row = static_cast<uint32_t>(ids_.size());
  ids_.push_back(id);
  meta_.emplace_back();
  slots_.resize(slots_.size() + layout_->slots());
  layout_->InitRow(slots(row));
  if (sealed_) {
    const auto at =
        std::lower_bound(by_id_.begin(), by_id_.end(), id, [this](uint32_t r, uint32_t key) { return ids_[r] < key; });
    by_id_.insert(at, row);
    if (!by_rank_.empty()) MakeRanks();
  } else {
    if (id >= row_of_.size()) row_of_.resize(std::max<size_t>(size_t{id} + 1, row_of_.size() * 3 / 2), kNoRow);
    row_of_[id] = row;
  }
  return row;
}

uint32_t PaneTable::FindSealed(uint32_t id) const {
  const auto at =
      std::lower_bound(by_id_.begin(), by_id_.end(), id, [this](uint32_t r, uint32_t key) { return ids_[r] < key; });
  return at != by_id_.end() && ids_[*at] == id ? *at : kNoRow;
}

void PaneTable::MakeRanks() {
  by_rank_.assign(by_id_.empty() ? 1 : ids_[by_id_.back()] / 64 + 1, {});
  for (const uint32_t row : by_id_) by_rank_[ids_[row] / 64].bits |= uint64_t{1} << (ids_[row] % 64);
  uint32_t before = 0;
  for (Rank& rank : by_rank_) {
    rank.before = before;
    before += static_cast<uint32_t>(std::popcount(rank.bits));
  }
}

bool PaneTable::MarkRevised(uint32_t row) {
  if (revised(row)) return false;
  meta_[row].revised = true;
  MarkDirty(row);
  return true;
}

uint32_t PaneTable::PublishRevision(uint32_t row) {
  TC_CHECK(revised(row));
  meta_[row].revised = false;
  MarkDirty(row);
  return ++meta_[row].revision;
}

void PaneTable::ResetRow(uint32_t row) {
  int64_t* row_slots = slots(row);
  for (size_t i = 0; i < layout_->slots(); ++i) {
    if (!layout_->IsSketchSlot(i)) {
      row_slots[i] = layout_->zero_row()[i];
    } else if (row_slots[i] != 0) {
      RowSketch& sketch = sketches_[static_cast<size_t>(row_slots[i] - 1)];
      sketch.sketch.Clear();
      sketch.dirty = true;
    }
  }
  MarkDirty(row);
}

void PaneTable::Seal(bool read_often) {
  if (sealed_) return;
  sealed_ = true;
  by_id_.resize(ids_.size());
  for (uint32_t row = 0; row < by_id_.size(); ++row) by_id_[row] = row;
  std::sort(by_id_.begin(), by_id_.end(), [this](uint32_t a, uint32_t b) { return ids_[a] < ids_[b]; });
  std::vector<uint32_t>().swap(row_of_);
  // Hopping windows keep it for an hour or a day: half of what vectors have grown to may be air.
  ids_.shrink_to_fit();
  meta_.shrink_to_fit();
  slots_.shrink_to_fit();
  if (read_often) MakeRanks();
}

void PaneTable::Clear() {
  for (const uint32_t id : ids_) {
    if (id < row_of_.size()) row_of_[id] = kNoRow;
  }
  sealed_ = false;
  touched_ = false;
  by_id_.clear();
  by_rank_.clear();
  ids_.clear();
  meta_.clear();
  slots_.clear();
  sketches_.clear();
  journal_.Clear();
  read_.clear();
  deleted_sketches_ = 0;
  stored_ = nullptr;
}

// Revision and its mark in one number, then the slots.
void PaneTable::EncodeRow(uint32_t row, ByteWriter& value) const {
  const RowMeta& meta = meta_[row];
  value.Varint(uint64_t{meta.revision} << 1 | (meta.revised ? 1U : 0U));
  const int64_t* row_slots = slots(row);
  for (size_t i = 0; i < layout_->slots(); ++i) {
    if (!layout_->IsSketchSlot(i)) value.SignedVarint(row_slots[i]);
  }
}

void PaneTable::DecodeRow(uint32_t row, ByteReader& value) {
  const uint64_t revision = value.Varint();
  meta_[row].revision = static_cast<uint32_t>(revision >> 1);
  meta_[row].revised = (revision & 1) != 0;
  int64_t* row_slots = slots(row);
  for (size_t i = 0; i < layout_->slots(); ++i) {
    if (!layout_->IsSketchSlot(i)) row_slots[i] = value.SignedVarint();
  }
  touched_ |= row_slots[0] > 0;
}

// `anew`: in place of the row that is there.
Status PaneTable::DecodeRows(uint32_t block, uint32_t ids, size_t series, bool anew, ByteReader& value) {
  TC_RETURN_IF_ERROR(CheckStoredBlock("panes", block, series));
  while (value.ok() && !value.AtEnd()) {
    const uint8_t place = value.U8();
    const uint64_t id = uint64_t{block} * kBlockIds + place;
    uint32_t row = kNoRow;
    if (place < kBlockIds && id < series) row = Find(static_cast<uint32_t>(id));
    if (place >= kBlockIds || id >= series || (ids >> place & 1) == 0 || (row != kNoRow && !anew)) {
      return Status(Code::kCorruption, fmt::format("stored rows of panes make no sense: block {}, place {}, {} series",
                                                   block, place, series));
    }
    DecodeRow(row != kNoRow ? row : Add(static_cast<uint32_t>(id)), value);
  }
  return value.Finish("rows of panes");
}

// Rows of these ids of the block, by id.
template <typename Visit>
void PaneTable::VisitRows(uint32_t block, uint32_t ids, Visit visit) const {
  const uint32_t first = block * kBlockIds;
  if (!sealed_) {
    for (; ids != 0; ids &= ids - 1) {
      const size_t id = first + static_cast<uint32_t>(std::countr_zero(ids));
      if (id >= row_of_.size()) return;
      if (row_of_[id] != kNoRow) visit(row_of_[id]);
    }
    return;
  }
  auto at =
      std::lower_bound(by_id_.begin(), by_id_.end(), first, [this](uint32_t r, uint32_t key) { return ids_[r] < key; });
  for (; at != by_id_.end() && ids_[*at] / kBlockIds == block; ++at) {
    if ((ids >> ids_[*at] % kBlockIds & 1) != 0) visit(*at);
  }
}

void PaneTable::SaveSketches(uint16_t view, EventTime start, uint32_t row, DeltaSink& out) {
  const int64_t* row_slots = slots(row);
  for (size_t i = 0; i < layout_->slots(); ++i) {
    if (!layout_->IsSketchSlot(i) || row_slots[i] == 0) continue;
    RowSketch& sketch = sketches_[static_cast<size_t>(row_slots[i] - 1)];
    if (!sketch.dirty) continue;
    ByteWriter value;
    sketch.sketch.Encode(value);
    out.Put(Family::kPanes, DistinctKey(view, start, ids_[row], sketch.feature), value.view());
    sketch.dirty = false;
    sketch.stored = true;
  }
}

void PaneTable::Save(uint16_t view, EventTime start, size_t delta_blocks, DeltaSink& out) {
  if (layout_->has_distinct()) {
    for (const uint32_t block : journal_.changed_blocks())
      VisitRows(block, journal_.changed_ids(block), [&](uint32_t row) { SaveSketches(view, start, row, out); });
  }
  journal_.Save(Stored(*this, view, start), sealed_ ? BlockJournal::kNoDeltas : delta_blocks, out);
}

void PaneTable::Attach(StoredPanes& stored, uint16_t view, EventTime start) {
  TC_CHECK(ids_.empty() && stored.store != nullptr);
  stored_ = &stored;
  view_ = view;
  start_ = start;
}

void PaneTable::LoadStored(uint32_t block) {
  if (block >= read_.size()) read_.resize(size_t{block} + 1);
  if (read_[block]) return;
  read_[block] = true;
  Status read = ReadStored(block);
  if (!read.ok() && stored_->failure.ok()) stored_->failure = std::move(read);
}

Status PaneTable::ReadStored(uint32_t block) {
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found,
                      stored_->store->Get(Family::kPanes, PaneBlockKey(view_, start_, block), &value));
  if (!found) return Status::Ok();
  TC_RETURN_IF_ERROR(LoadBlock(block, UINT32_MAX, value));
  if (!layout_->has_distinct()) return Status::Ok();
  const uint32_t first = block * kBlockIds;
  const std::string prefix = DistinctPrefix(view_, start_);
  Status loaded;
  TC_RETURN_IF_ERROR(stored_->store->Scan(Family::kPanes, prefix, DistinctKey(view_, start_, first, 0),
                                          [&](std::string_view key, std::string_view sketch) {
                                            KeyReader at(key.substr(prefix.size()));
                                            const uint32_t id = at.U32();
                                            if (id >= first + kBlockIds) return false;
                                            loaded = LoadSketch(id, at.U16(), sketch);
                                            return loaded.ok();
                                          }));
  return loaded;
}

void PaneTable::DeleteSketches(uint16_t view, EventTime start, uint32_t row, DeltaSink& out) const {
  const int64_t* row_slots = slots(row);
  for (size_t i = 0; i < layout_->slots(); ++i) {
    if (!layout_->IsSketchSlot(i) || row_slots[i] == 0) continue;
    const RowSketch& sketch = sketches_[static_cast<size_t>(row_slots[i] - 1)];
    if (sketch.stored) out.Delete(Family::kPanes, DistinctKey(view, start, ids_[row], sketch.feature));
  }
}

// Deltas and blocks, then the sketches of their rows.
bool PaneTable::DeleteStored(uint16_t view, EventTime start, size_t rows_max, DeltaSink& out) {
  if (!journal_.DeleteStored(Stored(*this, view, start), rows_max, out)) return false;
  if (!layout_->has_distinct()) return true;
  for (; deleted_sketches_ < size(); ++deleted_sketches_) {
    if (rows_max-- == 0) return false;
    DeleteSketches(view, start, static_cast<uint32_t>(deleted_sketches_), out);
  }
  return true;
}

Status PaneTable::LoadBlock(uint32_t block, size_t series, std::string_view bytes) {
  return journal_.LoadBlock(
      block, layout_->slots(), "a block of panes", bytes,
      [&](uint32_t, uint32_t ids, ByteReader& rows) { return DecodeRows(block, ids, series, false, rows); });
}

Status PaneTable::LoadDelta(uint64_t number, size_t series, std::string_view bytes) {
  return journal_.LoadDelta(
      number, layout_->slots(), "a delta of panes", bytes,
      [&](uint32_t block, uint32_t ids, ByteReader& rows) { return DecodeRows(block, ids, series, true, rows); });
}

Status PaneTable::LoadRow(uint32_t id, std::string_view bytes) {
  ByteReader value(bytes);
  if (const uint8_t version = value.U8(); version != kRowVersion) {
    return Status(Code::kVersion, fmt::format("a pane has format {}, this build reads {}", version, kRowVersion));
  }
  const bool revised = value.Bool();
  const uint64_t revision = value.Varint();
  TC_RETURN_IF_ERROR(CheckStoredSlots("a pane", value.Varint(), layout_->slots()));
  const uint32_t row = Add(id);
  int64_t* row_slots = slots(row);
  for (size_t i = 0; i < layout_->slots(); ++i) {
    if (!layout_->IsSketchSlot(i)) row_slots[i] = value.SignedVarint();
  }
  meta_[row].revision = static_cast<uint32_t>(revision);
  meta_[row].revised = revised;
  touched_ |= row_slots[0] > 0;
  MarkDirty(row);
  return value.Finish("pane");
}

Status PaneTable::LoadSketch(uint32_t id, uint16_t feature, std::string_view bytes) {
  const uint32_t row = Find(id);
  if (row == kNoRow || feature >= layout_->columns().size() ||
      layout_->columns()[feature].aggregate != Aggregate::kDistinct) {
    return Status(Code::kCorruption, fmt::format("a distinct count has no pane: series {}, feature {}", id, feature));
  }
  RowSketch sketch;
  ByteReader value(bytes);
  TC_RETURN_IF_ERROR(sketch.sketch.Decode(value));
  TC_RETURN_IF_ERROR(value.Finish("distinct count"));
  sketch.feature = feature;
  sketch.stored = true;
  sketches_.push_back(std::move(sketch));
  slots(row)[layout_->columns()[feature].slot] = static_cast<int64_t>(sketches_.size());
  return Status::Ok();
}

size_t PaneTable::memory_bytes() const {
  size_t bytes = (row_of_.capacity() + by_id_.capacity() + ids_.capacity()) * sizeof(uint32_t) +
                 by_rank_.capacity() * sizeof(Rank) + journal_.memory_bytes() + read_.capacity() / 8 +
                 meta_.capacity() * sizeof(RowMeta) + slots_.capacity() * sizeof(int64_t) +
                 sketches_.capacity() * sizeof(RowSketch);
  for (const RowSketch& sketch : sketches_) bytes += sketch.sketch.memory_bytes();
  return bytes;
}

}  // namespace tidecast
