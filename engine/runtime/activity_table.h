#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "engine/core/stateful.h"
#include "operators/window_aggregator.h"

namespace tidecast {

/// The instance's ActivityBoard: which buckets had input in any of its tasks. Filled between steps, read by the tasks.
/// A bucket is quiet when every task's watermark has passed its end and none reported it.
/// Thread: Ask may run side by side; all else is confined.
class ActivityTable final : public ActivityBoard, public Stateful {
 public:
  /// A task that is further behind than this many active buckets (a partition taken over late) can no longer ask.
  static constexpr size_t kBucketsKept = 4096;

  explicit ActivityTable(size_t views) : active_(views) {}

  /// From a task of this instance: is state.
  void Report(uint16_t view, EventTime bucket_start);
  /// From another instance (ActivityExchange): is read again at a start.
  void ReportForeign(uint16_t view, EventTime bucket_start);
  const std::set<EventTime>& active(uint16_t view) const { return active_[view]; }
  /// The least watermark of the instance's tasks; moves on between steps.
  void SetPassed(EventTime passed) { passed_ = passed; }
  Answer Ask(uint16_t view, EventTime bucket_start, EventTime bucket_end) const override;

  void Save(Epoch epoch, DeltaSink& out) override;
  void OnCommitted(Epoch) override {}
  Status Reload(const StateReader& store) override;
  bool dirty() const { return !changed_.empty(); }

 private:
  std::vector<std::set<EventTime>> active_;        ///< by view; the newest kBucketsKept
  EventTime passed_ = EventTime::Min();
  std::map<std::pair<uint16_t, EventTime>, bool> changed_;  ///< true: to be put, false: to be deleted
};

}  // namespace tidecast
