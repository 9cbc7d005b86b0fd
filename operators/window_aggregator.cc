#include "operators/window_aggregator.h"

#include <algorithm>
#include <array>

#include "operators/category_table.h"
#include "operators/contribution_table.h"
#include "operators/dedupe_table.h"
#include "operators/fact_table.h"
#include "operators/series_dictionary.h"
#include "operators/window_keys.h"
#include "operators/window_view.h"

namespace tidecast {
namespace {

constexpr size_t kViewsMax = 16;

std::vector<Duration> LatenessOf(const std::vector<ViewOptions>& views) {
  std::vector<Duration> lateness;
  for (const ViewOptions& view : views) lateness.push_back(view.allowed_lateness);
  return lateness;
}

class KeyedWindows final : public WindowAggregator {
 public:
  static Result<std::unique_ptr<WindowAggregator>> Make(const Options& options) {
    if (options.views.empty() || options.views.size() > kViewsMax) {
      return Status(Code::kConfig, fmt::format("there must be 1 to {} views: {}", kViewsMax, options.views.size()),
                    Domain::kInput)
          .WithRemedy("name at least one view");
    }
    TC_CHECK_EQ(options.input_names.size(), options.input_kinds.size());
    TC_CHECK_EQ(options.input_names.size(), options.dedupe_keep.size());
    TC_CHECK(options.roles.empty() || options.roles.size() == options.views.size());
    std::unique_ptr<KeyedWindows> windows(new KeyedWindows(options));
    windows->views_of_input_.resize(options.input_names.size());
    for (size_t v = 0; v < options.views.size(); ++v) {
      const WindowRole role = options.roles.empty() ? WindowRole::kRows : options.roles[v];
      windows->by_index_.push_back(nullptr);
      if (role == WindowRole::kAbsent) continue;
      TC_ASSIGN_OR_RETURN(auto view, WindowView::Make(static_cast<uint16_t>(v), options.views[v], options.input_names,
                                                      options.input_kinds, role, windows->stored_));
      for (uint16_t i = 0; i < options.input_names.size() && role != WindowRole::kMerged; ++i) {
        if (view->layout().Takes(i)) windows->views_of_input_[i].push_back(view.get());
      }
      const bool is_foreign = role == WindowRole::kPartial || role == WindowRole::kForwarded;
      windows->has_foreign_ = windows->has_foreign_ || is_foreign;
      windows->has_categories_ =
          windows->has_categories_ || windows->NeedsCategories(options.views[v], role, options.input_kinds);
      windows->by_index_.back() = view.get();
      windows->views_.push_back(std::move(view));
    }
    for (uint16_t i = 0; i < options.input_names.size(); ++i) windows->dedupe_.emplace_back(i, options.dedupe_keep[i]);
    return std::unique_ptr<WindowAggregator>(std::move(windows));
  }

  Verdict OnEvent(const Event& event, EventTime judged_by) override {
    return has_foreign_ ? OnEventOf<true>(event, judged_by) : OnEventOf<false>(event, judged_by);
  }

