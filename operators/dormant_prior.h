#pragma once

#include <cmath>
#include <span>

#include "engine/core/forecast.h"

namespace tidecast {

/// What dormant series do in a bucket, counted over all of a view: they stay at zero, or one wakes with so many units.
/// The forecast of a dormant series is this and nothing of its own: zero, or with the share of wakes an exponential of
/// their mean size. Thread: confined; const calls side by side.
struct DormantPrior {
  double buckets = 0;  ///< of dormant series
  double wakes = 0;    ///< of those, with a value
  double units = 0;    ///< sum of these values

  /// Before anything is known: one wake of one unit in a hundred buckets.
  double WakeProbability() const { return (wakes + 1) / (buckets + 100); }
  double WakeSize() const { return (units + 1) / (wakes + 1); }
  double Mean() const { return WakeProbability() * WakeSize(); }
  /// quantiles: [horizon, kLevelCount]; all horizons alike.
  void Fill(std::span<float> mean, std::span<float> quantiles, std::span<float> zero_probability) const {
    const double wake = WakeProbability();
    for (size_t h = 0; h < mean.size(); ++h) {
      mean[h] = static_cast<float>(Mean());
      zero_probability[h] = static_cast<float>(1 - wake);
      for (size_t l = 0; l < kLevelCount; ++l) {
        const double above = 1 - static_cast<double>(kLevels[l]);
        quantiles[h * kLevelCount + l] = above >= wake ? 0 : static_cast<float>(-WakeSize() * std::log(above / wake));
      }
    }
  }
  void Add(const DormantPrior& other) {
    buckets += other.buckets;
    wakes += other.wakes;
    units += other.units;
  }
};

}  // namespace tidecast
