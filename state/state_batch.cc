#include <iterator>
#include <utility>

#include "state/state_store.h"

namespace tidecast {

void StateBatch::Append(StateBatch&& other) {
  if (empty()) {
    std::swap(*this, other);
    other.Clear();
    return;
  }
  // Ranges are applied before all rows, so a range that comes second takes our rows with it here and now.
  for (const Range& range : other.ranges_) {
    std::erase_if(rows_, [&](const Row& row) {
      return row.family == range.family && row.key >= range.from && row.key < range.to;
    });
  }
  ranges_.insert(ranges_.end(), std::make_move_iterator(other.ranges_.begin()),
                 std::make_move_iterator(other.ranges_.end()));
  rows_.insert(rows_.end(), std::make_move_iterator(other.rows_.begin()), std::make_move_iterator(other.rows_.end()));
  bytes_ += other.bytes_;
  other.Clear();
}

void StateBatch::Clear() {
  rows_.clear();
  ranges_.clear();
  bytes_ = 0;
}

}  // namespace tidecast
