#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config_problem.h"
#include "engine/core/status.h"

namespace tidecast {

struct ConfigEntry;

/// A config as a tree of texts with their places. What a text means is the field table's business.
struct ConfigNode {
  enum class Kind { kNull, kScalar, kSection, kList };
  Kind kind = Kind::kNull;
  std::string text;                  ///< of a scalar
  ConfigPlace place;
  std::vector<ConfigEntry> entries;  ///< of a section, in the file's order
  std::vector<ConfigNode> items;     ///< of a list

  bool IsSection() const { return kind == Kind::kSection; }
  const ConfigNode* Find(std::string_view key) const;
  ConfigNode* Find(std::string_view key);
};

struct ConfigEntry {
  std::string key;
  ConfigPlace place;                 ///< of the key
  ConfigNode value;
};

/// A value from a flag or the environment, laid over the file.
struct ConfigOverride {
  std::vector<std::string> path;     ///< {"state", "memory_limit"}
  std::string value;                 ///< YAML, so lists and numbers work as in the file
  std::string origin;                ///< "flag --set threads=2", "environment variable TIDECAST__THREADS"
};

/// Reads YAML (or JSON) text. Syntax errors and doubled keys are added to `problems`; what could be read is returned.
ConfigNode ParseConfigText(std::string_view text, std::vector<ConfigProblem>* problems);

/// Lays overrides over the tree in their order. Keys from the environment are matched without regard to case and
/// punctuation; unknown `kafka` names get dots for underscores.
void ApplyOverrides(const std::vector<ConfigOverride>& overrides, ConfigNode* root, std::vector<ConfigProblem>* problems);

/// "state.memory_limit=1GiB" -> an override. Errors: kUsage.
Result<ConfigOverride> ParseSetFlag(std::string_view text);
/// Picks TIDECAST__A__B=value out of an environment ("NAME=value" each), sorted by name.
std::vector<ConfigOverride> OverridesFromEnvironment(const std::vector<std::string>& environment);

}  // namespace tidecast
