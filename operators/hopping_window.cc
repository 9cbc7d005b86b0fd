#include "operators/hopping_window.h"

#include <algorithm>

#include "operators/window_keys.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;

const int64_t* RowOf(const PaneTable* pane, uint32_t id) {
  if (pane == nullptr) return nullptr;
  const uint32_t row = pane->Find(id);
  return row == PaneTable::kNoRow ? nullptr : pane->slots(row);
}

}  // namespace

void HoppingWindow::AddRow(const int64_t* from, int sign, __int128* into) const {
  into[0] += sign * static_cast<__int128>(from[0]);
  for (const Accumulator::Column& c : layout_->columns()) {
    if (c.is_fact) continue;
    const size_t s = c.slot;
    if (c.aggregate == Aggregate::kCount || c.aggregate == Aggregate::kSum)
      into[s] += sign * static_cast<__int128>(from[s]);
    if (c.aggregate == Aggregate::kMean) {
      into[s] += sign * static_cast<__int128>(from[s]);
      into[s + 1] += sign * static_cast<__int128>(from[s + 1]);
    }
  }
}

bool HoppingWindow::Extreme(size_t feature, bool is_max, uint32_t id, std::span<const PaneTable* const> panes,
                            __int128* into) const {
  const size_t slot = layout_->columns()[feature].slot;
  int64_t best = Accumulator::kNone;
  for (const PaneTable* pane : panes) {
    const int64_t* row = RowOf(pane, id);
    if (row == nullptr || row[slot] == Accumulator::kNone) continue;
    if (best == Accumulator::kNone || (is_max ? row[slot] > best : row[slot] < best)) best = row[slot];
  }
  *into = best;
  return best != Accumulator::kNone;
}

int64_t HoppingWindow::CountDistinct(size_t slot, uint32_t id, std::span<const PaneTable* const> panes) const {
  DistinctSketch all;
  for (const PaneTable* pane : panes) {
    const int64_t* row = RowOf(pane, id);
    if (row != nullptr && row[slot] != 0) all.Merge(pane->sketches()[static_cast<size_t>(row[slot] - 1)].sketch);
  }
  return all.Count();
}

void HoppingWindow::Rescan(uint32_t id, std::span<const PaneTable* const> panes, __int128* row) const {
  for (size_t i = 0; i < layout_->slots(); ++i) row[i] = layout_->zero_row()[i];
  for (const PaneTable* pane : panes) {
    const int64_t* from = RowOf(pane, id);
    if (from == nullptr) continue;
    AddRow(from, 1, row);
    for (const Accumulator::Column& c : layout_->columns()) {
      if (c.is_fact || c.aggregate != Aggregate::kLast || from[c.slot + 1] <= row[c.slot + 1]) continue;
      row[c.slot] = from[c.slot];
      row[c.slot + 1] = from[c.slot + 1];
    }
  }
  for (size_t f = 0; f < layout_->columns().size(); ++f) {
    const Accumulator::Column& c = layout_->columns()[f];
    if (c.is_fact) continue;
    if (c.aggregate == Aggregate::kMax || c.aggregate == Aggregate::kMin)
      Extreme(f, c.aggregate == Aggregate::kMax, id, panes, row + c.slot);
    if (c.aggregate == Aggregate::kDistinct) row[c.slot] = CountDistinct(c.slot, id, panes);
  }
}

void HoppingWindow::Read(const __int128* row, std::vector<double>* values) const {
  values->resize(layout_->columns().size());
  for (size_t f = 0; f < values->size(); ++f) {
    const Accumulator::Column& c = layout_->columns()[f];
    (*values)[f] = layout_->Value(
        f, row, c.aggregate == Aggregate::kDistinct && !c.is_fact ? static_cast<int64_t>(row[c.slot]) : 0);
  }
}

int64_t HoppingWindow::Combine(uint32_t id, std::span<const PaneTable* const> panes,
                               std::vector<double>* values) const {
  std::vector<__int128> row(layout_->slots());
  Rescan(id, panes.first(std::min(size_, panes.size())), row.data());
  Read(row.data(), values);
  return static_cast<int64_t>(row[0]);
}