  // `kHasForeign`: a view has its series in another stage. Without such a view nothing of them is on the way of an
  // event.
  template <bool kHasForeign>
  Verdict OnEventOf(const Event& event, EventTime judged_by) {
    if (kHasForeign) forwards_ = 0;
    TC_CHECK(event.input < views_of_input_.size() && event.time.IsFinite());
    DedupeTable& dedupe = dedupe_[event.input];
    const bool has_id = event.dedupe != 0 && dedupe.enabled();
    if (has_id && dedupe.Seen(event.dedupe, judged_by)) return Verdict::kDuplicate;
    if (!IsClock(event.kind)) {
      const uint32_t id = dictionary_.Intern(event.key);
      facts_.Add(id, event);
      if (event.kind == InputKind::kCatalog) {
        if (has_categories_) categories_.Add(id, event);
        for (const auto& view : views_) view->Bear(id, event.time, dictionary_);
      }
      if (has_id) dedupe.Remember(event.dedupe, event.time);
      return Verdict::kAccepted;
    }
    const std::vector<WindowView*>& views = views_of_input_[event.input];
    std::array<bool, kViewsMax> counts;
    bool counts_any = views.empty();
    bool late = false;
    for (size_t i = 0; i < views.size(); ++i) {
      const EventTime end = views[i]->EndOf(event.time);
      if (kHasForeign && views[i]->role() == WindowRole::kForwarded) {
        counts[i] = false;
        if (end + views[i]->allowed_lateness() <= judged_by) continue;
        if (event.customer != 0) forwards_ |= 1U << views[i]->index();
        counts_any = true;
        late |= end <= judged_by;
        continue;
      }
      counts[i] = end + views[i]->allowed_lateness() > judged_by;
      counts_any |= counts[i];
      late |= counts[i] && end <= judged_by;
      TC_CHECK(!counts[i] || end + views[i]->allowed_lateness() > watermark_,
               "a bucket that was let go: end {} watermark {} judged by {}", end.us, watermark_.us, judged_by.us);
    }
    if (!counts_any) return Verdict::kTooLate;
    const std::optional<uint32_t> known = dictionary_.Find(event.key);
    std::array<std::string_view, kHasForeign ? kViewsMax : 1> keys;
    for (size_t i = 0; i < views.size(); ++i) {
      if (!counts[i]) continue;
      std::optional<uint32_t> id_there = known;
      if (kHasForeign && views[i]->role() == WindowRole::kPartial) {
        keys[i] = KeyIn(*views[i], event, known);
        id_there = dictionary_.Find(keys[i]);
      }
      if (views[i]->layout().WouldOverflow(event, id_there ? views[i]->RowSoFar(*id_there) : nullptr))
        return Verdict::kOverflow;
    }
    const uint32_t id = known ? *known : dictionary_.Intern(event.key);
    for (size_t i = 0; i < views.size(); ++i) {
      if (!counts[i]) continue;
      const bool is_partial = kHasForeign && views[i]->role() == WindowRole::kPartial;
      views[i]->Add(is_partial ? dictionary_.Intern(keys[i]) : id, event, judged_by, dictionary_);
      has_revisions_ = has_revisions_ || views[i]->has_revisions();
    }
    UpdateNextClose();
    if (has_id) dedupe.Remember(event.dedupe, event.time);
    return late ? Verdict::kLate : Verdict::kAccepted;
  }

  Result<Verdict> OnContribution(const Contribution& c, EventTime judged_by) override {
    WindowView* view = c.view < by_index_.size() ? by_index_[c.view] : nullptr;
    if (view == nullptr || view->role() != WindowRole::kMerged || c.key.empty()) {
      return Status(Code::kConfig, fmt::format("a contribution is to a view that is not merged here: view {}", c.view),
                    Domain::kInput);
    }
    const EventTime end = view->EndOf(c.start);
    if (view->located_start() != c.start || end != c.end) {
      return Status(Code::kConfig,
                    fmt::format("a contribution has another bucket than the view's calendar: view {}, [{}, {})", c.view,
                                c.start.us, c.end.us),
                    Domain::kInput);
    }
    std::vector<DecodedRow> rows(1);
    TC_RETURN_IF_ERROR(DecodeRow(view->layout(), c.row, &rows[0]));
    judged_by = std::max(judged_by, watermark_);
    if (end + view->allowed_lateness() <= judged_by) return Verdict::kTooLate;
    const uint32_t id = dictionary_.Intern(c.key);
    const ContributionTable::Change change = contributions_.Put(c, rows[0].slots[0], id);
    if (change == ContributionTable::Change::kOld) return Verdict::kDuplicate;
    if (change == ContributionTable::Change::kReplaced) {
      rows.clear();
      contributions_.Visit(c.view, c.start, id, [&](std::string_view row) {
        TC_CHECK(DecodeRow(view->layout(), row, &rows.emplace_back()).ok(),
                 "a contribution that was taken in cannot be read");
      });
    }
    view->Merge(id, rows, change == ContributionTable::Change::kReplaced, c.target_active, dictionary_);
    has_revisions_ = has_revisions_ || view->has_revisions();
    UpdateNextClose();
    return end <= judged_by ? Verdict::kLate : Verdict::kAccepted;
  }

