#pragma once

#include <string>

#include "config/config_loader.h"

namespace tidecast {

/// All problems for a person: error[TC0103]: what, place, the line with a caret, why, try, docs. No colours.
std::string PrintProblems(const ConfigReport& report);
/// The same as a JSON array, for `--format json`.
std::string PrintProblemsJson(const ConfigReport& report);
/// What holds after overrides and where each value comes from (`config show --origin`), secrets masked.
std::string PrintOrigins(const ConfigReport& report);

}  // namespace tidecast
