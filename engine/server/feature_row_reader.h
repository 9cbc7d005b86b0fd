#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidecast {

/// The part of a `<ns>.features` value that the view keeps.
struct FeatureRow {
  std::string view;
  std::string ds;
  uint32_t revision = 1;
  std::vector<std::pair<std::string, double>> numbers;  ///< features that have a value, in the record's order

  /// The feature called `name`, or the first one when `name` is empty.
  std::optional<double> Feature(std::string_view name) const;
};

/// Reads a row in one pass without building a tree. Nothing when the bytes are no JSON object with a "ds".
std::optional<FeatureRow> ReadFeatureRow(std::string_view json);

}  // namespace tidecast
