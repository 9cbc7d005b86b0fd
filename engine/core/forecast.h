#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/time.h"

namespace tidecast {

/// The quantile levels of every forecast (SEMANTICS.md 5).
inline constexpr std::array<float, 14> kLevels = {.025F, .05F, .1F, .2F, .3F, .4F, .5F, .6F, .7F, .8F, .9F, .95F, .975F, .99F};
inline constexpr size_t kLevelCount = kLevels.size();
inline constexpr size_t kMedian = 6;  ///< index of .5

/// Values that a target can take.
enum class ValueDomain : uint8_t { kCount, kNonNegative, kReal };

/// The forecasts of one series made at one cutoff. Arrays are row-major; views are valid during the call.
struct SeriesForecast {
  std::string_view series;
  std::span<const float> mean;        ///< [horizon]
  std::span<const float> quantiles;   ///< [horizon, kLevelCount], non-decreasing along the level
  std::span<const float> zero_probability;  ///< [horizon], P(y = 0)
  uint32_t age_buckets = 0;           ///< open buckets since the series was born, this one included
};

/// What a closed bucket looked like against what was forecast for it one step ahead. NaN where there was no forecast.
struct BucketScore {
  std::string_view series;
  float actual = 0;
  float expected = 0;                 ///< mean forecast
  std::array<float, kLevelCount> quantiles{};
  float tail_low = 1;                 ///< P(Y <= actual) under the forecast (mid-P for counts)
  float tail_high = 1;                ///< P(Y >= actual)
  bool has_forecast = false;
};

}  // namespace tidecast
