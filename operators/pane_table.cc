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
  frozen_ = {};
  deleted_ = 0;
}

void PaneTable::Encode(uint32_t row, ByteWriter& value) const {
  const RowMeta& meta = meta_[row];
  value.U8(kVersion).Bool((meta.flags & kRevised) != 0).Varint(meta.revision).Varint(layout_->slots());
  const int64_t* row_slots = slots(row);
  for (size_t i = 0; i < layout_->slots(); ++i) {
    if (!layout_->IsSketchSlot(i)) value.SignedVarint(row_slots[i]);
  }
}

void PaneTable::Save(uint16_t view, EventTime start, DeltaSink& out) {
  ByteWriter value;
  for (const uint32_t row : dirty_rows_) {
    RowMeta& meta = meta_[row];
    value.Clear();
    Encode(row, value);
    out.Put(Family::kPanes, PaneKey(view, start, ids_[row]), value.view());
    meta.flags = static_cast<uint8_t>((meta.flags & ~kDirty) | kStored);
    const int64_t* row_slots = slots(row);
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

// A frozen row: as it is stored, then its sketches in the order of their slots, each with its feature + 1; 0 ends them.
void PaneTable::Freeze() {
  TC_CHECK(sealed_ && dirty_rows_.empty());
  Frozen frozen;
  frozen.ids.reserve(frozen_.ids.size() + ids_.size());
  frozen.at.reserve(frozen_.ids.size() + ids_.size());
  ByteWriter value;
  const auto add = [&](uint32_t id, std::string_view bytes) {
    frozen.ids.push_back(id);
    frozen.at.push_back(static_cast<uint32_t>(frozen.bytes.size()));
    frozen.bytes.append(bytes);
  };
  const auto add_row = [&](uint32_t row) {
    TC_CHECK((meta_[row].flags & (kStored | kRevised)) == kStored);
    value.Clear();
    Encode(row, value);
    const int64_t* row_slots = slots(row);
    for (size_t i = 0; layout_->has_distinct() && i < layout_->slots(); ++i) {
      if (!layout_->IsSketchSlot(i) || row_slots[i] == 0) continue;
      const RowSketch& sketch = sketches_[static_cast<size_t>(row_slots[i] - 1)];
      value.Varint(sketch.feature + 1U);
      sketch.sketch.Encode(value);
    }
    value.Varint(0);
    add(ids_[row], value.view());
  };
  size_t next = 0;
  for (size_t i = 0; i < frozen_.ids.size(); ++i) {
    for (; next < by_id_.size() && ids_[by_id_[next]] < frozen_.ids[i]; ++next) add_row(by_id_[next]);
    if (frozen_.at[i] == Frozen::kThawed) continue;
    size_t end = frozen_.bytes.size();
    for (size_t j = i + 1; j < frozen_.at.size(); ++j) {
      if (frozen_.at[j] == Frozen::kThawed) continue;
      end = frozen_.at[j];
      break;
    }
    add(frozen_.ids[i], std::string_view(frozen_.bytes).substr(frozen_.at[i], end - frozen_.at[i]));
  }
  for (; next < by_id_.size(); ++next) add_row(by_id_[next]);
  frozen.bytes.shrink_to_fit();
  const bool touched = touched_;
  *this = PaneTable(*layout_);
  sealed_ = true;
  touched_ = touched;
  frozen_ = std::move(frozen);
}

uint32_t PaneTable::Thaw(uint32_t id) {
  const auto found = std::lower_bound(frozen_.ids.begin(), frozen_.ids.end(), id);
  if (found == frozen_.ids.end() || *found != id) return kNoRow;
  uint32_t& at = frozen_.at[static_cast<size_t>(found - frozen_.ids.begin())];
  if (at == Frozen::kThawed) return kNoRow;
  ByteReader value(std::string_view(frozen_.bytes).substr(at));
  Status read = Decode(id, value);
  for (uint64_t feature = value.Varint(); read.ok() && feature != 0; feature = value.Varint()) {
    RowSketch sketch;
    read = sketch.sketch.Decode(value);
    sketch.feature = static_cast<uint16_t>(feature - 1);
    sketch.stored = true;
    sketches_.push_back(std::move(sketch));
    slots(Find(id))[layout_->columns()[feature - 1].slot] = static_cast<int64_t>(sketches_.size());
  }
  TC_CHECK(read.ok(), "a frozen row: {}", read.message());
  at = Frozen::kThawed;
  return Find(id);
}

void PaneTable::DeleteSketches(uint16_t view, EventTime start, uint32_t row, DeltaSink& out) const {
  const int64_t* row_slots = slots(row);
  for (size_t i = 0; layout_->has_distinct() && i < layout_->slots(); ++i) {
    if (!layout_->IsSketchSlot(i) || row_slots[i] == 0) continue;
    const RowSketch& sketch = sketches_[static_cast<size_t>(row_slots[i] - 1)];
    if (sketch.stored) out.Delete(Family::kPanes, DistinctKey(view, start, ids_[row], sketch.feature));
  }
}

bool PaneTable::DeleteStored(uint16_t view, EventTime start, size_t rows_max, DeltaSink& out) {
  for (; deleted_ < frozen_.ids.size(); ++deleted_) {
    if (rows_max-- == 0) return false;
    const uint32_t id = frozen_.ids[deleted_];
    if (frozen_.at[deleted_] == Frozen::kThawed) continue;
    out.Delete(Family::kPanes, PaneKey(view, start, id));
    if (!layout_->has_distinct()) continue;
    ByteReader value(std::string_view(frozen_.bytes).substr(frozen_.at[deleted_]));
    value.U8();
    value.Bool();
    value.Varint();
    const uint64_t slots = value.Varint();
    for (size_t i = 0; i < slots; ++i) {
      if (!layout_->IsSketchSlot(i)) value.SignedVarint();
    }
    DistinctSketch sketch;
    for (uint64_t feature = value.Varint(); feature != 0; feature = value.Varint()) {
      TC_CHECK(sketch.Decode(value).ok());
      out.Delete(Family::kPanes, DistinctKey(view, start, id, static_cast<uint16_t>(feature - 1)));
    }
  }
  for (; deleted_ < frozen_.ids.size() + size(); ++deleted_) {
    if (rows_max-- == 0) return false;
    const auto row = static_cast<uint32_t>(deleted_ - frozen_.ids.size());
    if ((meta_[row].flags & kStored) == 0) continue;
    out.Delete(Family::kPanes, PaneKey(view, start, ids_[row]));
    DeleteSketches(view, start, row, out);
  }
  return true;
}

Status PaneTable::LoadRow(uint32_t id, std::string_view bytes) {
  ByteReader value(bytes);
  TC_RETURN_IF_ERROR(Decode(id, value));
  return value.Finish("pane");
}

Status PaneTable::Decode(uint32_t id, ByteReader& value) {
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
  return Status::Ok();
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
      (frozen_.ids.capacity() + frozen_.at.capacity()) * sizeof(uint32_t) + frozen_.bytes.capacity() +
      meta_.capacity() * sizeof(RowMeta) + slots_.capacity() * sizeof(int64_t) +
      sketches_.capacity() * sizeof(RowSketch);
  for (const RowSketch& sketch : sketches_) bytes += sketch.sketch.memory_bytes();
  return bytes;
}

}  // namespace tidecast
