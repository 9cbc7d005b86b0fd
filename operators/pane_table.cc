#include "operators/pane_table.h"

#include <algorithm>

#include "operators/window_keys.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

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

bool PaneTable::MarkRevised(uint32_t row) {
  if (revised(row)) return false;
  meta_[row].flags |= kRevised;
  MarkDirty(row);
  return true;
}

uint32_t PaneTable::PublishRevision(uint32_t row) {
  TC_CHECK(revised(row));
  meta_[row].flags = static_cast<uint8_t>(meta_[row].flags & ~kRevised);
  MarkDirty(row);
  return ++meta_[row].revision;
}

void PaneTable::Seal() {
  if (sealed_) return;
  sealed_ = true;
  by_id_.resize(ids_.size());
  for (uint32_t row = 0; row < by_id_.size(); ++row) by_id_[row] = row;
  std::sort(by_id_.begin(), by_id_.end(), [this](uint32_t a, uint32_t b) { return ids_[a] < ids_[b]; });
  std::vector<uint32_t>().swap(row_of_);
}

void PaneTable::Clear() {
  for (const uint32_t id : ids_) {
    if (id < row_of_.size()) row_of_[id] = kNoRow;
  }
  sealed_ = false;
  touched_ = false;
  by_id_.clear();
  ids_.clear();
  meta_.clear();
  slots_.clear();
  sketches_.clear();
  dirty_rows_.clear();
}

void PaneTable::Save(uint16_t view, EventTime start, DeltaSink& out) {
  ByteWriter value;
  for (const uint32_t row : dirty_rows_) {
    RowMeta& meta = meta_[row];
    value.Clear();
    value.U8(kVersion).Bool((meta.flags & kRevised) != 0).Varint(meta.revision).Varint(layout_->slots());
    const int64_t* row_slots = slots(row);
    for (size_t i = 0; i < layout_->slots(); ++i) {
      if (!layout_->IsSketchSlot(i)) value.SignedVarint(row_slots[i]);
    }
    out.Put(Family::kPanes, PaneKey(view, start, ids_[row]), value.view());
    meta.flags = static_cast<uint8_t>((meta.flags & ~kDirty) | kStored);
    for (size_t i = 0; i < layout_->slots(); ++i) {
      if (!layout_->IsSketchSlot(i) || row_slots[i] == 0) continue;
      RowSketch& sketch = sketches_[static_cast<size_t>(row_slots[i] - 1)];
      if (!sketch.dirty) continue;
      value.Clear();
      sketch.sketch.Encode(value);
      out.Put(Family::kPanes, DistinctKey(view, start, ids_[row], sketch.feature), value.view());
      sketch.dirty = false;
      sketch.stored = true;
    }
  }
  dirty_rows_.clear();
}

void PaneTable::ListStored(uint16_t view, EventTime start, std::vector<std::string>* keys) const {
  for (uint32_t row = 0; row < size(); ++row) {
    if ((meta_[row].flags & kStored) == 0) continue;
    keys->push_back(PaneKey(view, start, ids_[row]));
    const int64_t* row_slots = slots(row);
    for (size_t i = 0; layout_->has_distinct() && i < layout_->slots(); ++i) {
      if (!layout_->IsSketchSlot(i) || row_slots[i] == 0) continue;
      const RowSketch& sketch = sketches_[static_cast<size_t>(row_slots[i] - 1)];
      if (sketch.stored) keys->push_back(DistinctKey(view, start, ids_[row], sketch.feature));
    }
  }
}

Status PaneTable::LoadRow(uint32_t id, std::string_view bytes) {
  ByteReader value(bytes);
  if (const uint8_t version = value.U8(); version != kVersion) {
    return Status(Code::kVersion, fmt::format("a pane has format {}, this build reads {}", version, kVersion));
  }
  const bool revised = value.Bool();
  const uint64_t revision = value.Varint();
  const uint64_t stored_slots = value.Varint();
  if (stored_slots != layout_->slots()) {
    return Status(
               Code::kConfig,
               fmt::format("the view's features are not those of the stored panes: {} slots stored, {} in the config",
                           stored_slots, layout_->slots()),
               Domain::kInput)
        .WithRemedy("go back to the old features, or start with a new view name or a fresh state");
  }
  const uint32_t row = Add(id);
  int64_t* row_slots = slots(row);
  for (size_t i = 0; i < layout_->slots(); ++i) {
    if (!layout_->IsSketchSlot(i)) row_slots[i] = value.SignedVarint();
  }
  meta_[row].revision = static_cast<uint32_t>(revision);
  meta_[row].flags = static_cast<uint8_t>(kStored | (revised ? kRevised : 0));
  touched_ |= row_slots[0] > 0;
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
  size_t bytes =
      (row_of_.capacity() + by_id_.capacity() + ids_.capacity() + dirty_rows_.capacity()) * sizeof(uint32_t) +
      meta_.capacity() * sizeof(RowMeta) + slots_.capacity() * sizeof(int64_t) +
      sketches_.capacity() * sizeof(RowSketch);
  for (const RowSketch& sketch : sketches_) bytes += sketch.sketch.memory_bytes();
  return bytes;
}

}  // namespace tidecast
