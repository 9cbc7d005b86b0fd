#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "operators/accumulator.h"
#include "operators/bucket_calendar.h"
#include "operators/category_table.h"
#include "operators/fact_table.h"
#include "operators/hopping_window.h"
#include "operators/pane_table.h"
#include "operators/series_dictionary.h"
#include "operators/session_windows.h"
#include "operators/window_aggregator.h"

namespace tidecast {

/// The buckets of one view in one task: panes of open and still revisable buckets, the closing walk, revisions, hopping
/// and session windows.
///
/// Which rows a bucket gets:
///   kOpen     every series born by then (or, without emit_empty, those with an event); OnBucketEnd says open.
///   kTouched  closed by an explicit rule (holiday, weekday, hours): only series with an event, and open if there is
///   one. kShut     quiet under the learned rule: none. A later event of the target's input makes it kTouched.
/// A late event re-opens its pane; the row comes out once more, with the next revision. A row that exists only since
/// its bucket has closed (a series born late, an event in a row that was not published) begins with revision 2. Thread:
/// confined.
class WindowView {
 public:
  static Result<std::unique_ptr<WindowView>> Make(uint16_t index, const ViewOptions& options,
                                                  const std::vector<std::string>& input_names,
                                                  const std::vector<InputKind>& input_kinds, WindowRole role,
                                                  StoredPanes& stored);
  ~WindowView();

  uint16_t index() const { return index_; }
  WindowRole role() const { return role_; }
  GroupBy group_by() const { return options_.group_by; }

  const Accumulator& layout() const { return layout_; }
  Duration allowed_lateness() const { return options_.allowed_lateness; }

  /// End of the bucket that holds `time`; remembers the bucket for the next calls.
  EventTime EndOf(EventTime time) {
    if (time < span_.start || time >= span_.end) [[unlikely]]
      Locate(time);
    return span_.end;
  }
  /// The row of `id` in the bucket that EndOf was asked for last; null when there is none.
  const int64_t* RowSoFar(uint32_t id);
  /// Counts the event in that bucket. REQUIRES: not too late, no overflow.
  void Add(uint32_t id, const Event& event, EventTime judged_by, SeriesDictionary& dictionary);

  /// Adds rows of accumulators to the total of `id` in the bucket that EndOf was asked for last; `anew`: in place of
  /// what the total holds. REQUIRES: not too late.
  void Merge(uint32_t id, const std::vector<DecodedRow>& rows, bool anew, bool target_active,
             SeriesDictionary& dictionary);
  /// Start of the bucket that EndOf was asked for last.
  EventTime located_start() const { return span_.start; }

  /// Makes the bucket of `newest` exist, when events have come and it has not closed; whether that was new.
  bool ExtendTo(EventTime newest);

  /// A catalog row names the series: it is born, unless it has been, in the bucket of `time`, or the next one to close.
  void Bear(uint32_t id, EventTime time, SeriesDictionary& dictionary);

  /// Bucket that closes next; Max() before the first event.
  EventTime next_end() const { return begun_ ? next_.end : EventTime::Max(); }
  EventTime next_session_close() const;
  /// Whether an event has come into a bucket that has not closed.
  bool HasOpenBucket() const { return !buckets_.empty() && !buckets_.rbegin()->second.closed; }
  bool has_revisions() const { return !pending_.empty() || hopping_pending(); }
  /// What Save will take, about.
  size_t dirty_bytes() const;

  struct Walk {
    EventTime watermark;
    const ActivityBoard& activity;
    WindowSink& sink;
    SeriesDictionary& dictionary;
    const FactTable& facts;
    const CategoryTable* categories;  ///< null: no view goes by category
    size_t rows_left;
  };
  enum class Outcome : uint8_t { kDone, kNoRoom, kWait };
  /// Publishes pending revisions in the order of (bucket end, series).
  Outcome EmitRevisions(Walk& walk);
  /// Goes on with the bucket that closes next. REQUIRES: next_end() <= watermark.
  Outcome CloseNext(Walk& walk);
  Outcome CloseSessions(Walk& walk);
  void Prune(EventTime watermark);

  void ActiveBuckets(std::vector<EventTime>* starts) const;
  double OpenValue(std::optional<uint32_t> id, size_t feature) const;
  std::vector<WindowAggregator::KeptBucket> BucketsOf(uint32_t id);

  void Save(Epoch epoch, size_t delta_blocks, DeltaSink& out);
  /// Lets go of what only late events may ask for, and the store has.
  void OnCommitted(Epoch epoch);
  Status LoadCursor(std::string_view value);
  Status LoadBucket(EventTime start, std::string_view value);
  Status LoadPane(EventTime start, uint32_t id, std::string_view value);  ///< of old builds
  /// Panes of the buckets that are not settled, after these. `series`: how many there are.
  Status LoadPanes(size_t series);
  Status LoadSession(uint16_t window, uint32_t id, EventTime start, std::string_view value);  ///< of old builds
  Status LoadSessionBlock(uint16_t window, uint32_t block, size_t series, std::string_view value);
  Status LoadSessionDelta(uint16_t window, uint64_t number, size_t series, std::string_view value);
  Status LoadWindowRevision(uint16_t window, EventTime start, uint32_t id, std::string_view value);
  /// After all rows were loaded.
  void FinishLoad();
  /// Whether what was loaded fits together; `series`: how many there are.  Errors: kCorruption.
  Status CheckLoaded(size_t series) const;
  void Clear();
  size_t memory_bytes() const;

