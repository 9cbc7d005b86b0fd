#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace tidecast {

/// Appends `text` as a JSON string with its quotes. Control characters are escaped, bytes that are not UTF-8 become
/// U+FFFD, so that what is written can always be read.
void AppendJsonString(std::string_view text, std::string* out);

/// Writes a number of at most two decimals, as money is; null when it has more. Of at most 15 digits, so that no
/// shorter text reads back to the same bits.
inline char* AppendHundredths(double value, char* to) {
  constexpr double kMax = 1e12;
  if (!(value > -kMax && value < kMax)) return nullptr;
  const auto hundredths = static_cast<int64_t>(value * 100 + (value < 0 ? -.5 : .5));
  if (static_cast<double>(hundredths) / 100 != value) return nullptr;
  const int64_t size = hundredths < 0 ? -hundredths : hundredths;
  if (hundredths < 0) *to++ = '-';
  to = std::to_chars(to, to + 20, size / 100).ptr;
  const auto cents = static_cast<int>(size % 100);
  *to++ = '.';
  *to++ = static_cast<char>('0' + cents / 10);
  if (cents % 10 != 0) *to++ = static_cast<char>('0' + cents % 10);
  return to;
}

/// Appends a number, shortest that reads back to the same bits; null for NaN and infinities, which JSON does not have.
template <typename Float>
void AppendJsonNumber(Float value, std::string* out) {
  static_assert(std::is_floating_point_v<Float>);
  char digits[32];
  constexpr Float kIntegersMax = 1e15;
  if (value > -kIntegersMax && value < kIntegersMax && value == static_cast<Float>(static_cast<int64_t>(value))) {
    out->append(digits, std::to_chars(digits, digits + sizeof digits, static_cast<int64_t>(value)).ptr);
  } else if (std::isfinite(value)) {
    if constexpr (std::is_same_v<Float, double>) {
      if (char* const end = AppendHundredths(value, digits); end != nullptr) {
        out->append(digits, end);
        return;
      }
    }
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
