#include "engine/core/decimal.h"

#include <limits>

namespace tidecast {
namespace {

// Divides rounding half to even. REQUIRES: divisor > 0.
__int128 DivideHalfEven(__int128 value, __int128 divisor) {
  __int128 quotient = value / divisor;
  __int128 rest = value % divisor;
  if (rest < 0) rest = -rest;
  const __int128 twice = rest * 2;
  if (twice > divisor || (twice == divisor && quotient % 2 != 0)) quotient += value < 0 ? -1 : 1;
  return quotient;
}

std::optional<Decimal> Narrow(__int128 micros) {
  if (micros > std::numeric_limits<int64_t>::max() || micros < std::numeric_limits<int64_t>::min()) return std::nullopt;
  return Decimal{static_cast<int64_t>(micros)};
}

}  // namespace

std::optional<Decimal> ParseDecimal(std::string_view text) {
  size_t i = 0;
  bool negative = false;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) negative = text[i++] == '-';
  __int128 digits = 0;
  int scale = 0;
  int count = 0;
  bool fraction = false;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c >= '0' && c <= '9') {
      ++count;
      if (digits > (static_cast<__int128>(1) << 100)) {
        if (!fraction) return std::nullopt;
        continue;  // far past the sixth decimal
      }
      digits = digits * 10 + (c - '0');
      if (fraction) ++scale;
    } else if (c == '.' && !fraction) {
      fraction = true;
    } else {
      break;
    }
  }
  if (count == 0) return std::nullopt;
  int exponent = 0;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    bool negative_exponent = false;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) negative_exponent = text[i++] == '-';
    if (i == text.size()) return std::nullopt;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
      exponent = exponent * 10 + (text[i] - '0');
      if (exponent > 100) return std::nullopt;
    }
    if (negative_exponent) exponent = -exponent;
  }
  if (i != text.size()) return std::nullopt;
  int shift = 6 - scale + exponent;
  if (digits == 0) return Decimal{};
  for (; shift > 0; --shift) {
    digits *= 10;
    if (digits > (static_cast<__int128>(1) << 110)) return std::nullopt;
  }
  __int128 divisor = 1;
  for (; shift < 0; ++shift) {
    divisor *= 10;
    if (divisor > (static_cast<__int128>(1) << 120)) return Decimal{};
  }
  __int128 micros = DivideHalfEven(digits, divisor);
  return Narrow(negative ? -micros : micros);
}

std::optional<Decimal> CheckedMultiply(Decimal a, Decimal b) {
  return Narrow(DivideHalfEven(static_cast<__int128>(a.micros) * b.micros, Decimal::kOne));
}

}  // namespace tidecast
