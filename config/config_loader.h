#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config_problem.h"
#include "config/config_tree.h"
#include "engine/core/status.h"
#include "engine/runtime/engine_options.h"

namespace tidecast {

/// A config with all that was found wrong with it. `options` may be used only when there is no problem.
struct ConfigReport {
  std::string path;
  EngineOptions options;
  ConfigNode tree;                     ///< as it holds after the overrides, secrets put in: never print it unmasked
  std::vector<ConfigProblem> problems; ///< by place

  bool ok() const { return problems.empty(); }
};

/// Checks a config text. Overrides are laid over it in their order: environment first, then flags.
ConfigReport CheckConfigText(std::string_view text, const std::string& path, const std::vector<ConfigOverride>& overrides = {});

/// Reads and checks a file; all independent problems are reported at once. Errors: kNoInput, kPermission.
Result<ConfigReport> CheckConfig(const std::string& path, const std::vector<ConfigOverride>& overrides = {});

/// The options of a config without problems. Errors: kNoInput, kPermission; kConfig with every problem printed in the message.
Result<EngineOptions> LoadConfig(const std::string& path, const std::vector<ConfigOverride>& overrides = {});

}  // namespace tidecast
