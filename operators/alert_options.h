#pragma once

#include <string>

namespace tidecast {

/// First alert rule: tail probability of a closed bucket against its one-step forecast.
struct AlertOptions {
  bool enabled = true;
  double tail_probability = 1e-4;     ///< fire when the tail is at or below this
  double exit_factor = .7;            ///< resolve when surprise (-log10 p) falls below this share of the entry's
  double effect_ratio_min = 2.0;      ///< observed / expected at least (or at most its inverse)
  double effect_absolute_min = 10.0;  ///< |observed - expected| at least, in target units
  int age_buckets_min = 30;           ///< no alert on a younger series
  std::string use_case = "demand_shift";
};

}  // namespace tidecast
