#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidecast {

/// Money or a quantity as a decimal in fixed point: `micros` millionths of a unit. Exact in sums.
/// Thread: immutable value.
struct Decimal {
  int64_t micros = 0;

  static constexpr int64_t kOne = 1'000'000;

  constexpr auto operator<=>(const Decimal&) const = default;
  constexpr double ToDouble() const { return static_cast<double>(micros) / kOne; }
};

/// Reads "12", "-3.5", "1e3", "+.25"; digits past the sixth decimal round half to even.
/// Returns nothing for anything else (spaces, thousands separators, overflow, nan).
std::optional<Decimal> ParseDecimal(std::string_view text);

/// Adds; nothing on overflow.
inline std::optional<Decimal> CheckedAdd(Decimal a, Decimal b) {
  Decimal sum;
  if (__builtin_add_overflow(a.micros, b.micros, &sum.micros)) return std::nullopt;
  return sum;
}

/// Multiplies, rounding half to even at the sixth decimal; nothing on overflow.
std::optional<Decimal> CheckedMultiply(Decimal a, Decimal b);

}  // namespace tidecast
