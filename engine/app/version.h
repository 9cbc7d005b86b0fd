#pragma once

namespace tidecast {

#ifndef TIDECAST_VERSION
#define TIDECAST_VERSION "unknown"
#endif
inline constexpr const char* kVersionText = TIDECAST_VERSION;

}  // namespace tidecast
