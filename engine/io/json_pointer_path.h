#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"

namespace tidecast {

/// A JSON Pointer taken apart into its unescaped steps. Source: RFC 6901.
/// Thread: immutable value.
struct JsonPointerPath {
  std::string text;                ///< as it was written, e.g. "/line~1item/qty"
  std::vector<std::string> steps;  ///< {"line/item", "qty"}

  bool top_level() const { return steps.size() == 1; }

  /// Errors: kConfig (no leading slash, empty pointer, a ~ that is neither ~0 nor ~1).
  static Result<JsonPointerPath> Parse(std::string_view text);
};

}  // namespace tidecast