 private:
  enum class Openness : uint8_t { kOpen = 0, kTouched = 1, kShut = 2 };
  struct Bucket {
    BucketCalendar::Span span;
    std::unique_ptr<PaneTable> pane;  ///< null: no series has a row
    bool closed = false;
    bool target_active = false;           ///< an event of the target's input came
    Openness openness = Openness::kOpen;  ///< once closed
    bool settled = false;                 ///< as saved: only late events may ask for its rows
    bool in_store = false;                ///< rows that are not in `pane` may be in the store
    Epoch saved_in = 0;                   ///< epoch of the last Save that had its pane settled
    bool meta_dirty = true;
    bool meta_stored = false;
  };
  WindowView(uint16_t index, const ViewOptions& options, WindowRole role, StoredPanes& stored)
      : index_(index), role_(role), options_(options), stored_(stored) {}

  void Locate(EventTime time);
  void EnsureBucket();
  void AfterChange(Bucket& bucket, uint32_t id, uint32_t row, bool is_target, SeriesDictionary& dictionary);
  void SendContribution(Walk& walk, const Bucket& bucket, EventTime start, uint32_t id, uint32_t row,
                        uint32_t revision);
  PaneTable& MakePane(Bucket& bucket);
  PaneTable& PaneToLoad(Bucket& bucket);
  PaneTable* PaneOf(Bucket& bucket);
  Status LoadPane(Bucket& bucket, size_t series);
  Status CheckRowsHaveBuckets() const;
  Status CheckNoRows(EventTime from, EventTime to) const;
  Bucket& BucketAt(const BucketCalendar::Span& span);
  void CloseBackTo(EventTime start);
  bool IsPast(const Bucket& bucket, uint32_t id, const SeriesDictionary& dictionary) const;
  void Revise(Bucket& bucket, uint32_t id, uint32_t row);
  void ReviseHopping(EventTime start, uint32_t id);
  void GiveBirth(Bucket& bucket, uint32_t id, SeriesDictionary& dictionary);
  bool hopping_pending() const;
  bool retires() const { return options_.retire_after.count() > 0; }
  bool IsOver(uint32_t id, const SeriesDictionary& dictionary) const;
  bool keeps_closed() const { return options_.allowed_lateness.count() > 0 || hopping_size_ > 0; }

  bool BeginWalk(Walk& walk);
  void ArrangeWalk(SeriesDictionary& dictionary);
  bool EmitSeries(Walk& walk, uint32_t id);
  void FinishWalk(Walk& walk);
  void FillValues(const PaneTable* pane, uint32_t row, uint32_t id, EventTime end, const FactTable& facts);
  bool IsOutOfStock(uint32_t id, EventTime end, const FactTable& facts) const;
  void FillKnown(uint32_t id, EventTime end, const FactTable& facts);
  std::vector<const PaneTable*> PanesBack(EventTime newest_start, size_t count) const;
  EventTime StartBack(EventTime newest_start, size_t buckets) const;
  void Remove(std::map<EventTime, Bucket>::iterator at);
  void SaveRemoved(DeltaSink& out);
  bool IsSettled(const Bucket& bucket) const;
  bool DeleteInStore(EventTime start, std::string* next, DeltaSink& out);

  uint16_t index_;
  WindowRole role_;
  ViewOptions options_;
  StoredPanes& stored_;
  Accumulator layout_;
  std::unique_ptr<BucketCalendar> calendar_;
  bool has_known_ = false;
  bool has_known_facts_ = false;
  bool has_open_holidays_ = false;
  bool has_facts_ = false;               ///< features of fact inputs
  size_t target_ = 0;                    ///< its place among the features
  std::optional<uint16_t> stock_input_;  ///< tells what is on hand of items that are ordered
  bool has_catalog_births_ = false;      ///< of items that are ordered

  std::map<EventTime, Bucket> buckets_;  ///< by start: revisable closed ones, then open ones that were touched
  BucketCalendar::Span span_;            ///< last located
  Bucket* bucket_ = nullptr;             ///< that one, when it exists
  std::vector<std::unique_ptr<PaneTable>> spare_panes_;

  // The cursor.
  bool begun_ = false;  ///< an event has come
  bool closed_any_ = false;
  BucketCalendar::Span next_;  ///< closes next
  bool walking_ = false;       ///< some of its rows are out
  Openness walk_openness_ = Openness::kOpen;
  std::optional<uint32_t> walked_to_;  ///< last series done
  bool cursor_dirty_ = false;
  std::unique_ptr<OpenBuckets> open_buckets_;  ///< only with known covariates: which steps lie ahead

  // The walk, made anew whenever the dictionary or the bucket has changed.
  bool arranged_ = false;
  size_t arranged_series_ = 0;
  const PaneTable* walk_pane_ = nullptr;
  std::vector<uint32_t> walk_ids_;
  size_t walk_at_ = 0;
  std::vector<BucketCalendar::Span> walk_steps_;           ///< known covariates: the bucket and the next `horizon`
  std::vector<std::vector<const PaneTable*>> walk_panes_;  ///< by hopping window
  std::vector<EventTime> walk_window_starts_;

  std::set<std::pair<EventTime, uint32_t>> pending_;  ///< revised rows: bucket start, series
  std::vector<HoppingWindow> hopping_;
  std::vector<uint16_t> hopping_index_;  ///< their places in options_.windows
  size_t hopping_size_ = 0;              ///< the largest
  std::vector<SessionWindows> sessions_;
  std::vector<uint16_t> session_index_;

  /// A bucket let go, until the store has forgotten it: its rows go in portions, what tells of it last of all, so that
  /// a restart in between finds the rest and lets it go again.
  struct Removed {
    EventTime start;
    std::unique_ptr<PaneTable> pane;
    bool meta_stored = false;
    bool in_store = false;
    std::string next;  ///< key in the store to go on at
  };
  std::deque<Removed> removed_;
  std::vector<std::string> tombstones_;  ///< revisions of hopping windows
  std::vector<double> values_;
  std::vector<float> known_;
};

}  // namespace tidecast
