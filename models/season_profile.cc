#include "models/season_profile.h"

#include <algorithm>
#include <cmath>

namespace tidecast {
namespace {

constexpr double kSeasonDecay = .9;      ///< a visit of the phase
constexpr double kSeasonPrior = 1;       ///< visits' worth of factor 1
constexpr double kPriorDecay = .95;
constexpr float kRatioMax = 6;           ///< value / scale counts as at most this much
constexpr uint32_t kObservedMin = 6;

}  // namespace

void SeasonProfile::StartPooled(std::span<double> pooled) const {
  std::fill(pooled.begin(), pooled.end(), 0.0);
}

float SeasonProfile::Factor(std::span<const double> pooled, int32_t phase) const {
  if (domain_ == ValueDomain::kReal || season_ == 1) return 1;
  double all = 0;
  double weights = 0;
  for (int p = 0; p < season_; ++p) {
    const size_t at = 2 * static_cast<size_t>(p);
    if (pooled[at + 1] <= 0) continue;
    all += pooled[at] / pooled[at + 1];
    weights += 1;
  }
  if (weights <= 0 || all <= 0) return 1;
  const double mean = all / weights;
  const size_t at = 2 * static_cast<size_t>(((phase % season_) + season_) % season_);
  const double factor = (pooled[at] / mean + kSeasonPrior) / (pooled[at + 1] + kSeasonPrior);
  return static_cast<float>(std::clamp(factor, .1, 10.0));
}

double SeasonProfile::PriorMean(std::span<const double> pooled) const {
  const size_t at = 2 * static_cast<size_t>(season_);
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

void SeasonProfile::Fold(int32_t phase, std::span<const double> sums, std::span<double> pooled) const {
  if (sums[1] > 0) {
    const size_t at = 2 * static_cast<size_t>(((phase % season_) + season_) % season_);
    // A round of few series says less.
    const double weight = sums[1] / (sums[1] + 20);
    pooled[at] = kSeasonDecay * pooled[at] + weight * sums[0] / sums[1];
    pooled[at + 1] = kSeasonDecay * pooled[at + 1] + weight;
  }
  if (sums[3] > 0) {
    const size_t at = 2 * static_cast<size_t>(season_);
    pooled[at] = kPriorDecay * pooled[at] + sums[2] / sums[3];
    pooled[at + 1] = kPriorDecay * pooled[at + 1] + 1;
  }
}

}  // namespace tidecast
