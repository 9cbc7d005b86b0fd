#include "models/launch_prior.h"

#include <algorithm>

namespace tidecast {
namespace {

constexpr double kDecay = .98;          ///< a round
constexpr double kPoolValues = 20;      ///< values' worth of the fallback in the pool's mean
constexpr double kCategoryValues = 60;  ///< values' worth of the pool's mean in a category's
constexpr double kValueMax = 20;        ///< a value beyond so many times 1 + expected counts as this much

}  // namespace

size_t LaunchPrior::BandOf(uint32_t age) { return age < 4 ? 0 : age < 8 ? 1 : age < 15 ? 2 : 3; }

double LaunchPrior::MeanOf(std::span<const double> pooled, uint64_t category, uint32_t age, double fallback) {
  const size_t band = 2 * BandOf(age);
  const double pool = (pooled[band] + kPoolValues * fallback) / (pooled[band + 1] + kPoolValues);
  if (category == 0) return pool;
  const double* own = pooled.data() + SlotOf(category) * kBands * 2 + band;
  return (own[0] + kCategoryValues * pool) / (own[1] + kCategoryValues);
}

void LaunchPrior::Gather(float value, uint64_t category, uint32_t age, double expected, std::span<double> sums) {
  if (age == 0 || age > kAgeMax) return;
  const double counted = std::min(static_cast<double>(value), kValueMax * (1 + expected));
  const size_t band = 2 * BandOf(age);
  sums[band] += counted;
  sums[band + 1] += 1;
  if (category == 0) return;
  const size_t at = SlotOf(category) * kBands * 2 + band;
  sums[at] += counted;
  sums[at + 1] += 1;
}

void LaunchPrior::Fold(std::span<const double> sums, std::span<double> pooled) {
  for (size_t i = 0; i < pooled.size(); ++i) pooled[i] = kDecay * pooled[i] + sums[i];
}

}  // namespace tidecast
