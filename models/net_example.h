#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "models/half_float.h"
#include "models/net.h"

namespace tidecast {

/// What was known of a series at one origin, the base's quantiles made there, and (once they have come) the labels; in
/// units of the scale at the origin. Numbers are kept as halves, so that what is stored is what is learnt from.
/// The last origin of a segment brings the window of inputs too; the others leave those arrays empty.
struct NetOrigin {
  int64_t origin = 0;
  uint64_t key_hash = 0;
  float scale = 1;
  uint32_t id = 0;
  uint32_t stratum = 0;
  bool matured = false;
  std::vector<Half> inputs;      ///< [window, inputs] or empty
  std::vector<Half> input_mask;  ///< [window] or empty
  std::vector<Half> statics;     ///< [statics]
  std::vector<Half> known;       ///< [horizon, known]
  std::vector<Half> base;        ///< [horizon, kLevelCount]
  std::vector<Half> target;      ///< [horizon]
  std::vector<Half> mask;        ///< [horizon]

  /// Empty arrays of a net's shape; `closes`: with the window.
  static NetOrigin Of(const NetShape& shape, bool closes);
  bool closes() const { return !input_mask.empty(); }
  void Encode(std::string* out) const;
  /// Errors: kVersion, kCorruption.
  static Result<NetOrigin> Decode(const NetShape& shape, std::string_view bytes);
};

/// One training window: the origins of a segment, oldest first; the last one closes it. An origin that was not recorded
/// is a hole (no labels).
struct NetExample {
  std::vector<NetOrigin> origins;  ///< [1 .. positions]
  const NetOrigin& last() const { return origins.back(); }
  void Encode(std::string* out) const;
  /// Errors: kVersion, kCorruption.
  static Result<NetExample> Decode(const NetShape& shape, std::string_view bytes);
};

/// Puts an example into a batch. Each label weighs sqrt(scale of its origin).
void AppendExample(const NetShape& shape, const NetExample& example, NetBatch* batch);

}  // namespace tidecast
