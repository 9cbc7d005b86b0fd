#pragma once

#include <cstddef>
#include <string_view>

namespace tidecast {

/// What JSON from outside may nest: whoever copies or writes a JSON tree takes stack for each level.
inline constexpr size_t kJsonNestingMost = 1000;

/// Whether arrays and objects nest deeper than `most` levels anywhere in the text, which need not be valid JSON.
bool NestsDeeper(std::string_view json, size_t most = kJsonNestingMost);

}  // namespace tidecast
