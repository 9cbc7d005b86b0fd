#include "engine/core/plausible_time.h"
#include "operators/window_keys.h"
#include "operators/window_view.h"

namespace tidecast {
namespace {

constexpr uint8_t kCursorVersion = 1;
constexpr uint8_t kBucketVersion = 2;  // reads 1 too: not settled
constexpr uint32_t kNobody = UINT32_MAX;
constexpr size_t kRemovedRowsPerSave = 1 << 15;

}  // namespace

void WindowView::SaveRemoved(DeltaSink& out) {
  for (const std::string& key : tombstones_) out.Delete(Family::kPanes, key);
  tombstones_.clear();
  while (!removed_.empty()) {
    Removed& removed = removed_.front();
    if (removed.in_store && !DeleteInStore(removed.start, &removed.next, out)) return;
    removed.in_store = false;
    if (removed.pane != nullptr) {
      if (!removed.pane->DeleteStored(index_, removed.start, kRemovedRowsPerSave, out)) return;
      removed.pane->Clear();
      if (spare_panes_.empty()) spare_panes_.push_back(std::move(removed.pane));
    }
    if (removed.meta_stored) out.Delete(Family::kPanes, BucketKey(index_, removed.start));
    removed_.pop_front();
  }
}

// Rows that were let go of; those of an epoch that is not committed yet are in the pane, too.
bool WindowView::DeleteInStore(EventTime start, std::string* next, DeltaSink& out) {
  size_t left = kRemovedRowsPerSave;
  for (const std::string& prefix : {DistinctPrefix(index_, start), PaneBlockPrefix(index_, start)}) {
    if (*next > prefix && !next->starts_with(prefix)) continue;
    const Status read = stored_.store->Scan(Family::kPanes, prefix, std::max(*next, prefix),
                                            [&](std::string_view key, std::string_view) {
                                              *next = key;
                                              if (left == 0) return false;
                                              --left;
                                              out.Delete(Family::kPanes, key);
                                              return true;
                                            });
    if (!read.ok() && stored_.failure.ok()) stored_.failure = read;
    if (left == 0 || !read.ok()) return false;
  }
  return true;
}

// Hopping windows read all panes of their length at each close.
bool WindowView::IsSettled(const Bucket& bucket) const {
  if (!bucket.closed || hopping_size_ > 0) return false;
  if (bucket.pane != nullptr && bucket.pane->has_deltas()) return false;
  const auto revised = pending_.lower_bound({bucket.span.start, 0});
  return revised == pending_.end() || revised->first != bucket.span.start;
}

void WindowView::OnCommitted(Epoch epoch) {
  for (auto& [start, bucket] : buckets_) {
    if (bucket.pane == nullptr || !bucket.settled || bucket.saved_in > epoch || bucket.pane->dirty()) continue;
    if (stored_.store == nullptr || !IsSettled(bucket)) continue;
    bucket.in_store = true;
    bucket.pane->Clear();
    if (spare_panes_.empty()) spare_panes_.push_back(std::move(bucket.pane));
    bucket.pane = nullptr;
  }
}

void WindowView::Save(Epoch epoch, size_t delta_blocks, DeltaSink& out) {
  SaveRemoved(out);
  for (auto& [start, bucket] : buckets_) {
    if (bucket.pane != nullptr && bucket.pane->needs_save()) bucket.pane->Save(index_, start, delta_blocks, out);
    const bool settled = IsSettled(bucket);
    bucket.meta_dirty |= settled != bucket.settled;
    bucket.settled = settled;
    if (settled && bucket.pane != nullptr) bucket.saved_in = epoch;
    if (!bucket.meta_dirty) continue;
    out.Put(Family::kPanes, BucketKey(index_, start),
            ByteWriter()
                .U8(kBucketVersion)
                .Time(bucket.span.end)
                .Bool(bucket.closed)
                .Bool(bucket.target_active)
                .U8(static_cast<uint8_t>(bucket.openness))
                .Bool(settled)
                .view());
    bucket.meta_dirty = false;
    bucket.meta_stored = true;
  }
  for (HoppingWindow& window : hopping_) window.Save(out);
  for (SessionWindows& sessions : sessions_) sessions.Save(delta_blocks, out);
  if (!cursor_dirty_) return;
  ByteWriter cursor;
  cursor.U8(kCursorVersion).Bool(begun_).Bool(closed_any_).Time(next_.start).Time(next_.end).Bool(walking_);
  cursor.U8(static_cast<uint8_t>(walk_openness_)).U32(walked_to_.value_or(kNobody));
  std::string open_buckets;
  if (open_buckets_ != nullptr) open_buckets_->Encode(&open_buckets);
  cursor.Bytes(open_buckets);
  out.Put(Family::kPanes, KeyWriter().U8(static_cast<uint8_t>(WindowTable::kCursor)).U16(index_).view(), cursor.view());
  cursor_dirty_ = false;
}

Status WindowView::LoadCursor(std::string_view bytes) {
  ByteReader value(bytes);
  if (const uint8_t version = value.U8(); version != kCursorVersion) {
    return Status(Code::kVersion,
                  fmt::format("a closing cursor has format {}, this build reads {}", version, kCursorVersion));
  }
  begun_ = value.Bool();
  closed_any_ = value.Bool();
  next_.start = value.Time();
  next_.end = value.Time();
  walking_ = value.Bool();
  walk_openness_ = static_cast<Openness>(value.U8());
  const uint32_t walked_to = value.U32();
  if (walked_to != kNobody) walked_to_ = walked_to;
  const std::string_view open_buckets = value.Bytes();
  TC_RETURN_IF_ERROR(value.Finish("closing cursor"));
  if (open_buckets_ != nullptr && !open_buckets.empty()) return open_buckets_->Decode(open_buckets);
  return Status::Ok();
}

Status WindowView::LoadBucket(EventTime start, std::string_view bytes) {
  ByteReader value(bytes);
  const uint8_t version = value.U8();
  if (version < 1 || version > kBucketVersion) {
    return Status(Code::kVersion, fmt::format("a bucket has format {}, this build reads {}", version, kBucketVersion));
  }
  Bucket& bucket = buckets_[start];
  bucket.span.start = start;
  bucket.span.end = value.Time();
  bucket.closed = value.Bool();
  bucket.target_active = value.Bool();
  const uint8_t openness = value.U8();
  bucket.openness = static_cast<Openness>(openness);
  const bool settled = version > 1 && value.Bool();
  bucket.settled = bucket.in_store = settled && hopping_size_ == 0;  // the view may have got hopping windows since
  bucket.meta_dirty = false;
  bucket.meta_stored = true;
  TC_RETURN_IF_ERROR(value.Finish("bucket"));
  if (openness > 2 || bucket.span.end <= start) {
    return Status(Code::kCorruption, fmt::format("a stored bucket makes no sense: start {} end {} openness {}",
                                                 start.us, bucket.span.end.us, openness));
  }
  return Status::Ok();
}

Status WindowView::LoadPane(EventTime start, uint32_t id, std::string_view value) {
  const auto at = buckets_.find(start);
  if (at == buckets_.end() || at->second.settled)
    return Status(Code::kCorruption, fmt::format("a stored pane has no bucket: start {}", start.us));
  Bucket& bucket = at->second;
  PaneTable& pane = PaneToLoad(bucket);
  TC_RETURN_IF_ERROR(pane.LoadRow(id, value));
  if (pane.revised(pane.Find(id))) pending_.emplace(start, id);
  tombstones_.push_back(PaneKey(index_, start, id));
  return Status::Ok();
}

Status WindowView::LoadPanes(size_t series) {
  for (auto& [start, bucket] : buckets_) {
    if (bucket.settled) continue;
    TC_RETURN_IF_ERROR(LoadPane(bucket, series));
    // Rows find their places faster before.
    if (bucket.closed && bucket.pane != nullptr) bucket.pane->Seal(hopping_size_ > 0);
  }
  return Status::Ok();
}

Status WindowView::LoadPane(Bucket& bucket, size_t series) {
  const EventTime start = bucket.span.start;
  Status loaded;
  const std::string blocks = PaneBlockPrefix(index_, start);
  TC_RETURN_IF_ERROR(
      stored_.store->Scan(Family::kPanes, blocks, blocks, [&](std::string_view key, std::string_view value) {
        KeyReader at(key.substr(blocks.size()));
        const uint32_t block = at.U32();
        loaded = at.Finish("key of a block of panes");
        if (loaded.ok()) loaded = PaneToLoad(bucket).LoadBlock(block, series, value);
        return loaded.ok();
      }));
  TC_RETURN_IF_ERROR(loaded);
  const std::string deltas = PaneDeltaPrefix(index_, start);
  TC_RETURN_IF_ERROR(
      stored_.store->Scan(Family::kPanes, deltas, deltas, [&](std::string_view key, std::string_view value) {
        KeyReader at(key.substr(deltas.size()));
        const uint64_t number = at.U64();
        loaded = at.Finish("key of a delta of panes");
        if (loaded.ok()) loaded = PaneToLoad(bucket).LoadDelta(number, series, value);
        return loaded.ok();
      }));
  TC_RETURN_IF_ERROR(loaded);
  PaneTable* const pane = bucket.pane.get();
  for (uint32_t row = 0; pane != nullptr && row < pane->size(); ++row) {
    if (pane->revised(row)) pending_.emplace(start, pane->id(row));
  }
  if (!layout_.has_distinct()) return Status::Ok();
  const std::string sketches = DistinctPrefix(index_, start);
  TC_RETURN_IF_ERROR(
      stored_.store->Scan(Family::kPanes, sketches, sketches, [&](std::string_view key, std::string_view value) {
        KeyReader at(key.substr(sketches.size()));
        const uint32_t id = at.U32();
        const uint16_t feature = at.U16();
        loaded = at.Finish("key of a distinct count");
        if (loaded.ok() && pane == nullptr)
          loaded = Status(Code::kCorruption,
                          fmt::format("a stored distinct count has no pane: start {} series {}", start.us, id));
        if (loaded.ok()) loaded = pane->LoadSketch(id, feature, value);
        return loaded.ok();
      }));
  return loaded;
}

Status WindowView::LoadSession(uint16_t window, uint32_t id, EventTime start, std::string_view value) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    if (session_index_[i] != window) continue;
    tombstones_.push_back(sessions_[i].RowKey(id, start));
    return sessions_[i].LoadRow(id, start, value);
  }
  return Status(Code::kCorruption, fmt::format("a stored session is of a window that is not there: {}", window));
}

