#include "models/season_profile.h"

#include <algorithm>
#include <cmath>

namespace tidecast {
namespace {

constexpr double kSeasonDecay = .9;  ///< a visit of the phase
constexpr double kSeasonPrior = 1;   ///< visits' worth of factor 1
constexpr double kPartDecay = .95;   ///< a visit of the part
constexpr double kPartPrior = 1;     ///< visits' worth of what the first season says
constexpr double kPartRatioMax = 4;
constexpr double kPriorDecay = .95;
constexpr float kRatioMax = 6;  ///< value / scale counts as at most this much
constexpr uint32_t kObservedMin = 6;

}  // namespace

void SeasonProfile::StartPooled(std::span<double> pooled) const { std::fill(pooled.begin(), pooled.end(), 0.0); }

double SeasonProfile::MeanOf(std::span<const double> pooled) const {
  double all = 0;
  double weights = 0;
  for (size_t at = 0; at < PartsAt(); at += 2) {
    if (pooled[at + 1] <= 0) continue;
    all += pooled[at] / pooled[at + 1];
    weights += 1;
  }
  return weights > 0 ? all / weights : 0;
}

double SeasonProfile::FirstFactor(std::span<const double> pooled, double mean, size_t phase) const {
  return (pooled[2 * phase] / mean + kSeasonPrior) / (pooled[2 * phase + 1] + kSeasonPrior);
}

void SeasonProfile::Factors(std::span<const double> pooled, std::span<float> factors) const {
  std::fill(factors.begin(), factors.end(), 1.0F);
  if (domain_ == ValueDomain::kReal || seasons_.phases() == 1) return;
  const double mean = MeanOf(pooled);
  if (mean <= 0) return;
  const auto first = static_cast<size_t>(seasons_.first());
  for (size_t phase = 0; phase < factors.size(); ++phase) {
    double factor = FirstFactor(pooled, mean, phase % first);
    if (seasons_.cycles() > 1) {
      const double* part = pooled.data() + PartsAt() + 2 * seasons_.LongPartOf(phase);
      factor *= (part[0] + kPartPrior) / (part[1] + kPartPrior);
    }
    factors[phase] = static_cast<float>(std::clamp(factor, .1, 10.0));
  }
}

double SeasonProfile::PriorMean(std::span<const double> pooled) const {
  const size_t at = PriorAt();
  return pooled[at + 1] > 0 ? std::expm1(pooled[at] / pooled[at + 1]) : 1;
}

void SeasonProfile::Gather(float actual, float scale, float mean, uint32_t observed, std::span<double> sums) const {
  if (observed >= kObservedMin) {
    sums[0] += static_cast<double>(std::min(actual / scale, kRatioMax));
    sums[1] += 1;
  }
  if (std::isfinite(mean)) {
    sums[2] += std::log1p(std::max(0.0, static_cast<double>(mean)));
    sums[3] += 1;
  }
}

void SeasonProfile::Fold(size_t phase, std::span<const double> sums, std::span<double> pooled) const {
  if (sums[1] > 0) {
    const size_t first = phase % static_cast<size_t>(seasons_.first());
    // A round of few series says less.
    const double weight = sums[1] / (sums[1] + 20);
    const double ratio = sums[0] / sums[1];
    const double mean = MeanOf(pooled);
    if (seasons_.cycles() > 1 && mean > 0) {
      double* part = pooled.data() + PartsAt() + 2 * seasons_.LongPartOf(phase);
      const double share = static_cast<double>(seasons_.parts()) / seasons_.first();
      const double forget = std::pow(kPartDecay, share);
      part[0] = forget * part[0] +
                share * weight * std::min(ratio / (mean * FirstFactor(pooled, mean, first)), kPartRatioMax);
      part[1] = forget * part[1] + share * weight;
    }
    const size_t at = 2 * first;
    pooled[at] = kSeasonDecay * pooled[at] + weight * ratio;
    pooled[at + 1] = kSeasonDecay * pooled[at + 1] + weight;
  }
  if (sums[3] > 0) {
    const size_t at = PriorAt();
    pooled[at] = kPriorDecay * pooled[at] + sums[2] / sums[3];
    pooled[at + 1] = kPriorDecay * pooled[at + 1] + 1;
  }
}

}  // namespace tidecast
