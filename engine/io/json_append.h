#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace tidecast {

/// Appends `text` as a JSON string with its quotes. Control characters are escaped, bytes that are not UTF-8 become
/// U+FFFD, so that what is written can always be read.
void AppendJsonString(std::string_view text, std::string* out);

/// The same into memory of at least JsonStringBytesMax bytes; returns its end.
char* WriteJsonString(std::string_view text, char* to);
inline constexpr size_t kJsonEscapeBytesMax = 6;
constexpr size_t JsonStringBytesMax(size_t bytes) { return 2 + kJsonEscapeBytesMax * bytes; }

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

/// Bytes that a number takes at most.
inline constexpr size_t kJsonNumberBytesMax = 32;

/// Writes a number, shortest that reads back to the same bits; null for NaN and infinities, which JSON does not have.
/// Returns its end. REQUIRES: room for kJsonNumberBytesMax.
template <typename Float>
char* WriteJsonNumber(Float value, char* to) {
  static_assert(std::is_floating_point_v<Float>);
  constexpr Float kIntegersMax = 1e15;
  if (value > -kIntegersMax && value < kIntegersMax && value == static_cast<Float>(static_cast<int64_t>(value))) {
    return std::to_chars(to, to + kJsonNumberBytesMax, static_cast<int64_t>(value)).ptr;
  }
  if (!std::isfinite(value)) {
    std::memcpy(to, "null", 4);
    return to + 4;
  }
  if constexpr (std::is_same_v<Float, double>) {
    if (char* const end = AppendHundredths(value, to); end != nullptr) return end;
  }
  return fmt::format_to(to, "{}", value);
}

inline char* WriteJsonInteger(int64_t value, char* to) {
  return std::to_chars(to, to + kJsonNumberBytesMax, value).ptr;
}

template <typename Float>
void AppendJsonNumber(Float value, std::string* out) {
  char digits[kJsonNumberBytesMax];
  out->append(digits, WriteJsonNumber(value, digits));
}

inline void AppendJsonInteger(int64_t value, std::string* out) {
  char digits[kJsonNumberBytesMax];
  out->append(digits, WriteJsonInteger(value, digits));
}

}  // namespace tidecast
