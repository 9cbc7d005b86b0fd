#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/record.h"

namespace tidecast::simulation {

using ProducerId = uint64_t;

/// One offset of a partition: a record, or the marker that ended a transaction.
struct LogSlot {
  enum class Kind : uint8_t { kRecord, kMarker };
  Kind kind = Kind::kRecord;
  bool aborted = false;     ///< a record of a transaction that was aborted
  bool compacted = false;   ///< gone: a newer record has its key
  ProducerId producer = 0;  ///< 0: written outside of transactions
  OutputRecord record;      ///< record_time is finite
};

/// One partition of a topic as a broker keeps it. Offsets are indices: markers take one, too.
/// Thread: confined.
class PartitionLog {
 public:
  void Append(OutputRecord record, ProducerId producer) {
    if (producer != 0) open_.emplace(producer, end());
    slots_.push_back({.producer = producer, .record = std::move(record)});
  }

  /// Ends the producer's transaction here with a marker; nothing where it has written nothing.
  void End(ProducerId producer, bool commit) {
    const auto open = open_.find(producer);
    if (open == open_.end()) return;
    for (int64_t at = open->second; !commit && at < end(); ++at) {
      LogSlot& slot = slots_[static_cast<size_t>(at)];
      if (slot.producer == producer) slot.aborted = true;
    }
    open_.erase(open);
    slots_.push_back({.kind = LogSlot::Kind::kMarker, .producer = producer});
  }

  /// Cleans what lies below the last stable offset and before the first record that is newer than `before`
  /// (min.compaction.lag.ms; LogCleanerManager.cleanableOffsets of Kafka): takes out records whose key has a newer
  /// committed record there, and tombstones. What is younger than the lag takes nothing out, however old that is.
  void Compact(EventTime before) {
    std::map<std::string, LogSlot*> newest;
    for (int64_t at = 0; at < last_stable(); ++at) {
      LogSlot& slot = slots_[static_cast<size_t>(at)];
      if (slot.kind != LogSlot::Kind::kRecord) continue;
      if (slot.record.record_time > before) break;
      if (slot.aborted || slot.compacted) continue;
      LogSlot*& holder = newest[slot.record.key];
      if (holder != nullptr) holder->compacted = true;
      holder = &slot;
    }
    for (const auto& [key, slot] : newest) {
      if (!slot->record.value) slot->compacted = true;
    }
  }
  /// Moves the log's beginning up to the first record that is left.
  void TrimCompacted() {
    while (begin_ < last_stable() && !IsVisible(begin_, true)) ++begin_;
  }
  /// DeleteRecords.
  void DiscardBelow(int64_t offset) { begin_ = std::max(begin_, std::min(offset, last_stable())); }
  int64_t begin() const { return begin_; }

  /// Where the producer's open transaction begins; the end when it has none here.
  int64_t open_from(ProducerId producer) const {
    const auto open = open_.find(producer);
    return open == open_.end() ? end() : open->second;
  }

  int64_t end() const { return static_cast<int64_t>(slots_.size()); }
  /// First offset of the oldest open transaction, or the end.
  int64_t last_stable() const {
    int64_t least = end();
    for (const auto& [producer, first] : open_) least = std::min(least, first);
    return least;
  }
  const LogSlot& slot(int64_t offset) const { return slots_[static_cast<size_t>(offset)]; }
  bool IsVisible(int64_t offset, bool read_committed) const {
    const LogSlot& at = slot(offset);
    return at.kind == LogSlot::Kind::kRecord && !at.compacted && !(read_committed && at.aborted);
  }

 private:
  std::vector<LogSlot> slots_;
  int64_t begin_ = 0;
  std::map<ProducerId, int64_t> open_;  ///< first offset of each open transaction
};

}  // namespace tidecast::simulation
