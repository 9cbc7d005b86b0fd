#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/stateful.h"
#include "operators/bottom_up.h"

namespace tidecast {

/// What the tasks of the series stage forecast of each key of a rollup: the newest of each (cutoff, task), until the
/// rollup's own bucket of that cutoff closes. Thread: confined.
class BottomUpTable {
 public:
  /// The newest word of a task about a cutoff counts, so that a share that comes twice changes nothing. `closed`:
  /// buckets that end by then are not asked for any more.
  /// A share without steps: the task has no sum at that cutoff.
  void Put(const BottomUpShare& share, EventTime closed);
  /// The sum over all tasks of what they forecast at the close of that bucket, [horizon]; cutoffs before it are
  /// forgotten. Empty: none has anything, or one whose last forecast still reaches beyond the bucket is silent about it
  /// (it is idle, or its rows came when the round was over), so that the sum is not known.
  std::vector<float> Take(uint16_t view, std::string_view key, EventTime start, EventTime end, size_t horizon);

  void Save(DeltaSink& out);
  Status Reload(const StateReader& store);
  size_t dirty_bytes() const { return dirty_bytes_; }
  size_t memory_bytes() const;

 private:
  struct Part {
    EventTime end;
    EventTime until;
    std::vector<int64_t> micros;
    bool dirty = false;
    bool stored = false;
  };
  using Place = std::pair<uint16_t, EventTime>;     ///< upstream task, start of the cutoff's bucket
  using Series = std::pair<uint16_t, std::string>;  ///< view, key
  using Parts = std::map<Place, Part>;
  static std::string Key(const Series& series, const Place& place);
  Parts::iterator Erase(const Series& series, Parts& parts, Parts::iterator at);

  std::map<Series, Parts> series_;
  std::vector<std::pair<Series, Place>> dirty_;
  std::vector<std::string> deleted_;
  size_t dirty_bytes_ = 0;
};

}  // namespace tidecast
