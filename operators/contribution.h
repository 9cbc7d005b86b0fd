#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/core/time.h"
#include "operators/accumulator.h"
#include "state/key_codec.h"

namespace tidecast {

/// The one series of a view grouped by all, and the one of what has no country or category.
inline constexpr std::string_view kAllKey = "all";
inline constexpr std::string_view kUnknownKey = "unknown";

/// What one upstream task has of one key of a rollup view in one bucket: the whole accumulators, not their change, so
/// that the newest one replaces the one before it. Views are valid during the call that hands it over.
struct Contribution {
  uint16_t view = 0;
  uint16_t upstream = 0;  ///< partition of the task that made it
  std::string_view key;   ///< of the rollup's series
  EventTime start;
  EventTime end;
  uint32_t revision = 1;
  bool target_active = false;  ///< the bucket had an event of the target's input there
  std::string_view row;        ///< EncodeRow
  double target = 0;           ///< value of the view's target in `row`; not told to other stages
};

/// A row of accumulators: varint slots; the first of them counts the events. In the order of the slots signed varints,
/// and for a distinct count its sketch behind a 1, or a 0.
void EncodeRow(const Accumulator& layout, const int64_t* slots, const std::vector<RowSketch>& sketches,
               ByteWriter& out);

struct DecodedRow {
  std::vector<int64_t> slots;
  std::vector<RowSketch> sketches;
};
/// Errors: kConfig (other features than those of `layout`), kCorruption.
Status DecodeRow(const Accumulator& layout, std::string_view bytes, DecodedRow* row);

}  // namespace tidecast