  bool OnWatermark(EventTime watermark, const ActivityBoard& activity, WindowSink& sink, size_t rows_max) override {
    TC_CHECK_GT(rows_max, 0U);
    const bool end_of_input = watermark == EventTime::Max();
    if (!end_of_input) watermark_ = std::max(watermark_, watermark);
    WindowView::Walk walk{watermark, activity, sink, dictionary_, facts_, has_categories_ ? &categories_ : nullptr,
                          rows_max};
    const bool done = Work(walk);
    has_revisions_ = std::any_of(views_.begin(), views_.end(), [](const auto& view) { return view->has_revisions(); });
    if (done) {
      for (const auto& view : views_) view->Prune(watermark);
      for (DedupeTable& dedupe : dedupe_) dedupe.Expire(watermark);
      facts_.Expire(watermark);
      categories_.Expire(watermark);
      contributions_.Expire(watermark);
    }
    if (done && end_of_input) {
      next_close_ = next_bucket_end_ = EventTime::Max();
    } else {
      UpdateNextClose();
    }
    return done;
  }

  void ExtendTo(EventTime newest) override {
    bool extended = false;
    for (const auto& view : views_) extended |= view->ExtendTo(newest);
    if (extended) UpdateNextClose();
  }

  void ActiveBuckets(uint16_t view, std::vector<EventTime>* starts) const override {
    if (by_index_[view] != nullptr) by_index_[view]->ActiveBuckets(starts);
  }
  double OpenValue(uint16_t view, std::string_view series, size_t feature) const override {
    if (by_index_[view] == nullptr) return std::numeric_limits<double>::quiet_NaN();
    return by_index_[view]->OpenValue(dictionary_.Find(series), feature);
  }
  size_t series_count(uint16_t view) const override {
    const WindowView* at = by_index_[view];
    return at == nullptr || at->role() == WindowRole::kPartial ? 0 : dictionary_.born(view);
  }
  std::optional<KeptSeries> Look(uint16_t view, std::string_view series) override {
    const std::optional<uint32_t> id = dictionary_.Find(series);
    const WindowView* at = by_index_[view];
    if (!id || at == nullptr || at->role() == WindowRole::kPartial || at->role() == WindowRole::kForwarded)
      return std::nullopt;
    return KeptSeries{*id, dictionary_.birth(view, *id), by_index_[view]->BucketsOf(*id)};
  }
  size_t memory_bytes() const override {
    size_t bytes =
        dictionary_.memory_bytes() + facts_.memory_bytes() + categories_.memory_bytes() + contributions_.memory_bytes();
    for (const auto& view : views_) bytes += view->memory_bytes();
    for (const DedupeTable& dedupe : dedupe_) bytes += dedupe.memory_bytes();
    return bytes;
  }

  size_t dirty_bytes() const override {
    size_t bytes = dictionary_.dirty_bytes() + contributions_.dirty_bytes();
    for (const auto& view : views_) bytes += view->dirty_bytes();
    return bytes;
  }

  void Save(Epoch epoch, DeltaSink& out) override {
    dictionary_.Save(out);
    for (const auto& view : views_) view->Save(epoch, delta_blocks_, out);
    for (DedupeTable& dedupe : dedupe_) dedupe.Save(out);
    facts_.Save(out);
    categories_.Save(out);
    contributions_.Save(out);
  }

  void OnCommitted(Epoch epoch) override {
    for (const auto& view : views_) view->OnCommitted(epoch);
  }

  const Status& failure() const override { return stored_.failure; }

