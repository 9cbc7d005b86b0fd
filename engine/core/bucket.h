#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/core/time.h"

namespace tidecast {

/// One row of closed (or revised) features. Views are valid during the call that hands it over.
/// `features` in the order of the view's config; NaN = no value (e.g. the mean of nothing).
struct ClosedBucket {
  uint16_t view = 0;
  std::string_view series;  ///< the key as the input spells it
  EventTime start;
  EventTime end;
  uint32_t revision = 1;  ///< 1 = first publication
  EventTime revised_at;   ///< task watermark when a revision was made; Min() for a first publication
  std::span<const double> features;
  std::span<const float> known;  ///< [1 + horizon, known_covariates] as known at `end`; empty when the view has none
  int64_t events = 0;            ///< events that it counts, of all inputs
  bool out_of_stock = false;     ///< none on hand at its start nor at its end, as told by then (first publication)
  std::string_view category;     ///< of the series as of `start`; empty: none told, or nothing asks for it
};

}  // namespace tidecast
