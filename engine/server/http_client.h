#pragma once

#include <cstdint>
#include <string>

#include "engine/core/status.h"

namespace tidecast {

/// Posts an empty body to an engine on this machine and waits for its answer. Errors: kUnavailable (nobody listens
/// there), kIo (what answers is no engine); else what the engine says, with its remedy.
Status PostToEngine(const std::string& address, uint16_t port, const std::string& target);

}  // namespace tidecast