Status WindowView::LoadSessionBlock(uint16_t window, uint32_t block, size_t series, std::string_view value) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    if (session_index_[i] == window) return sessions_[i].LoadBlock(block, series, value);
  }
  return Status(Code::kCorruption, fmt::format("a stored session is of a window that is not there: {}", window));
}

Status WindowView::LoadSessionDelta(uint16_t window, uint64_t number, size_t series, std::string_view value) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    if (session_index_[i] == window) return sessions_[i].LoadDelta(number, series, value);
  }
  return Status(Code::kCorruption, fmt::format("a stored session is of a window that is not there: {}", window));
}

Status WindowView::LoadWindowRevision(uint16_t window, EventTime start, uint32_t id, std::string_view value) {
  for (size_t i = 0; i < hopping_.size(); ++i) {
    if (hopping_index_[i] == window) return hopping_[i].LoadRevision(start, id, value);
  }
  return Status(Code::kCorruption, fmt::format("a stored revision is of a window that is not there: {}", window));
}

void WindowView::FinishLoad() {
  for (auto& [start, bucket] : buckets_) {
    if (bucket.closed && bucket.pane != nullptr && keeps_closed()) bucket.pane->Seal(hopping_size_ > 0);
  }
}

Status WindowView::CheckLoaded(size_t series) const {
  const auto damaged = [this](std::string_view what) {
    return Status(Code::kCorruption, fmt::format("a closing cursor makes no sense: {}: start {} end {} openness {}",
                                                 what, next_.start.us, next_.end.us, static_cast<int>(walk_openness_)))
        .WithRemedy("restore the task from its changelog or from a savepoint");
  };
  for (const auto& [start, bucket] : buckets_) {
    if (!IsPlausible(start) || !IsPlausible(bucket.span.end)) return damaged("a bucket lies outside of all time");
  }
  if (walk_openness_ > Openness::kShut) return damaged("openness");
  if (begun_ && (!IsPlausible(next_.start) || !IsPlausible(next_.end) || next_.end <= next_.start))
    return damaged("bucket");
  if (walking_ && !buckets_.contains(next_.start)) return damaged("it walks over a bucket that is not there");
  if (walked_to_ && *walked_to_ >= series) return damaged("it stands at a series that is not there");
  return CheckRowsHaveBuckets();
}

