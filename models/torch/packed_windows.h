#pragma once

#include <span>
#include <vector>

#include "models/net.h"

namespace tidecast::net {

/// Windows whose live steps stand first, without holes: what is masked is no step at all, and what follows the last
/// live one is zero. So a causal encoder needs no mask.
struct PackedWindows {
  int rows = 0;
  int steps = 0;              ///< live steps of the longest
  std::vector<float> inputs;  ///< [rows, steps, inputs]
  std::vector<int> live;      ///< [rows, positions] live steps up to each of the newest positions

  /// `rows`: which of `inputs` [*, window, inputs] and `mask` [*, window].
  static PackedWindows Of(const NetShape& shape, int positions, std::span<const int> rows,
                          std::span<const float> inputs, std::span<const float> mask);
};

}  // namespace tidecast::net
