#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidecast {

/// Appends `text` as a JSON string with its quotes. Control characters are escaped, bytes that are not UTF-8 become
/// U+FFFD, so that what is written can always be read.
void AppendJsonString(std::string_view text, std::string* out);

/// Appends a number, shortest that reads back to the same bits; null for NaN and infinities, which JSON does not have.
template <typename Float>
void AppendJsonNumber(Float value, std::string* out) {
  static_assert(std::is_floating_point_v<Float>);
  char digits[32];
  constexpr Float kIntegersMax = 1e15;
  if (value > -kIntegersMax && value < kIntegersMax && value == static_cast<Float>(static_cast<int64_t>(value))) {
    out->append(digits, std::to_chars(digits, digits + sizeof digits, static_cast<int64_t>(value)).ptr);
  } else if (std::isfinite(value)) {
    out->append(digits, fmt::format_to(digits, "{}", value));
  } else {
    out->append("null");
  }
}

inline void AppendJsonInteger(int64_t value, std::string* out) {
  char digits[24];
  out->append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace tidecast
