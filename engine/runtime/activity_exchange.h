#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/io/log_transport.h"
#include "engine/runtime/activity_table.h"

namespace tidecast {

/// Shares day activity between instances (SEMANTICS.md 2, calendar `learned`) through the compacted topic <ns>.activity:
///   "w/<partition>" -> the series task's watermark, in microseconds
///   "a/<view>/<bucket start>" -> that bucket had input somewhere
/// Both are committed facts that only grow, so they are written in each epoch's transaction and read from the topic's
/// beginning at a start; no read position is state.
/// Thread: confined.
class ActivityExchange {
 public:
  ActivityExchange(LogTransport& transport, std::string topic) : transport_(transport), topic_(std::move(topic)) {}

  const std::string& topic() const { return topic_; }
  /// Says again what was said before a rollback, and reads anew.
  void Reset();
  /// Adds what this instance has to tell to an epoch's outputs.
  void Tell(uint16_t partition, EventTime watermark, std::vector<OutputRecord>& outputs);
  void TellActive(uint16_t view, EventTime bucket_start, std::vector<OutputRecord>& outputs);
  /// Reads what others (and we) have told. Returns whether anything new came.
  Result<bool> Read(ActivityTable& table);
  /// Least told watermark of the partitions [0, count) that are not `own`; Max() when all are.
  EventTime LeastForeign(int32_t count, const std::vector<uint16_t>& own) const;

 private:
  LogTransport& transport_;
  std::string topic_;
  std::unique_ptr<LogReader> reader_;
  std::unique_ptr<RecordBatch> batch_;
  std::map<uint16_t, EventTime> told_;                      ///< by own partition
  std::set<std::pair<uint16_t, EventTime>> told_active_;
  std::map<uint16_t, EventTime> watermarks_;                ///< as read
};

}  // namespace tidecast
