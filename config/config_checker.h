#pragma once

#include <string>
#include <vector>

#include "config/config_tree.h"

namespace tidecast {

/// Holds a tree against the field table: unknown keys, shapes, units, ranges, words, needed keys. On the way it spells out
/// single values that stand for a section (`model: experts`) and puts secrets in for ${file:...}.
void CheckAgainstFields(ConfigNode* root, std::vector<ConfigProblem>* problems);

/// Place of the value at `path`, or of the nearest section above it that is there.
ConfigPlace PlaceAt(const ConfigNode& root, const std::vector<std::string>& path);

}  // namespace tidecast
