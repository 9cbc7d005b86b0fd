#pragma once

#include <span>

namespace tidecast {

/// Beside the forecast of a rollup's series: the sum of what its parts expect, and both means combined (SEMANTICS.md
/// 6). Each [horizon], NaN where the sum is not known; empty where nothing is summed up. Views are valid during the
/// call.
struct RollupMeans {
  std::span<const float> bottom_up;
  std::span<const float> reconciled;
};

}  // namespace tidecast
