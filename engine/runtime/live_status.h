#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/core/packed_records.h"
#include "engine/core/record.h"
#include "engine/core/time.h"

namespace tidecast {

/// What the instance looks like now, for the page, /metrics, /readyz and the status line.
struct LiveStatus {
  std::string state;                 ///< starting | restoring | running | waiting (for brokers) | draining | finished
  bool ready = false;
  int64_t events_read = 0, events_accepted = 0, returns = 0, late_revised = 0, too_late = 0, dead_lettered = 0, duplicates = 0;
  int64_t forecasts = 0, alerts = 0, alerts_firing = 0, series = 0, epochs = 0;
  double events_per_second = 0;
  EventTime watermark;
  std::map<std::string, double> figures;   ///< wql, wql_seasonal_naive, coverage_80, net_loss ...
  std::vector<std::pair<std::string, double>> expert_weights;
};

/// Sees what is committed, in order. Called on the instance's thread: must return quickly.
class CommitObserver {
 public:
  virtual ~CommitObserver() = default;
  /// Rows of closed buckets and windows of the epoch under way, which are not committed yet. Valid during the call: there
  /// may be more of them than memory has room for.
  virtual void OnRows(const PackedRecords& rows) = 0;
  /// The epoch is committed: its rows, and these records.
  virtual void OnCommitted(std::span<const OutputRecord> records) = 0;
  /// It is not, and none of its rows.
  virtual void OnRolledBack() = 0;
  virtual void OnStatus(const LiveStatus& status) = 0;
  /// The open bucket of a series so far (demo and page).
  virtual void OnOpenBucket(const std::string& series, EventTime bucket_start, double value) = 0;
};

}  // namespace tidecast
