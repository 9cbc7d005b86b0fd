#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace tidecast {

/// IEEE 754 binary16 as it is stored: relative error <= 2^-11 from 6e-5 to 65504; larger values saturate, so that a
/// finite float never becomes an infinity. NaN stays NaN.
using Half = uint16_t;

inline Half ToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000U;
  const uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<Half>(sign | 0x7e00U);
  if (magnitude >= 0x477fe000U) return static_cast<Half>(sign | 0x7bffU);
  if (magnitude < 0x38800000U) {  // subnormal: counts of 2^-24, rounded to the nearest
    const float units = std::bit_cast<float>(magnitude) * 16777216.0F;
    return static_cast<Half>(sign | static_cast<uint32_t>(units + 0.5F));
  }
  const uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13) & 1U);
  return static_cast<Half>(sign | ((rounded - 0x38000000U) >> 13));
}

inline float FromHalf(Half half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fU;
  const uint32_t fraction = half & 0x3ffU;
  if (exponent == 0) {
    const float units = static_cast<float>(fraction) * 0x1.0p-24F;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(units) | sign);
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13));
  return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (fraction << 13));
}

}  // namespace tidecast
