#pragma once

#include <vector>

#include "config/config_tree.h"
#include "engine/runtime/engine_options.h"

namespace tidecast {

/// Holds settings against one another: names that refer to nothing, and contradictions, with both settings named.
void CheckRules(const ConfigNode& root, const EngineOptions& options, std::vector<ConfigProblem>* problems);

}  // namespace tidecast
