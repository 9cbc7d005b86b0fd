#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/bucket.h"
#include "engine/core/event.h"
#include "engine/core/stateful.h"
#include "operators/block_journal.h"
#include "operators/contribution.h"
#include "operators/view_options.h"

namespace tidecast {

/// Columns of `ClosedBucket::known` a step: promotion (depth) and price (ratio) where a config has such facts, then
/// holiday where the view has some and is open on them.
std::vector<std::string> KnownNames(std::span<const InputKind> input_kinds, const CalendarOptions& calendar);
size_t KnownCovariates(std::span<const InputKind> input_kinds, const CalendarOptions& calendar);
/// Whether a config has facts that are known ahead.
bool HasKnownFacts(std::span<const InputKind> input_kinds);
/// Whether the calendar's holidays are known ahead rather than closed.
bool HasOpenHolidays(const CalendarOptions& calendar);

/// Receives what a task's windows produce, in a fixed order. Views are valid during the call.
class WindowSink {
 public:
  virtual ~WindowSink() = default;
  /// A bucket closed, or a closed one was revised.
  virtual void OnBucket(const ClosedBucket& bucket) = 0;
  /// A further window (hopping, session) of the view closed or was revised.
  virtual void OnWindow(const ClosedBucket& window, uint16_t window_index) = 0;
  /// A whole bucket is over: `open` false means that it was closed by the calendar (no rows were made for it).
  virtual void OnBucketEnd(uint16_t view, EventTime start, EventTime end, bool open) = 0;
  /// In place of its row in this bucket: the series is over (ViewOptions::retire_after). A later event gives birth again.
  virtual void OnRetired(uint16_t /*view*/, std::string_view /*series*/, EventTime /*start*/, EventTime /*end*/) {}
  /// Only from a view of role kPartial: a key's accumulators in a bucket that closed or was revised. OnBucketEnd then
  /// says whether an event of the target's input came to any key.
  virtual void OnContribution(const Contribution& contribution);
};

/// What a task does about a view; decided by the task's stage and the view's group-by.
enum class WindowRole : uint8_t {
  kRows,       ///< the view's series are this task's: rows come out
  kPartial,    ///< series of another stage: this task's share of each key comes out as contributions
  kForwarded,  ///< series of another stage, which takes the events themselves: only the verdict is made here
  kMerged,     ///< rows come out, contributions come in
  kAbsent,     ///< not of this task's stage
};

enum class Verdict : uint8_t {
  kAccepted,
  kLate,  ///< its bucket had closed by its own partition's watermark, but within allowed lateness: it counts (revises)
  kTooLate,    ///< beyond allowed lateness in every view: not counted, goes to the late topic
  kDuplicate,  ///< its id was seen before
  kOverflow,   ///< a sum would pass the range of int64: counted nowhere, a dead letter
};

/// Which buckets had input in any task of any instance (calendar `learned`). Filled by the runtime between steps.
class ActivityBoard {
 public:
  virtual ~ActivityBoard() = default;
  enum class Answer : uint8_t { kActive, kQuiet, kUnknown };
  virtual Answer Ask(uint16_t view, EventTime bucket_start, EventTime bucket_end) const = 0;
};

/// The keyed windows of one task, all views: panes by (series, bucket), closed in order of (end, view, series name).
/// One touch of a pane an event; hopping windows are combined from panes; sessions kept per series.
/// Closing is a resumable walk: OnWatermark makes at most `rows_max` rows a call and keeps its cursor in state.
///   Roles: a view of another stage is aggregated by its own key here (kPartial), as of the category that the catalog
///   told by the bucket's start, so that each event counts in exactly one key of it. Lateness: by `judged_by`; an event
///   late in one view and on time in another is kLate, one that counts in any view is not kTooLate. An id is remembered
///   only for an event that counts; a duplicate is told before lateness. Rows of a bucket closed by an explicit rule
///   are those of the series with an event in it, and it then counts as open; a bucket that is quiet by the learned
///   rule has none (window_view.h). Revisions: a row that first appears after its bucket has closed (a series born
///   late) begins with revision 2, so that revision 1 always means: made by the close. Rows of a revision carry no
///   `known`. A series is born by its first event that counts, or by a catalog row: then it has rows of zeros from the
///   next bucket to close on, never revisions of closed ones. Learned calendars: while the ActivityBoard says kUnknown,
///   all views wait, so that their order never depends on timing. End of input (watermark Max()): buckets close up to
///   that of the last event; nothing is let go, so that a longer log may go on. Facts (catalog, promotions, inventory)
///   are never late; a feature of a fact input is its value as of the bucket's end. `known`: per step {promotion depth,
///   catalog price / price 60 days before}, when a view forecasts and the config has promotions or a catalog; steps are
///   the bucket and the next `horizon` open ones, as learned by this task.
/// State (state/FORMAT.md): dictionary, panes of open and still revisable buckets, ids, sessions, facts, cursors. All
/// of it is in memory too, but for panes of closed buckets that no hopping window reads: those are let go of once they
/// are committed, and read back a block at a time when a late event comes. The store that Reload was given is read as
/// long as the windows live. Thread: confined.  Errors: Reload, and failure().
class WindowAggregator : public Stateful {
 public:
  /// `inputs`: names and kinds by Event::input. `dedupe_keep[i]`: how long ids of input i are remembered (0: no
  /// de-duplication).
  struct Options {
    std::vector<ViewOptions> views;
    std::vector<std::string> input_names;
    std::vector<InputKind> input_kinds;
    std::vector<Duration> dedupe_keep;
    std::vector<WindowRole> roles;  ///< by view; none: kRows
    size_t delta_blocks = BlockJournal::kDeltaBlocks;  ///< BlockJournal::Save
  };
  static Result<std::unique_ptr<WindowAggregator>> Make(const Options& options);

