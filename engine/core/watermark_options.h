#pragma once

#include "engine/core/time.h"

namespace tidecast {

/// What an input needs for time (EXACTLY_ONCE.md 3).
struct WatermarkOptions {
  Duration bound{};                  ///< out-of-orderness: watermark = max event time - bound
  Duration idle_timeout{};           ///< 0: never idle (replay)
};

}  // namespace tidecast
