#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/core/forecast.h"

namespace tidecast {

/// Where demand is going: the sum over the next horizon against the sum over the last one.
enum class TrendPhase : uint8_t {
  kNew,     ///< younger than two horizons
  kSteady,  ///< none of the others
  kRising,
  kPeak,  ///< as high as in the last eight horizons, and not expected to last
  kFading,
};
std::string_view NameOf(TrendPhase phase);

struct Trend {
  double last = 0;               ///< sum of the newest `horizon` buckets
  double before = 0;             ///< sum of the `horizon` buckets before these; NaN: not known
  double expected = 0;           ///< mean of the sum of the next `horizon` buckets
  std::array<double, 3> next{};  ///< its quantiles at .1, .5, .9
  double rise = .5;              ///< P(next sum > last sum)
  double acceleration = 0;  ///< log growth ahead minus log growth behind (sums + 1); NaN: not known, or domain real
  TrendPhase phase = TrendPhase::kNew;
};

/// Mean and spread of the sum of the next buckets, from their marginals alone (buckets independent).
struct SumMoments {
  double mean = 0;
  double variance = 0;
  double zero = 1;  ///< P(sum = 0)
};
/// mean, zero_probability [horizon], quantiles [horizon, kLevelCount].
SumMoments SumOf(std::span<const float> mean, std::span<const float> quantiles,
                 std::span<const float> zero_probability);

/// Law of such a sum: a gamma distribution (Wilson and Hilferty's normal approximation of 1931) with whole units for
/// counts, a normal one for real values. The variance is that of the moments times `inflation`.
class SumLaw {
 public:
  SumLaw(ValueDomain domain, const SumMoments& moments, double inflation);
  double Above(double value) const;  ///< P(sum > value)
  double Quantile(double z) const;   ///< at the normal quantile z

 private:
  ValueDomain domain_;
  SumMoments moments_;
  double deviation_;  ///< of the sum
};

}  // namespace tidecast
