#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "models/expert.h"

namespace tidecast {

/// Which horizons stand for which: near, middle and far thirds (of more than 24 steps the first twelfth, to the third,
/// the rest), and the representatives at which mixer, calibrator and experts learn (all of a short horizon; denser
/// near). Thread: immutable.
class HorizonPlan {
 public:
  explicit HorizonPlan(int horizon) : horizon_(horizon) {
    for (int h = 1; h <= horizon; h = horizon <= 8 ? h + 1 : std::max(h + 1, h * 3 / 2)) learned_.push_back(h);
    if (learned_.back() != horizon) learned_.push_back(horizon);
  }
  size_t GroupOf(int h) const {
    if (horizon_ > 24) return h <= horizon_ / 12 ? 0 : h <= horizon_ / 3 ? 1 : 2;
    return std::min(kHorizonGroups - 1,
                    static_cast<size_t>(h - 1) * kHorizonGroups / static_cast<size_t>(std::max(horizon_, 3)));
  }
  const std::vector<int>& learned() const { return learned_; }
  static constexpr size_t kKnotsMax = 20;  ///< of any horizon up to 1000
  HorizonKnot KnotOf(int h) const {
    const auto beyond = std::upper_bound(learned_.begin(), learned_.end(), h);
    const size_t below = static_cast<size_t>(beyond - learned_.begin()) - 1;
    if (beyond == learned_.end()) return {below, 0};
    return {below, static_cast<float>(h - learned_[below]) / static_cast<float>(*beyond - learned_[below])};
  }
  /// One of the learned horizons for each group that there is: where net and base are compared.
  std::vector<int> outer(ValueDomain domain) const {
    std::vector<int> outer;
    for (const int h : learned_) {
      const size_t group = GroupOf(h);
      if (outer.empty() || group > GroupOf(outer.back())) {
        outer.push_back(h);
      } else if (group + 1 == kHorizonGroups) {
        outer.back() = h;  // of the far group the farthest
      } else if (domain == ValueDomain::kReal && 2 * h <= BordersOf(group) + 1) {
        outer.back() = h;  // errors of reals grow within a group: its middle stands for it
      }
    }
    return outer;
  }

 private:
  /// First and last horizon of a group, added.
  int BordersOf(size_t group) const {
    int first = 1, last = horizon_;
    while (GroupOf(first) < group) ++first;
    while (GroupOf(last) > group) --last;
    return first + last;
  }
  int horizon_;
  std::vector<int> learned_;
};

}  // namespace tidecast
