#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/expert.h"

namespace tidecast {

/// The histories of a block's series without their season, each in order of value: sorted once for all experts that
/// need the order. A missing or non-finite value has no entry. Thread: confined while Take runs, immutable after.
class SortedHistory {
 public:
  struct Entry {
    float value;    ///< y / pooled seasonal factor
    uint32_t slot;  ///< of the history
  };
  /// `apart`: zeros are not sorted but kept apart (counts, which have many).
  void Take(const ExpertBlock& block, bool zeros_apart);
  /// Ascending by value, then by slot.
  std::span<const Entry> Of(size_t series) const { return {entries_.data() + series * kHistory, counts_[series]}; }
  /// Slots of the zeros that were kept apart.
  std::span<const uint8_t> ZerosOf(size_t series) const {
    return {zeros_.data() + series * kHistory, zero_counts_[series]};
  }

 private:
  std::vector<Entry> entries_;    ///< [series, kHistory]
  std::vector<uint32_t> counts_;  ///< [series]
  std::vector<uint8_t> zeros_;    ///< [series, kHistory]
  std::vector<uint32_t> zero_counts_;
};

}  // namespace tidecast
