#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

#include "engine/core/check.h"

namespace tidecast {

/// Adds up what the blocks of a round gather, in block order whatever the order in which they come, so that neither the
/// number of threads nor their timing changes a bit. Blocks wait only until those before them are there.
/// Thread: Add is safe; all else is confined.
class RoundSums {
 public:
  void Begin(size_t sums, size_t blocks) {
    total_.assign(sums, 0.0);
    blocks_ = blocks;
    next_ = 0;
    waiting_.clear();
  }
  void Resume(size_t blocks, size_t next, std::vector<double> total) {
    total_ = std::move(total);
    blocks_ = blocks;
    next_ = next;
    waiting_.clear();
  }
  void Add(size_t block, std::vector<double> sums) {
    const std::lock_guard lock(mutex_);
    TC_CHECK(block >= next_ && block < blocks_, "block {} of {}, next {}", block, blocks_, next_);
    waiting_.emplace(block, std::move(sums));
    for (auto first = waiting_.begin(); first != waiting_.end() && first->first == next_; first = waiting_.begin()) {
      for (size_t i = 0; i < total_.size(); ++i) total_[i] += first->second[i];
      waiting_.erase(first);
      ++next_;
    }
  }
  bool complete() const { return next_ == blocks_; }
  /// Blocks folded so far; those that wait for an earlier one are not part of it.
  size_t next() const { return next_; }
  const std::vector<double>& total() const { return total_; }
  bool has_gap() const { return !waiting_.empty(); }

 private:
  std::mutex mutex_;  // guards all below while blocks come
  std::vector<double> total_;
  size_t blocks_ = 0;
  size_t next_ = 0;
  std::map<size_t, std::vector<double>> waiting_;
};

}  // namespace tidecast
