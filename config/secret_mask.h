#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config_tree.h"

namespace tidecast {

/// What is shown in a secret's place; its length tells nothing.
inline constexpr std::string_view kSecretMask = "********";

/// Takes secrets out of lines of a config that are shown beside an error: the values of secret keys, found by name
/// (also misspelt, and in text that is not YAML) and, where the tree could be read, by value (lines of a block,
/// aliases). Thread: immutable.
class SecretMask {
 public:
  /// `tree` as the file has it, before overrides and ${file:...}.
  explicit SecretMask(const ConfigNode& tree);

  struct Line {
    std::string text;
    int column = 0;  ///< where what stood in the given column stands now, from 1
  };
  Line Hide(std::string_view line, int column) const;

 private:
  void Collect(const ConfigNode& node, std::string_view key);
  std::vector<std::string> values_;  ///< longest first
};

/// Whether a value below this key must not be shown, e.g. kafka's sasl.password or the pseudonym_key; also near misses.
bool IsSecretKey(std::string_view key);

}  // namespace tidecast
