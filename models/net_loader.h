#pragma once

#include <string>
#include <vector>

#include "models/net.h"

namespace tidecast {

/// Paths that LoadNet tries, in order. A given path is the only one; else the module beside the executable, then
/// `../lib/tidecast` of it.
std::vector<std::string> NetModulePaths(const std::string& module_path);

/// Whether a file is at one of them. Errors: kNotFound, as LoadNet.
Status FindNetModule(const std::string& module_path);

}  // namespace tidecast
