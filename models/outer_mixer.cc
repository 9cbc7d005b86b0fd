#include "models/outer_mixer.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/ml_poly.h"

namespace tidecast {
namespace {

constexpr double kForget = .99;  ///< of old regrets: what the net was like when young is soon forgotten

}  // namespace

bool OuterMixer::Heard(size_t group) const {
  const auto first = weights_.begin() + static_cast<ptrdiff_t>(group * kLevelCount);
  return std::any_of(first, first + static_cast<ptrdiff_t>(kLevelCount), [](float weight) { return weight > 0; });
}

void OuterMixer::Mix(size_t group, std::span<const float> net, std::span<float> quantiles) const {
  for (size_t l = 0; l < kLevelCount; ++l) quantiles[l] += Weight(group, l) * (net[l] - quantiles[l]);
  std::sort(quantiles.begin(), quantiles.end());
}

void OuterMixer::Gather(size_t group, float actual, float scale, std::span<const float> base,
                        std::span<const float> net, std::span<double> sums) const {
  const float unit = 1 / (domain_ == ValueDomain::kReal ? scale : std::sqrt(scale));
  for (size_t l = 0; l < kLevelCount; ++l) {
    const float weight = Weight(group, l);
    const float mixed = base[l] + weight * (net[l] - base[l]);
    const float slope = (actual <= mixed ? 1.0F : 0.0F) - kLevels[l];
    double* sum = sums.data() + (group * kLevelCount + l) * 3;
    sum[0] += static_cast<double>(slope * (mixed - base[l]) * unit);
    sum[1] += static_cast<double>(slope * (mixed - net[l]) * unit);
    sum[2] += 1;
  }
}

void OuterMixer::Fold(std::span<const double> sums, std::span<double> pooled) const {
  for (size_t cell = 0; cell < kCells; ++cell) {
    const double* sum = sums.data() + cell * 3;
    if (sum[2] <= 0) continue;
    const std::span<double> numbers = pooled.subspan(cell * 5, 5);
    for (size_t i = 0; i < 4; ++i) numbers[i] *= kForget;
    const std::array<double, 2> r = {sum[0] / sum[2], sum[1] / sum[2]};
    MlPoly<double>::Over(numbers, 2).Learn(std::span<const double>(r));
  }
}

void OuterMixer::Refresh(std::span<const double> pooled) {
  std::vector<double> numbers(5);
  for (size_t cell = 0; cell < kCells; ++cell) {
    for (size_t i = 0; i < 5; ++i) numbers[i] = pooled[cell * 5 + i];
    std::array<float, 2> weights;
    const bool earned = MlPoly<double>::Over(numbers, 2).Weights(std::span<float>(weights));
    // At weight 0 the mixture is the base, whose regret is 0: the net alone can show one.
    weights_[cell] = earned ? weights[1] : 0;
  }
}

double OuterMixer::MeanWeight() const {
  double sum = 0;
  for (const float weight : weights_) sum += weight;
  return sum / static_cast<double>(kCells);
}

}  // namespace tidecast
