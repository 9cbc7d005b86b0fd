#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tidecast {

/// Number of single-letter edits (insert, delete, replace, swap of neighbours) between two names, case ignored.
size_t EditDistance(std::string_view a, std::string_view b);

/// The candidate that a mistyped `name` most likely meant; empty when none is near (a third of its letters at most).
std::string NearestName(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace tidecast