  /// Adds one event. `judged_by`: see WatermarkTracker::OnEvent. Revisions of closed buckets come out at the next
  /// OnWatermark.
  virtual Verdict OnEvent(const Event& event, EventTime judged_by) = 0;
  /// Views of role kForwarded in which the last event of OnEvent counts: bit v. Those count for its verdict, too; an
  /// event without a customer is judged alike, and forwarded to none.
  uint32_t forwards() const { return forwards_; }
  /// Takes another stage's share of a bucket into a view of role kMerged: of an upstream task's, that of more events
  /// replaces the others. `judged_by`: the task's watermark. kTooLate: nothing of the bucket is here any more. Errors:
  /// kConfig, kCorruption: it is not of this view.
  virtual Result<Verdict> OnContribution(const Contribution& contribution, EventTime judged_by) = 0;
  /// Closes what the watermark has passed and emits pending revisions. Returns true when nothing is left to do at this
  /// watermark.
  virtual bool OnWatermark(EventTime watermark, const ActivityBoard& activity, WindowSink& sink, size_t rows_max) = 0;
  /// The input goes on to an event at `newest` somewhere: its end closes each view up to that event's bucket.
  virtual void ExtendTo(EventTime newest) = 0;
  /// The smallest watermark at which OnWatermark has a bucket or window to close; Max() when nothing is open. The
  /// caller asks after each event (keep it a member read), so that a bucket closes exactly where the watermark passes
  /// its end.
  EventTime next_close() const { return next_close_; }
  /// The same of buckets alone: sessions end all the time.
  EventTime next_bucket_end() const { return next_bucket_end_; }
  /// The first error of reading panes back since Reload: what was made of the events since then must not be committed.
  /// Errors: kIo, kCorruption, kVersion, kConfig.
  virtual const Status& failure() const = 0;
  /// Whether revisions wait for the next OnWatermark.
  bool has_revisions() const { return has_revisions_; }
  /// Buckets of view v in which this task saw an event of the target's input, and that are not yet closed; for the
  /// ActivityBoard.
  virtual void ActiveBuckets(uint16_t view, std::vector<EventTime>* starts) const = 0;
  /// Value so far of the open bucket of a series (the page's live bucket); NaN when there is none.
  virtual double OpenValue(uint16_t view, std::string_view series, size_t feature) const = 0;
  /// A bucket that is kept of a series.
  struct KeptBucket {
    EventTime start;
    EventTime end;
    bool closed = false;
    uint32_t revision = 1;
    bool revision_pending = false;
    std::vector<double> features;  ///< of fact inputs: NaN
  };
  /// What is kept of a series in a view, for who looks from outside; nothing for one that is not known.
  struct KeptSeries {
    uint32_t id = 0;
    EventTime born;  ///< start of its first bucket; Max() before
    std::vector<KeptBucket> buckets;
  };
  virtual std::optional<KeptSeries> Look(uint16_t view, std::string_view series) = 0;
  virtual size_t series_count(uint16_t view) const = 0;
  virtual size_t memory_bytes() const = 0;
  /// What the next Save will take, about.
  virtual size_t dirty_bytes() const = 0;

 protected:
  EventTime next_close_ = EventTime::Max();
  EventTime next_bucket_end_ = EventTime::Max();
  bool has_revisions_ = false;
  uint32_t forwards_ = 0;
};

}  // namespace tidecast