int64_t HoppingWindow::Advance(uint32_t id, EventTime newest_start, EventTime newest_end,
                               std::span<const PaneTable* const> panes, std::vector<double>* values) {
  TC_CHECK_EQ(panes.size(), size_ + 1);
  if (id >= running_end_.size()) {
    const size_t grown = std::max<size_t>(size_t{id} + 1, running_end_.size() * 3 / 2);
    running_end_.resize(grown, EventTime::Min());
    running_.resize(grown * layout_->slots());
  }
  __int128* row = running_.data() + size_t{id} * layout_->slots();
  const auto inside = panes.first(size_);
  if (running_end_[id] != newest_start) {
    Rescan(id, inside, row);
  } else {
    const int64_t* comes = RowOf(panes.front(), id);
    const int64_t* leaves = RowOf(panes.back(), id);
    if (comes != nullptr) AddRow(comes, 1, row);
    if (leaves != nullptr) AddRow(leaves, -1, row);
    if (comes != nullptr || leaves != nullptr) {
      for (size_t f = 0; f < layout_->columns().size(); ++f) {
        const Accumulator::Column& c = layout_->columns()[f];
        const size_t s = c.slot;
        if (c.is_fact) continue;
        switch (c.aggregate) {
          case Aggregate::kMax:
          case Aggregate::kMin: {
            const bool is_max = c.aggregate == Aggregate::kMax;
            if (leaves != nullptr && leaves[s] != Accumulator::kNone && leaves[s] == row[s]) {
              Extreme(f, is_max, id, inside, row + s);
            } else if (comes != nullptr && comes[s] != Accumulator::kNone &&
                       (row[s] == Accumulator::kNone || (is_max ? comes[s] > row[s] : comes[s] < row[s]))) {
              row[s] = comes[s];
            }
            break;
          }
          case Aggregate::kLast:
            if (leaves != nullptr && leaves[s + 1] != Accumulator::kNone && leaves[s + 1] == row[s + 1]) {
              row[s] = row[s + 1] = Accumulator::kNone;  // nothing newer came since
            }
            if (comes != nullptr && comes[s + 1] != Accumulator::kNone) {
              row[s] = comes[s];
              row[s + 1] = comes[s + 1];
            }
            break;
          case Aggregate::kDistinct:
            if ((comes != nullptr && comes[s] != 0) || (leaves != nullptr && leaves[s] != 0))
              row[s] = CountDistinct(s, id, inside);
            break;
          default:
            break;
        }
      }
    }
  }
  running_end_[id] = newest_end;
  if (row[0] <= 0) return 0;
  Read(row, values);
  return static_cast<int64_t>(row[0]);
}

void HoppingWindow::Invalidate(uint32_t id) {
  if (id < running_end_.size()) running_end_[id] = EventTime::Min();
}

std::string HoppingWindow::Key(EventTime newest_start, uint32_t id) const {
  return KeyWriter()
      .U8(static_cast<uint8_t>(WindowTable::kWindowRevision))
      .U16(view_)
      .U16(index_)
      .Time(newest_start)
      .U32(id)
      .Take();
}

void HoppingWindow::MarkRevised(EventTime newest_start, uint32_t id) {
  Revision& revision = revisions_[{newest_start, id}];
  if (!revision.pending) ++pending_;
  revision.pending = revision.dirty = true;
}

uint32_t HoppingWindow::PublishRevision(EventTime newest_start, uint32_t id) {
  Revision& revision = revisions_.at({newest_start, id});
  TC_CHECK(revision.pending);
  --pending_;
  revision.pending = false;
  revision.dirty = true;
  return ++revision.number;
}

void HoppingWindow::PruneRevisions(EventTime before_start, std::vector<std::string>* tombstones) {
  while (!revisions_.empty() && revisions_.begin()->first.first < before_start) {
    const auto oldest = revisions_.begin();
    TC_CHECK(!oldest->second.pending);
    if (oldest->second.stored) tombstones->push_back(Key(oldest->first.first, oldest->first.second));
    revisions_.erase(oldest);
  }
}

void HoppingWindow::Save(DeltaSink& out) {
  for (auto& [at, revision] : revisions_) {
    if (!revision.dirty) continue;
    out.Put(Family::kPanes, Key(at.first, at.second),
            ByteWriter().U8(kVersion).Varint(revision.number).Bool(revision.pending).view());
    revision.dirty = false;
    revision.stored = true;
  }
}

Status HoppingWindow::LoadRevision(EventTime newest_start, uint32_t id, std::string_view bytes) {
  ByteReader value(bytes);
  if (const uint8_t version = value.U8(); version != kVersion) {
    return Status(Code::kVersion,
                  fmt::format("a window's revision has format {}, this build reads {}", version, kVersion));
  }
  Revision revision;
  revision.number = static_cast<uint32_t>(value.Varint());
  revision.pending = value.Bool();
  revision.stored = true;
  pending_ += revision.pending ? 1 : 0;
  revisions_[{newest_start, id}] = revision;
  return value.Finish("window revision");
}

void HoppingWindow::Clear() {
  running_.clear();
  running_end_.clear();
  revisions_.clear();
  pending_ = 0;
}

size_t HoppingWindow::memory_bytes() const {
  return running_.capacity() * sizeof(__int128) + running_end_.capacity() * sizeof(EventTime) + revisions_.size() * 96;
}

}  // namespace tidecast
