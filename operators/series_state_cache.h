#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/core/forecast.h"
#include "engine/core/stateful.h"
#include "operators/model_row.h"
#include "state/state_store.h"
#include "state/task_keyspace.h"

namespace tidecast {

/// Write-back cache of the model plane's per-series state: age, forecaster blob, alert blob, trend, reconciler. Rows live in the key range
/// of the task that owns the series, so that they move with its partition.
/// Dirty entries stay until their epoch is committed; clean ones are dropped once the cache is over its limit.
/// Thread: Load may run side by side; all else is confined.
class SeriesStateCache {
 public:
  struct Entry {
    uint16_t partition = 0;
    uint32_t age_buckets = 0;
    uint32_t zero_run = 0;      ///< newest buckets in a row that were zero
    float dormant_mean = -1;    ///< of the forecast published last while dormant; below 0: none
    ValueDomain domain = ValueDomain::kCount;  ///< that `forecaster` was made under
    bool gone = false;          ///< the series is over: its row is deleted
    std::string forecaster;
    std::string alert;
    std::string trend;
    std::string reconciler;     ///< of a rollup's series that is summed up to
  };

  /// `stage`: whose tasks own the series of the view.
  SeriesStateCache(const StateStore& store, Stage stage, uint16_t view, size_t bytes_max)
      : store_(store), stage_(stage), view_(view), bytes_max_(bytes_max) {}

  /// The states of these rows' series as of now; an empty entry for one never seen. Errors: kIo, kCorruption, kVersion.
  Status Load(std::span<const ModelRow> rows, std::vector<Entry>* entries) const;
  /// Replaces the series's state and marks it changed in the open epoch.
  void Store(std::string_view series, Entry entry);

  /// Writes what changed since the last Save into `out`, keyed by task.
  void Save(Epoch epoch, StateBatch& out);
  void OnCommitted(Epoch epoch);
  void Forget();  ///< drops everything in memory, dirty or not

  size_t dirty_bytes() const { return dirty_bytes_; }
  size_t bytes() const { return bytes_; }

 private:
  struct Slot {
    Entry entry;
    Epoch saved_in = 0;    ///< epoch of the last Save that wrote it; clean once that is committed
    bool dirty = false;    ///< changed since
  };
  static size_t Bytes(const Slot& slot) { return slot.entry.forecaster.size() + slot.entry.alert.size() + slot.entry.trend.size() + slot.entry.reconciler.size() + 192; }

  const StateStore& store_;
  Stage stage_;
  uint16_t view_;
  size_t bytes_max_;
  size_t bytes_ = 0;
  size_t dirty_bytes_ = 0;
  std::unordered_map<std::string, Slot> slots_;
  std::vector<std::string> dirty_;             ///< names changed since the last Save, in the order of their first change
  std::vector<std::string> saving_;            ///< names written by the last Save
};

}  // namespace tidecast
