#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/time.h"

namespace tidecast {

/// What the model plane takes from a closed bucket of one series: target, past covariates, known-ahead covariates.
struct ModelRow {
  std::string series;
  uint16_t partition = 0;  ///< of the view's stage; the series's model state lives in that task's key range
  float target = 0;
  std::vector<float> past;       ///< [past_covariates]
  bool stored = false;           ///< stands in the stored queue
  bool retired = false;          ///< the series is over: no values
  std::vector<float> known;      ///< [(1 + horizon) * known_covariates]
  std::string category;          ///< of the series as of the bucket's start; empty: none told
  std::vector<float> bottom_up;  ///< [horizon] of a rollup's series: what its parts expect; empty: not known
};

}  // namespace tidecast
