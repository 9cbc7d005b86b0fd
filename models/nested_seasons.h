#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/bucket_context.h"

namespace tidecast {

/// The first season of a view, and the second one where that is a few of the first (days of a week). A phase is one of
/// the second, from which that of the first follows. Parts are what means are kept for: at most kPartsMax of the first,
/// each several phases long where there are more, and as many for each cycle of the second.
/// Thread: immutable.
class NestedSeasons {
 public:
  static constexpr int kPartsMax = 24;
  static constexpr int kCyclesMax = 7;
  explicit NestedSeasons(const std::vector<int>& lengths) {
    first_ = lengths.empty() ? 1 : std::max(1, lengths[0]);
    const int second = lengths.size() > 1 ? lengths[1] : 0;
    if (first_ > 1 && second > first_ && second % first_ == 0 && second / first_ <= kCyclesMax)
      cycles_ = second / first_;
    parts_ = std::min(first_, kPartsMax);
  }
  int first() const { return first_; }
  int cycles() const { return cycles_; }  ///< of the first in the second; 1: none
  int parts() const { return parts_; }    ///< of the first
  size_t long_parts() const { return cycles_ > 1 ? static_cast<size_t>(parts_ * cycles_) : 0; }
  size_t phases() const { return static_cast<size_t>(first_ * cycles_); }
  /// Each season has its own clock: where they differ (weekdays, and a count of open days) the first one's tells the
  /// place within it.
  size_t PhaseOf(const CalendarStep& step) const {
    const auto place = [&step](size_t season, int32_t length) {
      const int32_t phase = step.season_phase.size() > season ? step.season_phase[season] : 0;
      return ((phase % length) + length) % length;
    };
    const int32_t cycle = cycles_ > 1 ? place(1, first_ * cycles_) / first_ : 0;
    return static_cast<size_t>(cycle * first_ + place(0, first_));
  }
  size_t PartOf(size_t phase) const {
    return phase % static_cast<size_t>(first_) * static_cast<size_t>(parts_) / static_cast<size_t>(first_);
  }
  size_t LongPartOf(size_t phase) const {
    return phase / static_cast<size_t>(first_) * static_cast<size_t>(parts_) + PartOf(phase);
  }

 private:
  int first_ = 1;
  int cycles_ = 1;
  int parts_ = 1;
};

}  // namespace tidecast
