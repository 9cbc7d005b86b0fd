#include "operators/trend.h"

#include <algorithm>
#include <cmath>

namespace tidecast {

std::string_view NameOf(TrendPhase phase) {
  switch (phase) {
    case TrendPhase::kNew:
      return "new";
    case TrendPhase::kSteady:
      return "steady";
    case TrendPhase::kRising:
      return "rising";
    case TrendPhase::kPeak:
      return "peak";
    case TrendPhase::kFading:
      return "fading";
  }
  return "";
}

SumMoments SumOf(std::span<const float> mean, std::span<const float> quantiles,
                 std::span<const float> zero_probability) {
  SumMoments sum;
  for (size_t h = 0; h < mean.size(); ++h) {
    const double centre = static_cast<double>(mean[h]);
    const float* at = quantiles.data() + h * kLevelCount;
    double left = static_cast<double>(at[0]) - centre;
    double square = static_cast<double>(kLevels[0]) * left * left;
    for (size_t l = 1; l < kLevelCount; ++l) {
      const double right = static_cast<double>(at[l]) - centre;
      square += static_cast<double>(kLevels[l] - kLevels[l - 1]) * (left * left + left * right + right * right) / 3;
      left = right;
    }
    sum.variance += square + (1 - static_cast<double>(kLevels.back())) * left * left;
    sum.mean += centre;
    sum.zero *= std::clamp(static_cast<double>(zero_probability[h]), 0.0, 1.0);
  }
  return sum;
}

SumLaw::SumLaw(ValueDomain domain, const SumMoments& moments, double inflation)
    : domain_(domain), moments_(moments), deviation_(std::sqrt(std::max(moments.variance * inflation, 1e-12))) {}

double SumLaw::Above(double value) const {
  const auto upper = [](double z) { return .5 * std::erfc(z * M_SQRT1_2); };
  if (domain_ == ValueDomain::kReal) return upper((value - moments_.mean) / deviation_);
  if (value <= 0) return 1 - moments_.zero;
  if (!(moments_.mean > 0)) return 0;
  const double shape = std::pow(moments_.mean / deviation_, 2);
  // Of whole units, more than n is at least n + 1.
  const double bound = domain_ == ValueDomain::kCount ? value + .5 : value;
  return upper((std::cbrt(bound / moments_.mean) - 1 + 1 / (9 * shape)) * 3 * std::sqrt(shape));
}

double SumLaw::Quantile(double z) const {
  if (domain_ == ValueDomain::kReal) return moments_.mean + z * deviation_;
  if (!(moments_.mean > 0)) return 0;
  const double shape = std::pow(moments_.mean / deviation_, 2);
  return moments_.mean * std::pow(std::max(0.0, 1 - 1 / (9 * shape) + z / (3 * std::sqrt(shape))), 3);
}

}  // namespace tidecast
