#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/stateful.h"
#include "engine/core/time.h"

namespace tidecast {

/// Ids of events seen on one input, each remembered for `keep` of event time. Whether an id is still known is judged by
/// the event's own watermark, so that the answer is a function of the log alone; when the memory is freed does not
/// matter. Thread: confined.
class DedupeTable {
 public:
  DedupeTable(uint16_t input, Duration keep) : input_(input), keep_(keep) {}

  bool enabled() const { return keep_.count() > 0; }
  /// Whether `id` was accepted at a time that is not yet over by `judged_by`.
  bool Seen(uint64_t id, EventTime judged_by) const;
  void Remember(uint64_t id, EventTime time);
  /// Frees what no event can ask for any more. REQUIRES: no event is judged by less than `watermark` from now on.
  void Expire(EventTime watermark);

  void Save(DeltaSink& out);
  Status LoadRow(EventTime time, uint64_t id);
  void Clear();
  size_t size() const { return times_.size(); }
  size_t memory_bytes() const;

 private:
  struct Entry {
    EventTime time;
    uint64_t id = 0;
  };
  std::string Key(const Entry& entry) const;
  int64_t SlotOf(EventTime time) const;

  uint16_t input_;
  Duration keep_;
  boost::unordered_flat_map<uint64_t, EventTime> times_;
  std::map<int64_t, std::vector<Entry>> slots_;  ///< by 1/16 of `keep`, oldest first
  std::vector<Entry> added_;                     ///< since the last Save
  std::vector<Entry> expired_;
};

}  // namespace tidecast
