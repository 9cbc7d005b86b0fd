#pragma once

#include <string>

#include "models/forecaster.h"

namespace tidecast {

/// The bytes of a file of weights, which have its magic and format. Errors: kNoInput, kCorruption, kVersion, each naming
/// the path.
Result<std::string> ReadWeightsFile(const std::string& path);

/// Lets a new net begin with the weights of a file (models/weights/FORMAT.md). Nothing for an empty path.
/// Errors: as ReadWeightsFile.
Status BeginWithWeights(const std::string& path, ForecasterOptions* options);

}  // namespace tidecast
