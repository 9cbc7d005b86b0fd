#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/stateful.h"
#include "engine/core/time.h"
#include "engine/core/watermark_options.h"

namespace tidecast {

/// Follows event time of a task's input partitions (sources) and tells the task's watermark: the minimum over the
/// clock sources that are not idle, never going back. Rules: EXACTLY_ONCE.md 3.
/// Thread: confined.
class WatermarkTracker {
 public:
  struct Source {
    WatermarkOptions options;
    bool is_clock = true;          ///< facts do not drive the watermark
  };
  explicit WatermarkTracker(std::vector<Source> sources);

  /// Takes note of an event; returns the watermark by which it must be judged late or not: its own partition's watermark
  /// BEFORE this event, or the task's when the partition was idle.
  EventTime OnEvent(size_t source, EventTime event_time);
  /// Tells what a poll of the source found. Idle = at the end for `idle_timeout` with nothing since; blocked holds the watermark.
  void OnPoll(size_t source, bool got_records, bool at_end, bool blocked, ProcessingTime now);
  /// Bounded runs: the source has ended; all ended = watermark Max().
  void OnEnd(size_t source);
  /// Watermark carried by an internal topic.
  void OnCarried(size_t source, EventTime watermark, bool idle);

  EventTime task_watermark() const { return task_; }
  EventTime source_watermark(size_t source) const;
  bool idle(size_t source) const;
  bool blocked(size_t source) const;

  /// Fixed-size encoding for the commit record: per source max event time and idle flag, then the task's watermark.
  void Encode(std::string* out) const;
  Status Decode(std::string_view bytes);

 private:
  struct SourceState {
    EventTime max_time;
    EventTime carried;
    bool idle = false;
    bool ended = false;
    bool blocked = false;
    bool seen_poll = false;
    ProcessingTime quiet_since;
  };
  void Advance();

  std::vector<Source> sources_;
  std::vector<SourceState> states_;
  EventTime task_;
};

}  // namespace tidecast
