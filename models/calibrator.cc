#include "models/calibrator.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tidecast {
namespace {

constexpr double kPooledRateMin = .02;
constexpr float kSeriesRate = .005F;
constexpr float kSeriesForget = .995F;  ///< own shifts fall back to the pool's
constexpr double kShiftMax = 3;

/// What a shift is in units of: of series that sell in most buckets the width of their own bands, by which a large
/// series's narrow ones are not moved as far as a small one's; of others, whose bands may have no width, the scale.
float UnitOf(size_t demand_class, float scale, std::span<const float> quantiles) {
  constexpr size_t kLow = 2, kHigh = 10;  // .1 and .9
  constexpr float kNormalWidth = 2.5631F;
  if (demand_class >= 2) return scale;
  const float width = (quantiles[kHigh] - quantiles[kLow]) / kNormalWidth;
  return width > .01F * scale ? width : scale;  // bands of no width could never be opened by it
}

}  // namespace

void Calibrator::Apply(size_t demand_class, size_t group, float scale, std::span<const float> state,
                       std::span<const double> pooled, std::span<float> quantiles) const {
  const double* shared = pooled.data() + (demand_class * kHorizonGroups + group) * kLevelCount;
  const float unit = UnitOf(demand_class, scale, quantiles);
  for (size_t l = 0; l < kLevelCount; ++l) {
    const float own = state.empty() ? 0 : state[group * kLevelCount + l];
    quantiles[l] += unit * (static_cast<float>(shared[l]) + own);
    if (domain_ != ValueDomain::kReal) quantiles[l] = std::max(quantiles[l], 0.0F);
  }
  std::sort(quantiles.begin(), quantiles.end());
}

void Calibrator::Learn(size_t demand_class, size_t group, float scale, const Label& label, uint32_t resolved,
                       std::span<const float> quantiles, std::span<const double> pooled, std::span<float> state,
                       std::span<double> sums) const {
  const double* shared = pooled.data() + (demand_class * kHorizonGroups + group) * kLevelCount;
  std::array<float, kLevelCount> none{};
  float* own = state.empty() ? none.data() : state.data() + group * kLevelCount;
  double* sum = sums.data() + (demand_class * kHorizonGroups + group) * (kLevelCount + 1);
  const bool bounded = domain_ != ValueDomain::kReal;
  const float unit = UnitOf(demand_class, scale, quantiles);
  const float rate = kSeriesRate * 2 / (1 + std::sqrt(static_cast<float>(resolved) / 50));
  for (size_t l = 0; l < kLevelCount; ++l) {
    const float shifted = quantiles[l] + unit * (static_cast<float>(shared[l]) + own[l]);
    bool below = label.actual <= shifted;
    if (bounded && label.actual <= 0 && shifted <= label.heap) {
      below = label.chance * std::max(label.zero_probability, 1e-3F) < kLevels[l];
    }
    const float slope = kLevels[l] - (below ? 1.0F : 0.0F);
    const bool clipped = bounded && shifted <= 0;
    own[l] *= kSeriesForget;
    if (clipped && slope < 0) continue;
    sum[l] += slope;
    own[l] = std::clamp(own[l] + rate * slope, static_cast<float>(-kShiftMax), static_cast<float>(kShiftMax));
  }
  sum[kLevelCount] += 1;
}

void Calibrator::Fold(std::span<const double> sums, std::span<double> pooled) const {
  double& rounds = pooled[kDemandClasses * kShifts];
  rounds += 1;
  const double rate = std::max(kPooledRateMin, .1 / std::sqrt(rounds));
  for (size_t cell = 0; cell < kDemandClasses * kHorizonGroups; ++cell) {
    const double* sum = sums.data() + cell * (kLevelCount + 1);
    if (sum[kLevelCount] <= 0) continue;
    double* shift = pooled.data() + cell * kLevelCount;
    for (size_t l = 0; l < kLevelCount; ++l) {
      shift[l] = std::clamp(shift[l] + rate * sum[l] / (sum[kLevelCount] + 10), -kShiftMax, kShiftMax);
    }
  }
}

}  // namespace tidecast
