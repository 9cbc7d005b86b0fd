#include "models/predictive_distribution.h"

#include <algorithm>
#include <cmath>

#include "engine/core/check.h"

namespace tidecast {
namespace {

constexpr double kTailShape = .2;  ///< of the generalised Pareto tail
constexpr size_t kTop = kLevelCount - 1;
constexpr size_t kNinetyFive = kLevelCount - 3;

/// Width over which survival falls by `ratio`, as the scale of a Pareto tail (or exponential one for shape 0).
double TailScale(double width, double ratio, double shape) {
  if (shape == 0) return width / std::log(ratio);
  return width * shape / (std::pow(ratio, shape) - 1);
}
double TailSurvival(double excess, double scale, double shape) {
  if (shape == 0) return std::exp(-excess / scale);
  return std::pow(1 + shape * excess / scale, -1 / shape);
}
double TailExcess(double survival, double scale, double shape) {
  if (shape == 0) return -scale * std::log(survival);
  return scale / shape * (std::pow(survival, -shape) - 1);
}

}  // namespace

PredictiveDistribution::PredictiveDistribution(ValueDomain domain, float mean, float zero_probability,
                                               std::span<const float> quantiles)
    : domain_(domain), mean_(mean), zero_probability_(zero_probability), quantiles_(quantiles) {
  TC_CHECK_EQ(quantiles.size(), kLevelCount);
}

float PredictiveDistribution::ConsistentZeroProbability(ValueDomain domain, float wanted,
                                                        std::span<const float> quantiles) {
  if (domain == ValueDomain::kReal) return 0;
  float least = 0;
  float most = 1;
  for (size_t l = 0; l < kLevelCount; ++l) {
    if (quantiles[l] <= 0) least = kLevels[l];
    if (quantiles[l] >= .5F) {
      most = kLevels[l];
      break;
    }
  }
  return std::clamp(wanted, least, std::max(least, most));
}

double PredictiveDistribution::UpperSurvival(double y) const {
  const double shape = domain_ == ValueDomain::kCount ? 0 : kTailShape;
  const double span = quantiles_[kTop] - quantiles_[kNinetyFive];
  const double least = domain_ == ValueDomain::kReal ? 1e-9 + 1e-6 * std::fabs(quantiles_[kTop]) : .5;
  return (1 - kLevels[kTop]) * TailSurvival(y - quantiles_[kTop], TailScale(std::max(span, least), 5, shape), shape);
}

double PredictiveDistribution::Cdf(double y) const {
  const bool real = domain_ == ValueDomain::kReal;
  if (!real && y < 0) return 0;
  if (y >= quantiles_[kTop]) return 1 - UpperSurvival(y);
  const double floor = real ? 0 : zero_probability_;
  if (y < quantiles_[0]) {
    if (!real) return std::max(floor, quantiles_[0] > 0 ? floor + (kLevels[0] - floor) * y / quantiles_[0] : floor);
    const double span = std::max(static_cast<double>(quantiles_[1]) - quantiles_[0], 1e-9 + 1e-6 * std::fabs(quantiles_[0]));
    return kLevels[0] * TailSurvival(quantiles_[0] - y, TailScale(span, 2, kTailShape), kTailShape);
  }
  size_t l = 0;
  while (l + 1 < kLevelCount && quantiles_[l + 1] <= y) ++l;
  const double width = static_cast<double>(quantiles_[l + 1]) - quantiles_[l];
  const double part = width > 0 ? (y - quantiles_[l]) / width : 0;
  return std::max(floor, kLevels[l] + part * (kLevels[l + 1] - kLevels[l]));
}

double PredictiveDistribution::Quantile(double level) const {
  TC_CHECK(level > 0 && level < 1, "level {}", level);
  const bool real = domain_ == ValueDomain::kReal;
  if (!real && level <= zero_probability_) return 0;
  if (level > kLevels[kTop]) {
    const double shape = domain_ == ValueDomain::kCount ? 0 : kTailShape;
    const double span = quantiles_[kTop] - quantiles_[kNinetyFive];
    const double least = real ? 1e-9 + 1e-6 * std::fabs(quantiles_[kTop]) : .5;
    return quantiles_[kTop] + TailExcess((1 - level) / (1 - kLevels[kTop]), TailScale(std::max(span, least), 5, shape), shape);
  }
  if (level < kLevels[0]) {
    if (!real) {
      const double floor = zero_probability_;
      return quantiles_[0] * std::clamp((level - floor) / std::max(1e-9, kLevels[0] - floor), 0.0, 1.0);
    }
    const double span = std::max(static_cast<double>(quantiles_[1]) - quantiles_[0], 1e-9 + 1e-6 * std::fabs(quantiles_[0]));
    return quantiles_[0] - TailExcess(level / kLevels[0], TailScale(span, 2, kTailShape), kTailShape);
  }
  size_t l = 0;
  while (l + 2 < kLevelCount && kLevels[l + 1] < level) ++l;
  const double part = (level - kLevels[l]) / (static_cast<double>(kLevels[l + 1]) - kLevels[l]);
  return quantiles_[l] + part * (static_cast<double>(quantiles_[l + 1]) - quantiles_[l]);
}

double PredictiveDistribution::MidProbability(double y) const {
  if (domain_ != ValueDomain::kReal && y <= 0) return std::max(zero_probability_, 1e-6F) / 2;
  return Cdf(y);
}

}  // namespace tidecast
