#pragma once

#include <map>
#include <utility>
#include <vector>

#include "engine/core/time.h"
#include "engine/io/log_transport.h"

namespace tidecast {

/// Lets records of the internal topics go that were read for good. What was committed longer ago than changelogs keep
/// older commit records lies before every place that a restart or the repair of a torn transaction can go back to.
/// Thread: confined.
class RekeyTrim {
 public:
  RekeyTrim(LogTransport& transport, Duration after) : transport_(transport), after_(after) {}

  /// Takes a committed position in an internal topic.
  void OnCommitted(const Position& position) { newest_[position.source] = position.next_offset; }
  /// Each `after` discards what was read at the time before.
  void Step(ProcessingTime now) {
    if (now - noted_at_ < after_) return;
    if (!noted_.empty()) transport_.DiscardBelow(noted_);
    noted_.clear();
    for (const auto& [source, next_offset] : newest_) {
      if (next_offset > 0) noted_.push_back({source, next_offset});
    }
    noted_at_ = now;
  }
  /// Partitions may be others' from now on, and positions may go back.
  void Reset() {
    newest_.clear();
    noted_.clear();
  }

 private:
  LogTransport& transport_;
  const Duration after_;
  std::map<TopicPartition, int64_t> newest_;
  std::vector<Position> noted_;  ///< of `noted_at_`
  ProcessingTime noted_at_;
};

}  // namespace tidecast
