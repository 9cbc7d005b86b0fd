#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "models/net.h"

namespace tidecast {

/// One training window: what was known at an origin, the base's quantiles made there, and (once they have come) the
/// labels. Scaled by the series's scale at the origin.
struct NetExample {
  int64_t origin = 0;
  uint64_t key_hash = 0;
  float scale = 1;
  uint32_t id = 0;
  uint32_t stratum = 0;
  bool matured = false;
  std::vector<float> inputs;      ///< [window, inputs]
  std::vector<float> input_mask;  ///< [window]
  std::vector<float> statics;     ///< [statics]
  std::vector<float> known;       ///< [horizon, known]
  std::vector<float> base;        ///< [horizon, kLevelCount]
  std::vector<float> target;      ///< [horizon]
  std::vector<float> mask;        ///< [horizon]

  /// Empty arrays of a net's shape.
  static NetExample Of(const NetShape& shape);
  void Encode(std::string* out) const;
  /// Errors: kVersion, kCorruption.
  static Result<NetExample> Decode(const NetShape& shape, std::string_view bytes);
};

/// Puts examples into one batch.
void AppendExample(const NetExample& example, NetBatch* batch);

}  // namespace tidecast
