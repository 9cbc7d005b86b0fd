#pragma once

#include <cstdint>
#include <span>

#include "models/expert.h"

namespace tidecast {

/// What new series sell, by age: the discounted mean of value / seasonal factor over the pool's launches, and over
/// those of each category, drawn to the pool's. A series's own data draw away from it in the experts (their prior
/// weights). A launch is a series that was born when the pool was kPoolRoundsMin rounds old: what was there from the
/// start is no guide, since it had been there before. The first bucket is left out: where a sale makes the series it is
/// never 0. Categories share kSlots places by their hash. Numbers: [slot, band of ages: sum, weight]; slot 0 is the
/// pool. Thread: immutable.
class LaunchPrior {
 public:
  static constexpr int64_t kPoolRoundsMin = 14;
  static constexpr size_t kBands = 4;  ///< the 2nd to 4th bucket, to the 8th, to the 15th, later ones to kAgeMax
  static constexpr uint32_t kAgeMax = 42;
  static constexpr size_t kSlots = 257;
  static constexpr size_t pooled_size() { return kSlots * kBands * 2; }
  static constexpr size_t sums_size() { return pooled_size(); }

  /// The mean that a launch of this age (buckets seen) is to be expected at. `category`: a hash, 0 = none told.
  /// `fallback`: the typical mean of all series, which few launches are drawn to.
  static double MeanOf(std::span<const double> pooled, uint64_t category, uint32_t age, double fallback);
  /// `value`: without its season, of a launch of `age` buckets, this one not counted; `expected`: MeanOf, what bounds
  /// it.
  static void Gather(float value, uint64_t category, uint32_t age, double expected, std::span<double> sums);
  static void Fold(std::span<const double> sums, std::span<double> pooled);

  static size_t BandOf(uint32_t age);
  /// While a series counts as new in tables of their own: to the end of the third band.
  static constexpr uint32_t kNewMax = 14;

 private:
  static size_t SlotOf(uint64_t category) { return 1 + static_cast<size_t>(category % (kSlots - 1)); }
};

}  // namespace tidecast
