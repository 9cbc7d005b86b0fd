#include <algorithm>

#include "operators/window_keys.h"
#include "operators/window_view.h"

// How a bucket closes (CloseNext), resumable after any series:
//   1. decide whether it is open (rule, or what the tasks have seen); wait while that is not known;
//   2. in name order, for each series: its row, then its hopping windows;
//   3. say that the bucket is over, seal its pane or let it go, move on to the next one.
// The cursor (bucket, decision, last series) is state; the list of series is made anew when something came in between.

namespace tidecast {

bool WindowView::BeginWalk(Walk& walk) {
  const auto at = buckets_.find(next_.start);
  const bool active = at != buckets_.end() && at->second.target_active;
  if (options_.calendar.open == OpenRule::kLearned) {
    const auto answer = active ? ActivityBoard::Answer::kActive : walk.activity.Ask(index_, next_.start, next_.end);
    if (answer == ActivityBoard::Answer::kUnknown) return false;
    walk_openness_ = answer == ActivityBoard::Answer::kActive ? Openness::kOpen : Openness::kShut;
  } else {
    walk_openness_ = calendar_->OpenByRule(next_.start) ? Openness::kOpen : Openness::kTouched;
  }
  buckets_[next_.start].span = next_;
  walking_ = true;
  cursor_dirty_ = true;
  arranged_ = false;
  walked_to_.reset();
  if (open_buckets_ != nullptr) {
    const bool touched = at != buckets_.end() && at->second.pane != nullptr && at->second.pane->touched();
    open_buckets_->OnBucketEnd(next_.start,
                               walk_openness_ == Openness::kOpen || (walk_openness_ == Openness::kTouched && touched));
  }
  return true;
}

void WindowView::ArrangeWalk(SeriesDictionary& dictionary) {
  const std::vector<uint32_t>& order = dictionary.Order();
  const PaneTable* pane = walk_pane_ = buckets_.at(next_.start).pane.get();
  const bool all = walk_openness_ == Openness::kOpen && options_.emit_empty;
  walk_ids_.clear();
  if (all || !hopping_.empty() || retires()) {
    for (const uint32_t id : order) {
      if (dictionary.birth(index_, id) <= next_.start) walk_ids_.push_back(id);
    }
  } else if (pane != nullptr && walk_openness_ != Openness::kShut) {
    for (uint32_t row = 0; row < pane->size(); ++row) walk_ids_.push_back(pane->id(row));
    std::sort(walk_ids_.begin(), walk_ids_.end(),
              [&](uint32_t a, uint32_t b) { return dictionary.rank(a) < dictionary.rank(b); });
  }
  walk_at_ = 0;
  if (walked_to_) {
    const uint32_t done = dictionary.rank(*walked_to_);
    walk_at_ = static_cast<size_t>(std::partition_point(walk_ids_.begin(), walk_ids_.end(),
                                                        [&](uint32_t id) { return dictionary.rank(id) <= done; }) -
                                   walk_ids_.begin());
  }
  walk_steps_.clear();
  if (open_buckets_ != nullptr && walk_openness_ != Openness::kShut && !walk_ids_.empty() &&
      open_buckets_->open_count() > 0) {
    walk_steps_.push_back(next_);
    for (const CalendarStep& step : open_buckets_->Context(options_.horizon).ahead)
      walk_steps_.push_back({step.start, step.end});
  }
  walk_panes_.clear();
  walk_window_starts_.clear();
  for (const HoppingWindow& window : hopping_) {
    walk_panes_.push_back(PanesBack(next_.start, window.size() + 1));
    walk_window_starts_.push_back(StartBack(next_.start, window.size() - 1));
  }
  arranged_series_ = dictionary.size();
  arranged_ = true;
}

std::vector<const PaneTable*> WindowView::PanesBack(EventTime newest_start, size_t count) const {
  std::vector<const PaneTable*> panes(count, nullptr);
  EventTime start = newest_start;
  auto at = buckets_.upper_bound(newest_start);
  for (size_t i = 0; i < count; ++i) {
    if (at == buckets_.begin()) break;
    --at;
    if (i == 0) TC_CHECK(at->first == newest_start);
    if (i > 0 && at->second.span.end != start) break;  // before that, nothing is known
    panes[i] = at->second.pane.get();
    start = at->first;
  }
  return panes;
}

EventTime WindowView::StartBack(EventTime newest_start, size_t buckets) const {
  EventTime start = newest_start;
  auto at = buckets_.lower_bound(newest_start);
  for (size_t i = 0; i < buckets; ++i) {
    if (at != buckets_.begin() && std::prev(at)->second.span.end == start) {
      --at;
      start = at->first;
    } else {
      start = calendar_->Previous(start).start;
    }
  }
  return start;
}

void WindowView::FillValues(const PaneTable* pane, uint32_t row, uint32_t id, EventTime end, const FactTable& facts) {
  values_.resize(layout_.columns().size());
  for (size_t f = 0; f < values_.size(); ++f) {
    values_[f] = row == PaneTable::kNoRow ? layout_.Value(f, layout_.zero_row(), 0) : pane->Value(f, row);
    if (!has_facts_ || !layout_.columns()[f].is_fact) continue;
    const Accumulator::Column& c = layout_.columns()[f];
    const std::optional<Decimal> value = facts.ValueAt(id, c.input, c.field, end, end - Duration(1));
    if (value) values_[f] = value->ToDouble();
  }
}

// A level that came during the bucket and went before its end is not seen; sales that it brought are.
bool WindowView::IsOutOfStock(uint32_t id, EventTime end, const FactTable& facts) const {
  if (!stock_input_ || facts.empty()) return false;
  for (const EventTime at : {next_.start, end - Duration(1)}) {
    const std::optional<Decimal> on_hand = facts.ValueAt(id, *stock_input_, NumberField::kOnHand, end, at);
    if (!on_hand || on_hand->micros > 0) return false;
  }
  return true;
}

void WindowView::FillKnown(uint32_t id, EventTime end, const FactTable& facts) {
  known_.clear();
  for (const BucketCalendar::Span& step : walk_steps_) {
    if (has_known_facts_) {
      known_.push_back(facts.empty() ? 0.F : static_cast<float>(facts.PromotionDepth(id, end, step.start, step.end)));
      known_.push_back(facts.empty() ? 1.F : static_cast<float>(facts.PriceRatio(id, end, step.end)));
    }
    if (has_open_holidays_) known_.push_back(static_cast<float>(calendar_->HolidaysIn(step.start)));
  }
}

bool WindowView::IsOver(uint32_t id, const SeriesDictionary& dictionary) const {
  const EventTime sign = dictionary.last_sign(index_, id);
  return next_.start - (sign == EventTime::Min() ? dictionary.birth(index_, id) : sign) >= options_.retire_after;
}

void WindowView::SendContribution(Walk& walk, const Bucket& bucket, EventTime start, uint32_t id, uint32_t row,
                                  uint32_t revision) {
  ByteWriter bytes;
  EncodeRow(layout_, bucket.pane->slots(row), bucket.pane->sketches(), bytes);
  walk.sink.OnContribution({index_, 0, walk.dictionary.name(id), start, bucket.span.end, revision, bucket.target_active,
                            bytes.view(), bucket.pane->Value(target_, row)});
}

bool WindowView::EmitSeries(Walk& walk, uint32_t id) {
  const PaneTable* pane = walk_pane_;
  const uint32_t row = pane == nullptr ? PaneTable::kNoRow : pane->Find(id);
  if (role_ == WindowRole::kPartial) {
    if (row == PaneTable::kNoRow) return false;
    SendContribution(walk, buckets_.at(next_.start), next_.start, id, row, 1);
    return true;
  }
  if (retires() && row == PaneTable::kNoRow && walk_openness_ == Openness::kOpen && IsOver(id, walk.dictionary)) {
    walk.dictionary.Retire(index_, id);
    walk.sink.OnRetired(index_, walk.dictionary.name(id), next_.start, next_.end);
    return true;
  }
  bool emitted = false;
  if (row != PaneTable::kNoRow ? walk_openness_ != Openness::kShut
                               : walk_openness_ == Openness::kOpen && options_.emit_empty) {
    FillValues(pane, row, id, next_.end, walk.facts);
    FillKnown(id, next_.end, walk.facts);
    const bool has_category = walk.categories != nullptr && role_ == WindowRole::kRows && options_.forecast;
    walk.sink.OnBucket({index_, walk.dictionary.name(id), next_.start, next_.end, 1, EventTime::Min(), values_, known_,
                        row == PaneTable::kNoRow ? 0 : pane->slots(row)[0], IsOutOfStock(id, next_.end, walk.facts),
                        has_category ? walk.categories->At(id, next_.start) : std::string_view()});
    emitted = true;
  }
  for (size_t w = 0; w < hopping_.size(); ++w) {
    const int64_t events = hopping_[w].Advance(id, next_.start, next_.end, walk_panes_[w], &values_);
    if (events == 0) continue;
    walk.sink.OnWindow(
        {index_, walk.dictionary.name(id), walk_window_starts_[w], next_.end, 1, EventTime::Min(), values_, {}, events},
        hopping_index_[w]);
    emitted = true;
  }
  return emitted;
}

WindowView::Outcome WindowView::CloseNext(Walk& walk) {
  TC_CHECK(begun_ && next_.end <= walk.watermark);
  if (!walking_ && !BeginWalk(walk)) return Outcome::kWait;
  if (!arranged_ || arranged_series_ != walk.dictionary.size()) ArrangeWalk(walk.dictionary);
  for (; walk_at_ < walk_ids_.size(); ++walk_at_) {
    if (walk.rows_left == 0) return Outcome::kNoRoom;
    const uint32_t id = walk_ids_[walk_at_];
    if (EmitSeries(walk, id)) --walk.rows_left;
    walked_to_ = id;
    cursor_dirty_ = true;
  }
  if (walk.rows_left == 0) return Outcome::kNoRoom;
  --walk.rows_left;
  FinishWalk(walk);
  return Outcome::kDone;
}

void WindowView::FinishWalk(Walk& walk) {
  Bucket& bucket = buckets_.at(next_.start);
  const bool touched = bucket.pane != nullptr && bucket.pane->touched();
  const bool open = role_ == WindowRole::kPartial
                        ? bucket.target_active
                        : walk_openness_ == Openness::kOpen || (walk_openness_ == Openness::kTouched && touched);
  walk.sink.OnBucketEnd(index_, next_.start, next_.end, open);
  bucket.closed = true;
  bucket.openness = walk_openness_;
  bucket.meta_dirty = true;
  if (bucket.pane != nullptr && keeps_closed()) bucket.pane->Seal(hopping_size_ > 0);
  closed_any_ = true;
  walking_ = false;
  arranged_ = false;
  walked_to_.reset();
  next_ = calendar_->BucketOf(next_.end);
  cursor_dirty_ = true;
}

WindowView::Outcome WindowView::EmitRevisions(Walk& walk) {
  if (!has_revisions()) return Outcome::kDone;
  walk.dictionary.Order();
  const auto by_rank = [&walk](const std::pair<EventTime, uint32_t>& a, const std::pair<EventTime, uint32_t>& b) {
    return std::pair(a.first, walk.dictionary.rank(a.second)) < std::pair(b.first, walk.dictionary.rank(b.second));
  };
  std::vector<std::pair<EventTime, uint32_t>> due(pending_.begin(), pending_.end());
  std::sort(due.begin(), due.end(), by_rank);
  for (const auto& [start, id] : due) {
    if (walk.rows_left == 0) return Outcome::kNoRoom;
    --walk.rows_left;
    Bucket& bucket = buckets_.at(start);
    const uint32_t row = bucket.pane->Find(id);
    const uint32_t revision = bucket.pane->PublishRevision(row);
    if (role_ == WindowRole::kPartial) {
      SendContribution(walk, bucket, start, id, row, revision);
      pending_.erase({start, id});
      continue;
    }
    FillValues(bucket.pane.get(), row, id, bucket.span.end, walk.facts);
    walk.sink.OnBucket(
        {index_, walk.dictionary.name(id), start, bucket.span.end, revision, walk.watermark, values_, {}, bucket.pane->slots(row)[0]});
    pending_.erase({start, id});
  }
  for (size_t w = 0; w < hopping_.size(); ++w) {
    HoppingWindow& window = hopping_[w];
    if (!window.has_pending()) continue;
    due.clear();
    for (const auto& [at, revision] : window.revisions()) {
      if (revision.pending) due.push_back(at);
    }
    std::sort(due.begin(), due.end(), by_rank);
    for (const auto& [start, id] : due) {
      if (walk.rows_left == 0) return Outcome::kNoRoom;
      --walk.rows_left;
      const uint32_t revision = window.PublishRevision(start, id);
      const int64_t events = window.Combine(id, PanesBack(start, window.size()), &values_);
      walk.sink.OnWindow({index_,
                          walk.dictionary.name(id),
                          StartBack(start, window.size() - 1),
                          buckets_.at(start).span.end,
                          revision,
                          walk.watermark,
                          values_,
                          {},
                          events},
                         hopping_index_[w]);
    }
  }
  return Outcome::kDone;
}

WindowView::Outcome WindowView::CloseSessions(Walk& walk) {
  for (size_t w = 0; w < sessions_.size(); ++w) {
    if (sessions_[w].next_close() > walk.watermark || sessions_[w].next_close() == EventTime::Max()) continue;
    bool room = true;
    for (const SessionWindows::Due& due : sessions_[w].TakeDue(walk.watermark, walk.dictionary)) {
      room = room && walk.rows_left > 0;
      if (!room) {
        sessions_[w].PutBack(due);
        continue;
      }
      --walk.rows_left;
      const int64_t events = sessions_[w].Publish(due, &values_);
      walk.sink.OnWindow({index_,
                          walk.dictionary.name(due.id),
                          due.start,
                          due.end,
                          due.revision,
                          due.revision > 1 ? walk.watermark : EventTime::Min(),
                          values_,
                          {},
                          events},
                         session_index_[w]);
    }
    if (!room) return Outcome::kNoRoom;
  }
  return Outcome::kDone;
}

void WindowView::Remove(std::map<EventTime, Bucket>::iterator at) {
  Bucket& bucket = at->second;
  if (bucket_ == &bucket) {
    bucket_ = nullptr;
    span_.start = span_.end = EventTime::Max();
  }
  if (bucket.meta_stored || bucket.pane != nullptr)
    removed_.push_back({at->first, std::move(bucket.pane), bucket.meta_stored, bucket.in_store, {}});
  buckets_.erase(at);
}

void WindowView::Prune(EventTime watermark) {
  // At the end of input everything stays: a later run over a longer log may still revise it.
  if (!watermark.IsFinite()) return;
  for (SessionWindows& sessions : sessions_) sessions.Prune(watermark);
  auto keep = buckets_.begin();
  while (keep != buckets_.end() && keep->second.closed &&
         keep->second.span.end + options_.allowed_lateness <= watermark)
    ++keep;
  // Windows over the oldest bucket that may still change reach back from it.
  for (size_t i = 0; i < hopping_size_ && keep != buckets_.begin(); ++i) --keep;
  if (keep == buckets_.begin()) return;
  const EventTime before = keep == buckets_.end() ? next_.start : keep->first;
  while (!buckets_.empty() && buckets_.begin()->first < before) Remove(buckets_.begin());
  for (HoppingWindow& window : hopping_) window.PruneRevisions(before, &tombstones_);
}

}  // namespace tidecast