  Status Reload(const StateReader& store) override {
    stored_ = {&store, Status::Ok()};
    for (const auto& view : views_) view->Clear();
    for (DedupeTable& dedupe : dedupe_) dedupe.Clear();
    facts_.Clear();
    categories_.Clear();
    contributions_.Clear();
    watermark_ = EventTime::Min();
    TC_RETURN_IF_ERROR(dictionary_.Reload(store));
    // Buckets before their panes.
    for (const WindowTable table :
         {WindowTable::kCursor, WindowTable::kBucket, WindowTable::kPane, WindowTable::kSession,
          WindowTable::kSessionBlock, WindowTable::kSessionDelta, WindowTable::kWindowRevision, WindowTable::kDedupe, WindowTable::kFact,
          WindowTable::kContribution, WindowTable::kCategory}) {
      const std::string prefix = WindowTablePrefix(table);
      Status failed;
      TC_RETURN_IF_ERROR(store.Scan(Family::kPanes, prefix, prefix, [&](std::string_view key, std::string_view value) {
        failed = LoadRow(table, key.substr(1), value);
        return failed.ok();
      }));
      TC_RETURN_IF_ERROR(failed);
    }
    for (const auto& view : views_) TC_RETURN_IF_ERROR(view->LoadPanes(dictionary_.size()));
    for (const auto& view : views_) view->FinishLoad();
    for (const auto& view : views_) TC_RETURN_IF_ERROR(view->CheckLoaded(dictionary_.size()));
    has_revisions_ = std::any_of(views_.begin(), views_.end(), [](const auto& view) { return view->has_revisions(); });
    UpdateNextClose();
    return Status::Ok();
  }

 private:
  explicit KeyedWindows(const Options& options)
      : delta_blocks_(options.delta_blocks),
        dictionary_(options.views.size()),
        facts_(options.input_names.size()),
        contributions_(LatenessOf(options.views)) {}

  // A rollup goes by categories, and forecasts of a new series begin at those of its category.
  static bool NeedsCategories(const ViewOptions& view, WindowRole role, const std::vector<InputKind>& kinds) {
    if (role == WindowRole::kPartial) return view.group_by == GroupBy::kCategory;
    return role == WindowRole::kRows && view.forecast &&
           std::find(kinds.begin(), kinds.end(), InputKind::kCatalog) != kinds.end();
  }

  // The key of the event in a view of another stage.
  std::string_view KeyIn(WindowView& view, const Event& event, std::optional<uint32_t> series) const {
    if (view.group_by() == GroupBy::kAll) return kAllKey;
    std::string_view key;
    if (view.group_by() == GroupBy::kCountry) {
      key = event.texts[static_cast<size_t>(TextField::kCountry)];
    } else {
      if (series) key = categories_.At(*series, view.located_start());
      if (key.empty()) key = event.texts[static_cast<size_t>(TextField::kCategory)];
    }
    return key.empty() ? kUnknownKey : key;
  }

  bool Work(WindowView::Walk& walk) {
    for (const auto& view : views_) {
      if (view->EmitRevisions(walk) != WindowView::Outcome::kDone) return false;
    }
    for (;;) {
      WindowView* first = nullptr;
      for (const auto& view : views_) {
        if (view->next_end() > walk.watermark || view->next_end() == EventTime::Max()) continue;
        if (walk.watermark == EventTime::Max() && !view->HasOpenBucket()) continue;
        if (first == nullptr || view->next_end() < first->next_end()) first = view.get();
      }
      if (first == nullptr) break;
      // A view that waits holds the others back, so that the order of what comes out does not depend on timing.
      if (first->CloseNext(walk) != WindowView::Outcome::kDone) return false;
    }
    for (const auto& view : views_) {
      if (view->CloseSessions(walk) != WindowView::Outcome::kDone) return false;
    }
    return true;
  }

  void UpdateNextClose() {
    next_close_ = next_bucket_end_ = EventTime::Max();
    for (const auto& view : views_) {
      next_bucket_end_ = std::min(next_bucket_end_, view->next_end());
      next_close_ = std::min(next_close_, view->next_session_close());
    }
    next_close_ = std::min(next_close_, next_bucket_end_);
  }

