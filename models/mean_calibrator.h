#pragma once

#include <span>

#include "models/expert.h"

namespace tidecast {

/// Scales the mean of counts so that forecasts and actuals have the same sum: the ratio of both, discounted, pooled per
/// (demand class, horizon group), where little was seen drawn to the ratio of all. Every part of the pool lags a
/// growing or shrinking shop; this takes the common part of the lag out. No quantile moves. Numbers of a cell: [actual,
/// mean, rows], discounted sums. Thread: immutable.
class MeanCalibrator {
 public:
  /// An actual beyond so many times the scale, the mean or 1, whichever is largest, counts as this much.
  static constexpr float kActualMax = 20;
  static constexpr size_t kCells = kDemandClasses * kHorizonGroups;
  static constexpr size_t pooled_size() { return kCells * 3; }
  static constexpr size_t sums_size() { return kCells * 3; }

  /// What a mean is to be multiplied with.
  static float Ratio(size_t demand_class, size_t group, std::span<const double> pooled);
  /// `mean`: as mixed, before the ratio. REQUIRES: a finite actual.
  static void Gather(size_t demand_class, size_t group, float actual, float scale, float mean, std::span<double> sums);
  static void Fold(std::span<const double> sums, std::span<double> pooled);
};

}  // namespace tidecast
