#include "models/mean_scale.h"

#include <algorithm>

namespace tidecast {
namespace {

constexpr double kDecay = .985;      ///< a round
constexpr double kPriorRounds = 10;  ///< of a ratio of 1
constexpr double kRoundMost = 3;  ///< a round counts for so many times what was expected: few series, one large order
constexpr double kLeast = .8;
constexpr double kMost = 1.25;

}  // namespace

float MeanScale::Ratio(std::span<const double> pooled) {
  if (!(pooled[1] > 0) || !(pooled[2] > 0)) return 1;
  const double prior = kPriorRounds * pooled[1] / pooled[2];
  return static_cast<float>(std::clamp((pooled[0] + prior) / (pooled[1] + prior), kLeast, kMost));
}

void MeanScale::Gather(float actual, float expected, std::span<double> sums) {
  sums[0] += static_cast<double>(actual);
  sums[1] += static_cast<double>(expected);
}

void MeanScale::Fold(std::span<const double> sums, std::span<double> pooled) {
  if (!(sums[1] > 0)) return;
  const double actual = std::clamp(sums[0], 0.0, kRoundMost * sums[1]);
  pooled[0] = kDecay * pooled[0] + actual;
  pooled[1] = kDecay * pooled[1] + sums[1];
  pooled[2] = kDecay * pooled[2] + 1;
}

}  // namespace tidecast