  Status LoadRow(WindowTable table, std::string_view key, std::string_view value) {
    KeyReader at(key);
    if (table == WindowTable::kFact) return facts_.Load(key, value);
    if (table == WindowTable::kCategory) return categories_.Load(key, value);
    if (table == WindowTable::kContribution) return contributions_.Load(key, value);
    const uint16_t owner = at.U16();
    if (table == WindowTable::kDedupe) {
      const EventTime time = at.Time();
      const uint64_t id = at.U64();
      TC_RETURN_IF_ERROR(at.Finish("de-duplication key"));
      if (owner >= dedupe_.size()) return Status::Ok();
      return dedupe_[owner].LoadRow(time, id);
    }
    if (owner >= by_index_.size() || by_index_[owner] == nullptr) {
      return Status(Code::kConfig, fmt::format("the stored windows have a view that the config has not: {}", owner),
                    Domain::kInput)
          .WithRemedy("bring the view back, or start with a fresh state");
    }
    WindowView& view = *by_index_[owner];
    Status status;
    const auto known = [this](uint32_t id) {
      return id < dictionary_.size() ? Status::Ok()
                                     : Status(Code::kCorruption, fmt::format("a stored row is of no series: {}", id));
    };
    switch (table) {
      case WindowTable::kCursor:
        status = view.LoadCursor(value);
        break;
      case WindowTable::kBucket:
        status = view.LoadBucket(at.Time(), value);
        break;
      case WindowTable::kPane: {
        const EventTime start = at.Time();
        const uint32_t id = at.U32();
        TC_RETURN_IF_ERROR(known(id));
        status = view.LoadPane(start, id, value);
        break;
      }
      case WindowTable::kSession: {
        const uint16_t window = at.U16();
        const uint32_t id = at.U32();
        TC_RETURN_IF_ERROR(known(id));
        status = view.LoadSession(window, id, at.Time(), value);
        break;
      }
      case WindowTable::kSessionBlock: {
        const uint16_t window = at.U16();
        status = view.LoadSessionBlock(window, at.U32(), dictionary_.size(), value);
        break;
      }
      case WindowTable::kSessionDelta: {
        const uint16_t window = at.U16();
        status = view.LoadSessionDelta(window, at.U64(), dictionary_.size(), value);
        break;
      }
      case WindowTable::kWindowRevision: {
        const uint16_t window = at.U16();
        const EventTime start = at.Time();
        const uint32_t id = at.U32();
        TC_RETURN_IF_ERROR(known(id));
        status = view.LoadWindowRevision(window, start, id, value);
        break;
      }
      default:
        TC_CHECK(false, "table {}", static_cast<int>(table));
    }
    TC_RETURN_IF_ERROR(status);
    return at.Finish("key of the windows");
  }

  const size_t delta_blocks_;
  StoredPanes stored_;
  std::vector<std::unique_ptr<WindowView>> views_;
  std::vector<WindowView*> by_index_;  ///< null: not of this task's stage
  bool has_foreign_ = false;
  bool has_categories_ = false;
  std::vector<std::vector<WindowView*>> views_of_input_;
  SeriesDictionary dictionary_;
  std::vector<DedupeTable> dedupe_;
  FactTable facts_;
  CategoryTable categories_;
  ContributionTable contributions_;
  EventTime watermark_;  ///< largest finite one so far
};

}  // namespace

bool HasKnownFacts(std::span<const InputKind> input_kinds) {
  return std::any_of(input_kinds.begin(), input_kinds.end(),
                     [](InputKind kind) { return kind == InputKind::kPromotions || kind == InputKind::kCatalog; });
}

bool HasOpenHolidays(const CalendarOptions& calendar) {
  return !calendar.closed_on_holidays && !calendar.holidays.empty();
}

size_t KnownCovariates(std::span<const InputKind> input_kinds, const CalendarOptions& calendar) {
  return KnownNames(input_kinds, calendar).size();
}

std::vector<std::string> KnownNames(std::span<const InputKind> input_kinds, const CalendarOptions& calendar) {
  std::vector<std::string> names;
  if (HasKnownFacts(input_kinds)) names = {"promotion", "price"};
  if (HasOpenHolidays(calendar)) names.emplace_back("holiday");
  return names;
}

void WindowSink::OnContribution(const Contribution& c) {
  TC_CHECK(false, "a contribution of view {} that nobody sends on", c.view);
}

Result<std::unique_ptr<WindowAggregator>> WindowAggregator::Make(const Options& options) {
  return KeyedWindows::Make(options);
}

}  // namespace tidecast
