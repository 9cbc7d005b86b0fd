#pragma once

#include <string>
#include <vector>

#include "engine/runtime/engine_options.h"

namespace tidecast {

/// Lays `--model` (a net, experts or none) over the config; empty changes nothing. Errors: kUsage.
Status ApplyModelFlag(const std::string& model, EngineOptions* options);
/// The values of a flag that chooses the net.
std::vector<std::string> NetKindWords(bool with_experts);

/// Splits "a,b,c"; empty parts are left out.
std::vector<std::string> SplitList(const std::string& text);

/// Start of a local day in the zone of the first view, as an exclusive end for events. Errors: kUsage.
Result<EventTime> ParseUntilFlag(const std::string& date, const EngineOptions& options);

}  // namespace tidecast
