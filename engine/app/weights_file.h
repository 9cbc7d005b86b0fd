#pragma once

#include <string>

#include "models/forecaster.h"

namespace tidecast {

/// Lets a new net begin with the weights of a file (models/weights/FORMAT.md). Nothing for an empty path.
/// Errors: kNoInput, kCorruption, kVersion, each naming the path.
Status BeginWithWeights(const std::string& path, ForecasterOptions* options);

}  // namespace tidecast
