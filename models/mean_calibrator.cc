#include "models/mean_calibrator.h"

#include <algorithm>

namespace tidecast {
namespace {

constexpr double kForget = .95;
constexpr double kPriorRows = 500;  ///< rows' worth of ratio 1 (all cells), of the ratio of all (one cell)
constexpr double kRatioMax = 2;

/// (actual + prior) / (mean + prior), the prior at the ratio `toward`.
double Drawn(double actual, double mean, double rows, double toward) {
  if (!(mean > 0)) return toward;
  const double prior = kPriorRows * mean / rows;
  return std::clamp((actual + prior * toward) / (mean + prior), 1 / kRatioMax, kRatioMax);
}

}  // namespace

float MeanCalibrator::Ratio(size_t demand_class, size_t group, std::span<const double> pooled) {
  double actual = 0, mean = 0, rows = 0;
  for (size_t c = 0; c < kDemandClasses; ++c) {
    const double* cell = pooled.data() + (c * kHorizonGroups + group) * 3;
    actual += cell[0];
    mean += cell[1];
    rows += cell[2];
  }
  const double* own = pooled.data() + (demand_class * kHorizonGroups + group) * 3;
  return static_cast<float>(Drawn(own[0], own[1], own[2], Drawn(actual, mean, rows, 1)));
}

void MeanCalibrator::Gather(size_t demand_class, size_t group, float actual, float scale, float mean,
                            std::span<double> sums) {
  double* cell = sums.data() + (demand_class * kHorizonGroups + group) * 3;
  cell[0] += static_cast<double>(std::min(actual, kActualMax * std::max({mean, scale, 1.0F})));
  cell[1] += static_cast<double>(mean);
  cell[2] += 1;
}

void MeanCalibrator::Fold(std::span<const double> sums, std::span<double> pooled) {
  for (size_t i = 0; i < pooled.size(); ++i) pooled[i] = kForget * pooled[i] + sums[i];
}

}  // namespace tidecast
