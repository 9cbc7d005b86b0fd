#pragma once

#include <filesystem>

namespace tidecast {

/// Folder of the running program.
std::filesystem::path ExecutableDirectory();

}  // namespace tidecast
