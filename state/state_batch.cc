#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "state/state_store.h"

namespace tidecast {
namespace {

constexpr size_t kFirstBlockBytes = 1024;
constexpr size_t kBlockBytes = 128 << 10;

}  // namespace

std::string_view StateBatch::Copy(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (bytes.size() > block_left_) {
    // A batch of few rows is as common as a large one: the first block is small.
    const size_t size = std::max(bytes.size(), blocks_.empty() ? kFirstBlockBytes : kBlockBytes);
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    if (size == bytes.size()) {
      std::memcpy(blocks_.back().get(), bytes.data(), size);
      return {blocks_.back().get(), size};
    }
    block_at_ = blocks_.back().get();
    block_left_ = size;
  }
  std::memcpy(block_at_, bytes.data(), bytes.size());
  const std::string_view copy(block_at_, bytes.size());
  block_at_ += bytes.size();
  block_left_ -= bytes.size();
  return copy;
}

void StateBatch::Swap(StateBatch& other) noexcept {
  rows_.swap(other.rows_);
  ranges_.swap(other.ranges_);
  blocks_.swap(other.blocks_);
  owned_.swap(other.owned_);
  std::swap(block_at_, other.block_at_);
  std::swap(block_left_, other.block_left_);
  std::swap(bytes_, other.bytes_);
}

void StateBatch::Append(StateBatch&& other) {
  if (empty()) {
    Swap(other);
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
  for (const Row& row : other.rows_) {
    if (other.owned_.empty()) {
      rows_.push_back(row);
    } else if (row.is_delete) {
      rows_.push_back({row.family, true, Copy(row.key), {}});
    } else {
      rows_.push_back({row.family, false, Copy(row.key), Copy(row.value)});
    }
  }
  if (other.owned_.empty()) {
    // Ours stays the block that is filled: it is the last one.
    blocks_.insert(blocks_.begin(), std::make_move_iterator(other.blocks_.begin()), std::make_move_iterator(other.blocks_.end()));
  }
  bytes_ += other.bytes_;
  other.Clear();
}

void StateBatch::Clear() {
  rows_.clear();
  ranges_.clear();
  blocks_.clear();
  owned_.clear();
  block_at_ = nullptr;
  block_left_ = 0;
  bytes_ = 0;
}

}  // namespace tidecast