// A bucket that begins later would take rows over that were stored at its start. None begins before what late events
// may still reach, and none where one is: so only the times between them are looked at, not each window that is kept.
Status WindowView::CheckRowsHaveBuckets() const {
  EventTime free = EventTime::Min();
  if (begun_) {
    free =
        next_.start - options_.allowed_lateness - static_cast<int64_t>(hopping_size_ + 1) * (next_.end - next_.start);
  }
  for (const auto& [start, bucket] : buckets_) {
    if (free < start) TC_RETURN_IF_ERROR(CheckNoRows(free, start));
    free = std::max(free, bucket.span.end);
  }
  return CheckNoRows(free, EventTime::Max());
}

Status WindowView::CheckNoRows(EventTime from, EventTime to) const {
  for (const WindowTable table : {WindowTable::kPaneBlock, WindowTable::kPaneDelta, WindowTable::kDistinct}) {
    const std::string prefix = KeyWriter().U8(static_cast<uint8_t>(table)).U16(index_).Take();
    EventTime start = EventTime::Max();
    TC_RETURN_IF_ERROR(stored_.store->Scan(Family::kPanes, prefix, prefix + KeyWriter().Time(from).Take(),
                                           [&](std::string_view key, std::string_view) {
                                             start = KeyReader(key.substr(prefix.size())).Time();
                                             return false;
                                           }));
    if (start < to) {
      return Status(Code::kCorruption, fmt::format("stored rows of windows have no bucket: start {}", start.us))
          .WithRemedy("restore the task from its changelog or from a savepoint");
    }
  }
  return Status::Ok();
}

}  // namespace tidecast
