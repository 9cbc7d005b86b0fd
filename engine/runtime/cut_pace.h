#pragma once

#include <cstdint>

#include "engine/core/time.h"

namespace tidecast {

/// Decides when the epoch being filled is cut, if it has not become full before: an interval after the last one. But
/// rows of closed buckets are what somebody waits for, so that of live input (records that were appended just now)
///   - an epoch in which buckets closed is cut as soon as no other task is about to close, at most once an interval;
///   - one in which none closed leaves the way free for a close that comes before its commit would be through.
/// Either waits for no longer than a commit takes, and half an interval. While rows of closed buckets are being
/// committed new input waits, an interval at most and once in ten intervals: what it comes to could not be committed
/// before, and its work would take a core from the commit. Of input that lies behind, cuts keep their interval: a
/// commit more costs there and nobody waits.
/// Thread: confined.
class CutPace {
 public:
  explicit CutPace(Duration interval) : interval_(interval) {}

  /// What a step of work has come to.
  struct Step {
    ProcessingTime now;
    bool closed = false;  ///< buckets closed in it
    EventTime watermark;  ///< the least of all tasks that hold others back
    /// The least that a task's watermark lacks of its next bucket's end; Max(): nothing is open.
    Duration to_close = Duration::max();
  };
  void OnStep(const Step& step);
  /// Records that were appended at `appended` came in.
  void OnRecords(EventTime appended) { appended_ = appended; }
  /// `at` may lie before now: then the first cut comes sooner than an interval from now.
  void StartAt(ProcessingTime at);
  void OnCut(ProcessingTime now);
  void OnCommitted(ProcessingTime now);
  /// `settled`: nothing more is to be made of the buckets that closed.
  bool Due(ProcessingTime now, bool settled) const;
  /// Buckets closed, and their cut comes within moments: their rows may go ahead of it.
  bool IsImminent(ProcessingTime now, bool settled) const;
  /// Buckets closed, and others are about to that would better be in the same epoch.
  bool WaitsForOthers(ProcessingTime now) const;
  /// Rows of closed buckets are being committed, and new input would better wait.
  bool HoldsInput(ProcessingTime now) const;

 private:
  static constexpr ProcessingTime kNever{INT64_MAX};

  bool IsLive(ProcessingTime now) const;
  bool IsNear(ProcessingTime now) const;
  Duration longest_wait() const;

  const Duration interval_;
  ProcessingTime last_cut_;
  ProcessingTime last_early_;              ///< cut before its interval was over
  EventTime appended_ = EventTime::Min();  ///< the newest records
  Duration commit_takes_{};                ///< from the cut to the end, smoothed
  double speed_ = 0;                       ///< of event time by time
  ProcessingTime speed_since_;             ///< and of speed_from_: where the next measurement began
  EventTime speed_from_ = EventTime::Min();
  bool closed_ = false;                     ///< in the epoch being filled
  ProcessingTime closed_at_;                ///< first of it
  bool holds_input_ = false;                ///< while the epoch is being committed that was cut at last_cut_
  ProcessingTime held_at_;                  ///< when it began to be held last
  ProcessingTime close_expected_ = kNever;  ///< of the next task's next bucket
};

}  // namespace tidecast
