#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/stateful.h"
#include "engine/core/time.h"
#include "engine/core/watermark_options.h"

namespace tidecast {

/// Follows event time of a task's input partitions (sources) and tells the task's watermark: the minimum over the
/// clock sources that are not idle, never going back. Rules: EXACTLY_ONCE.md 3.
/// It never passes a source's own watermark: a source that comes back from idle takes the task's as its floor.
/// Thread: confined.
class WatermarkTracker {
 public:
  struct Source {
    WatermarkOptions options;
    bool is_clock = true;  ///< facts do not drive the watermark
  };
  explicit WatermarkTracker(std::vector<Source> sources);

  /// Takes note of an event; returns the watermark by which it must be judged late or not: its own partition's
  /// watermark BEFORE this event, or the task's when the partition was idle. Min() for facts, which are never late.
  EventTime OnEvent(size_t source, EventTime event_time);
  /// Tells what a poll of the source found. Idle = at the end for `idle_timeout` with nothing since; blocked holds the
  /// watermark.
  void OnPoll(size_t source, bool got_records, bool at_end, bool blocked, ProcessingTime now);
  /// Bounded runs: the source has ended; once all have, facts included, the watermark is Max().
  void OnEnd(size_t source);
  /// Watermark carried by an internal topic; from then on it stands in place of the event times seen. A source that had
  /// ended has not.
  void OnCarried(size_t source, EventTime watermark, bool idle);

  EventTime task_watermark() const { return all_ended_ ? EventTime::Max() : task_; }
  /// The same, whether or not the input has ended.
  EventTime newest_finite_watermark() const { return task_; }
  /// The greatest event time of the clock sources; Min() before the first event.
  EventTime newest_event() const;
  EventTime source_watermark(size_t source) const;
  bool idle(size_t source) const { return states_[source].idle && !states_[source].unproven; }
  bool blocked(size_t source) const { return states_[source].blocked; }

  /// Fixed-size encoding for the commit record: per source max event time, carried watermark and idle flag, then the
  /// task's watermark before the end of input. That a source ended is not kept: a later run may find more in it.
  void Encode(std::string* out) const;
  /// Errors: kCorruption, kVersion. REQUIRES: made for the same sources.
  Status Decode(std::string_view bytes);

 private:
  struct SourceState {
    EventTime max_time;
    EventTime carried;  ///< from an internal topic, or the task's watermark when the source came back from idle
    bool idle = false;
    bool unproven = false;  ///< idle, but as it was stored, or cut off from its log since: holds until its end is seen
    bool ended = false;
    bool blocked = false;
    bool quiet = false;  ///< at the end, with nothing since `quiet_since`
    ProcessingTime quiet_since;
  };
  void WakeUp(SourceState& state);
  void Advance();

  std::vector<Source> sources_;
  std::vector<SourceState> states_;
  EventTime task_;
  bool all_ended_ = false;
};

}  // namespace tidecast
