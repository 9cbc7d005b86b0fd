#include "operators/window_view.h"

#include <algorithm>

// How an event comes in (Add):
//   1. its bucket is found, or made; one that lies behind the closing is made as a closed one;
//   2. its pane takes the event;
//   3. a series that was not born by then is: buckets that have closed since get zero rows as revisions;
//   4. when the bucket (or, in the walk under way, the series) is done, the row becomes a pending revision, and so do
//   the
//      hopping windows over it.
// Closing is in window_walk.cc, state in window_view_state.cc.

namespace tidecast {

namespace {

// A share of another stage's view: only keys with an event, each bucket as it comes. The calendar's rules and further
// windows are the other stage's to apply.
ViewOptions PartialOptions(ViewOptions options) {
  options.emit_empty = false;
  options.windows.clear();
  options.retire_after = {};
  options.forecast = false;
  const CalendarOptions whole;
  options.calendar.open = whole.open;
  options.calendar.weekdays = whole.weekdays;
  options.calendar.holidays = whole.holidays;
  options.calendar.closed_on_holidays = whole.closed_on_holidays;
  options.calendar.open_minute = whole.open_minute;
  options.calendar.close_minute = whole.close_minute;
  return options;
}

}  // namespace

WindowView::~WindowView() = default;

Result<std::unique_ptr<WindowView>> WindowView::Make(uint16_t index, const ViewOptions& options,
                                                     const std::vector<std::string>& input_names,
                                                     const std::vector<InputKind>& input_kinds, WindowRole role,
                                                     StoredPanes& stored) {
  const auto config_error = [&options](std::string text, std::string remedy) {
    return Status(Code::kConfig, fmt::format("{}: view {}", text, options.name), Domain::kInput)
        .WithRemedy(std::move(remedy));
  };
  if (options.allowed_lateness.count() < 0) return config_error("the allowed lateness is negative", "set 0 or more");
  std::unique_ptr<WindowView> view(
      new WindowView(index, role == WindowRole::kPartial ? PartialOptions(options) : options, role, stored));
  TC_ASSIGN_OR_RETURN(view->layout_, Accumulator::Make(options, input_names, input_kinds));
  TC_ASSIGN_OR_RETURN(view->calendar_, BucketCalendar::Make(options.calendar));
  const auto target = std::find_if(options.features.begin(), options.features.end(),
                                   [&](const FeatureOptions& feature) { return feature.name == options.target; });
  view->target_ = target == options.features.end() ? 0 : static_cast<size_t>(target - options.features.begin());
  view->has_known_ = view->options_.forecast && KnownCovariates(input_kinds, options.calendar) > 0;
  view->has_known_facts_ = HasKnownFacts(input_kinds);
  view->has_open_holidays_ = HasOpenHolidays(options.calendar);
  view->has_facts_ = std::any_of(view->layout_.columns().begin(), view->layout_.columns().end(),
                                 [](const Accumulator::Column& c) { return c.is_fact; });
  view->has_catalog_births_ =
      options.group_by == GroupBy::kKey && input_kinds[view->layout_.target_input()] == InputKind::kOrders;
  if (view->options_.forecast && view->has_catalog_births_) {
    const auto stock = std::find(input_kinds.begin(), input_kinds.end(), InputKind::kInventory);
    if (stock != input_kinds.end()) view->stock_input_ = static_cast<uint16_t>(stock - input_kinds.begin());
  }
  if (view->has_facts_ && options.group_by != GroupBy::kKey) {
    return config_error("a fact is a value of one key, so only a view grouped by the key can have it as a feature",
                        "take the feature out");
  }
  for (uint16_t w = 0; w < view->options_.windows.size(); ++w) {
    const WindowOptions& window = view->options_.windows[w];
    if (window.kind == WindowKind::kSession && role == WindowRole::kMerged) {
      return config_error(
          fmt::format("a session needs the events themselves, and this view gets its keys' sums: {}", window.name),
          "group by key or customer, or take a hopping window");
    }
    if (window.kind == WindowKind::kHopping) {
      if (window.size_buckets < 1)
        return config_error(fmt::format("a hopping window has no bucket: {}", window.name),
                            "set size_buckets to 1 or more");
      view->hopping_.emplace_back(view->layout_, index, w, static_cast<size_t>(window.size_buckets));
      view->hopping_index_.push_back(w);
      view->hopping_size_ = std::max(view->hopping_size_, static_cast<size_t>(window.size_buckets));
    } else {
      if (window.gap.count() <= 0)
        return config_error(fmt::format("a session window has no gap: {}", window.name), "set the gap, e.g. 30m");
      view->sessions_.emplace_back(view->layout_, index, w, window.gap, options.allowed_lateness);
      view->session_index_.push_back(w);
    }
  }
  view->Clear();
  return view;
}

void WindowView::Clear() {
  buckets_.clear();
  spare_panes_.clear();
  span_ = {};
  span_.start = span_.end = EventTime::Max();
  bucket_ = nullptr;
  begun_ = closed_any_ = walking_ = cursor_dirty_ = arranged_ = false;
  next_ = {};
  walked_to_.reset();
  if (has_known_) open_buckets_ = OpenBuckets::Make(*calendar_, options_.calendar);
  pending_.clear();
  for (HoppingWindow& window : hopping_) window.Clear();
  for (SessionWindows& sessions : sessions_) sessions.Clear();
  removed_.clear();
  tombstones_.clear();
}

void WindowView::Locate(EventTime time) {
  bucket_ = nullptr;
  auto at = buckets_.upper_bound(time);
  if (at != buckets_.begin()) {
    --at;
    if (time < at->second.span.end) {
      bucket_ = &at->second;
      span_ = bucket_->span;
      return;
    }
  }
  span_ = calendar_->BucketOf(time);
}

const int64_t* WindowView::RowSoFar(uint32_t id) {
  PaneTable* const pane = bucket_ == nullptr ? nullptr : PaneOf(*bucket_);
  const uint32_t row = pane == nullptr ? PaneTable::kNoRow : pane->FindOrLoad(id);
  return row == PaneTable::kNoRow ? nullptr : pane->slots(row);
}

PaneTable& WindowView::PaneToLoad(Bucket& bucket) {
  if (bucket.pane != nullptr) return *bucket.pane;
  if (spare_panes_.empty()) spare_panes_.push_back(std::make_unique<PaneTable>(layout_));
  bucket.pane = std::move(spare_panes_.back());
  spare_panes_.pop_back();
  return *bucket.pane;
}

PaneTable& WindowView::MakePane(Bucket& bucket) {
  PaneToLoad(bucket);
  if (bucket.closed) bucket.pane->Seal(hopping_size_ > 0);
  if (bucket.in_store) bucket.pane->Attach(stored_, index_, bucket.span.start);
  return *bucket.pane;
}

PaneTable* WindowView::PaneOf(Bucket& bucket) {
  if (bucket.pane == nullptr && bucket.in_store) MakePane(bucket);
  return bucket.pane.get();
}

WindowView::Bucket& WindowView::BucketAt(const BucketCalendar::Span& span) {
  const auto [at, is_new] = buckets_.try_emplace(span.start);
  Bucket& bucket = at->second;
  if (is_new) bucket.span = span;
  if (bucket.pane == nullptr) MakePane(bucket);
  return bucket;
}

// A bucket before all that this task has closed: it and those up to the first known one count as closed, unpublished.
void WindowView::CloseBackTo(EventTime start) {
  EventTime known = next_.start;
  if (!buckets_.empty()) known = std::min(known, buckets_.begin()->first);
  for (BucketCalendar::Span span = calendar_->BucketOf(start); span.start < known;
       span = calendar_->BucketOf(span.end)) {
    const auto [at, is_new] = buckets_.try_emplace(span.start);
    if (!is_new) continue;
    Bucket& bucket = at->second;
    bucket.span = span;
    bucket.closed = true;
    const bool surely_open = options_.calendar.open != OpenRule::kLearned && calendar_->OpenByRule(span.start);
    bucket.openness = surely_open ? Openness::kOpen : Openness::kTouched;
  }
}

bool WindowView::IsPast(const Bucket& bucket, uint32_t id, const SeriesDictionary& dictionary) const {
  if (bucket.closed) return true;
  return walking_ && walked_to_ && bucket.span.start == next_.start &&
         dictionary.name(id) <= dictionary.name(*walked_to_);
}

// The bucket that was located last, made when it is not there.
void WindowView::EnsureBucket() {
  if (!begun_) {
    begun_ = true;
    next_ = span_;
    cursor_dirty_ = true;
  } else if (span_.start < next_.start) {
    if (closed_any_ || walking_) {
      CloseBackTo(span_.start);
    } else {
      next_ = span_;
      cursor_dirty_ = true;
    }
  }
  bucket_ = &BucketAt(span_);
  TC_CHECK(bucket_->closed || span_.start >= next_.start, "bucket {} was let go, closing is at {}", span_.start.us,
           next_.start.us);
}

inline void WindowView::AfterChange(Bucket& bucket, uint32_t id, uint32_t row, bool is_target,
                                    SeriesDictionary& dictionary) {
  if (is_target && !bucket.target_active) {
    bucket.target_active = bucket.meta_dirty = true;
  }
  if (bucket.span.start < dictionary.birth(index_, id)) [[unlikely]]
    GiveBirth(bucket, id, dictionary);
  if (retires()) dictionary.SetSign(index_, id, bucket.span.start);
  if (bucket.closed || walking_) [[unlikely]] {
    arranged_ = false;
    if (bucket.closed && bucket.openness == Openness::kShut && is_target) {
      bucket.openness = Openness::kTouched;
      bucket.meta_dirty = true;
    }
    if (IsPast(bucket, id, dictionary)) {
      Revise(bucket, id, row);
      ReviseHopping(bucket.span.start, id);
    }
    for (HoppingWindow& window : hopping_) window.Invalidate(id);
  }
}

void WindowView::Add(uint32_t id, const Event& event, EventTime judged_by, SeriesDictionary& dictionary) {
  if (bucket_ == nullptr || bucket_->pane == nullptr) [[unlikely]]
    EnsureBucket();
  Bucket& bucket = *bucket_;
  const uint32_t row = bucket.pane->FindOrAdd(id);
  bucket.pane->AddEvent(row, event);
  AfterChange(bucket, id, row, event.input == layout_.target_input(), dictionary);
  for (SessionWindows& sessions : sessions_) sessions.Add(id, event, judged_by);
}

void WindowView::Merge(uint32_t id, const std::vector<DecodedRow>& rows, bool anew, bool target_active,
                       SeriesDictionary& dictionary) {
  if (bucket_ == nullptr || bucket_->pane == nullptr) EnsureBucket();
  Bucket& bucket = *bucket_;
  const uint32_t row = bucket.pane->FindOrAdd(id);
  if (anew) bucket.pane->ResetRow(row);
  for (const DecodedRow& from : rows) bucket.pane->MergeRow(row, from.slots.data(), from.sketches);
  AfterChange(bucket, id, row, target_active, dictionary);
}

bool WindowView::ExtendTo(EventTime newest) {
  if (!begun_ || newest < next_.start) return false;
  const BucketCalendar::Span span = calendar_->BucketOf(newest);
  const auto [at, is_new] = buckets_.try_emplace(span.start);
  if (is_new) at->second.span = span;
  return is_new;
}

void WindowView::Bear(uint32_t id, EventTime time, SeriesDictionary& dictionary) {
  if (!has_catalog_births_) return;
  const bool is_born = dictionary.birth(index_, id) != EventTime::Max();
  if (is_born && !retires()) return;
  EventTime start = calendar_->BucketOf(time).start;
  if (retires()) dictionary.SetSign(index_, id, start);
  if (is_born) return;
  if (begun_ && start <= next_.start) {
    const bool is_past = walking_ && walked_to_ && dictionary.name(id) <= dictionary.name(*walked_to_);
    start = is_past ? next_.end : next_.start;
  }
  dictionary.SetBirth(index_, id, start);
  arranged_ = false;
}

void WindowView::Revise(Bucket& bucket, uint32_t id, uint32_t row) {
  const auto openness = bucket.closed ? bucket.openness : walk_openness_;
  if (openness == Openness::kShut) return;
  if (bucket.pane->MarkRevised(row)) pending_.emplace(bucket.span.start, id);
}

void WindowView::ReviseHopping(EventTime start, uint32_t id) {
  for (HoppingWindow& window : hopping_) {
    size_t reach = window.size();
    for (auto at = buckets_.find(start); at != buckets_.end() && at->second.closed && reach > 0; ++at, --reach) {
      window.MarkRevised(at->first, id);
    }
    // The bucket in the walk, when this series is done there.
    if (reach > 0 && walking_ && walked_to_ && start <= next_.start) {
      const auto at = buckets_.find(next_.start);
      if (at != buckets_.end() && !at->second.closed) window.MarkRevised(next_.start, id);
    }
  }
}

void WindowView::GiveBirth(Bucket& bucket, uint32_t id, SeriesDictionary& dictionary) {
  const EventTime old_birth = dictionary.birth(index_, id);
  dictionary.SetBirth(index_, id, bucket.span.start);
  if (!options_.emit_empty) return;
  for (auto at = buckets_.upper_bound(bucket.span.start); at != buckets_.end() && at->first < old_birth; ++at) {
    Bucket& later = at->second;
    if (!IsPast(later, id, dictionary)) break;
    const auto openness = later.closed ? later.openness : walk_openness_;
    if (openness != Openness::kOpen) continue;
    BucketAt(later.span);
    Revise(later, id, later.pane->FindOrAdd(id));
  }
}

bool WindowView::hopping_pending() const {
  return std::any_of(hopping_.begin(), hopping_.end(),
                     [](const HoppingWindow& window) { return window.has_pending(); });
}

EventTime WindowView::next_session_close() const {
  EventTime next = EventTime::Max();
  for (const SessionWindows& sessions : sessions_) next = std::min(next, sessions.next_close());
  return next;
}

void WindowView::ActiveBuckets(std::vector<EventTime>* starts) const {
  for (const auto& [start, bucket] : buckets_) {
    if (!bucket.closed && bucket.target_active) starts->push_back(start);
  }
}

double WindowView::OpenValue(std::optional<uint32_t> id, size_t feature) const {
  if (!HasOpenBucket()) return std::numeric_limits<double>::quiet_NaN();
  const Bucket& bucket = buckets_.rbegin()->second;
  const uint32_t row = id && bucket.pane != nullptr ? bucket.pane->Find(*id) : PaneTable::kNoRow;
  if (row == PaneTable::kNoRow) return layout_.Value(feature, layout_.zero_row(), 0);
  return bucket.pane->Value(feature, row);
}

std::vector<WindowAggregator::KeptBucket> WindowView::BucketsOf(uint32_t id) {
  std::vector<WindowAggregator::KeptBucket> kept;
  for (auto& [start, bucket] : buckets_) {
    PaneTable* const pane = PaneOf(bucket);
    const uint32_t row = pane != nullptr ? pane->FindOrLoad(id) : PaneTable::kNoRow;
    if (row == PaneTable::kNoRow) continue;
    WindowAggregator::KeptBucket& out = kept.emplace_back();
    out.start = start;
    out.end = bucket.span.end;
    out.closed = bucket.closed;
    out.revision = bucket.pane->revision(row);
    out.revision_pending = bucket.pane->revised(row);
    for (size_t f = 0; f < layout_.columns().size(); ++f) {
      out.features.push_back(layout_.columns()[f].is_fact ? std::numeric_limits<double>::quiet_NaN()
                                                          : bucket.pane->Value(f, row));
    }
  }
  return kept;
}

size_t WindowView::dirty_bytes() const {
  size_t bytes = 0;
  for (const auto& [start, bucket] : buckets_) bytes += bucket.pane ? bucket.pane->dirty_bytes() : 0;
  for (const SessionWindows& sessions : sessions_) bytes += sessions.dirty_bytes();
  return bytes;
}

size_t WindowView::memory_bytes() const {
  size_t bytes =
      (walk_ids_.capacity() * sizeof(uint32_t)) + pending_.size() * 64 + tombstones_.capacity() * sizeof(std::string);
  for (const auto& [start, bucket] : buckets_)
    bytes += sizeof bucket + 48 + (bucket.pane ? bucket.pane->memory_bytes() : 0);
  for (const auto& pane : spare_panes_) bytes += pane->memory_bytes();
  for (const Removed& removed : removed_) bytes += removed.pane ? removed.pane->memory_bytes() : 0;
  for (const HoppingWindow& window : hopping_) bytes += window.memory_bytes();
  for (const SessionWindows& sessions : sessions_) bytes += sessions.memory_bytes();
  return bytes;
}

}  // namespace tidecast
