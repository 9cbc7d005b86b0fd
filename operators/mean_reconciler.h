#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"

namespace tidecast {

/// Combines a rollup series's own mean with the sum of what its parts expect (SEMANTICS.md 6): the weights that would
/// have had the least squared error over what is remembered, between 0 and 1, drawn to one half while little is. Both
/// err alike, since most of an error is the bucket's own noise: the inverse of their errors would tell them apart too
/// late (models/README.md). One weight for all steps. A round calls OnActual while scoring and Forecast while
/// forecasting, so that a forecast is scored exactly when its bucket has closed and weighs by what was known before. 8
/// bytes a step of each forecast that waits. Thread: confined.
/// Source: the variance-covariance rule, Bates & Granger 1969, with a prior.
class MeanReconciler {
 public:
  /// What stays of the errors from one bucket to the next.
  static constexpr double kMemory = .93;

  /// `state`: what Encode gave; empty or made for another horizon: a series never seen.
  /// Errors: kVersion, kCorruption.
  static Result<MeanReconciler> Decode(std::string_view state, size_t horizon);
  std::string Encode() const;

  /// The closed bucket; NaN: missing. An index that does not go on (another instance numbered the buckets before) lets
  /// go of what waits.
  void OnActual(int64_t index, float value);
  /// `reconciled`: [horizon], as `own` and `bottom_up`, which wait from now on for their buckets.
  void Forecast(int64_t index, std::span<const float> own, std::span<const float> bottom_up,
                std::span<float> reconciled);
  /// 0 to 1.
  double WeightOfBottomUp() const;

 private:
  explicit MeanReconciler(size_t horizon) : horizon_(horizon) {}
  struct Waiting {
    int64_t index = 0;
    std::vector<float> own;
    std::vector<float> bottom_up;
  };
  size_t horizon_;
  // Discounted sums over the steps of the forecasts whose buckets have closed, d = bottom-up - own.
  double apart_ = 0;   ///< d^2
  double toward_ = 0;  ///< d * (actual - own)
  double count_ = 0;
  std::deque<Waiting> waiting_;  ///< by index
  int64_t newest_ = std::numeric_limits<int64_t>::min();
};

}  // namespace tidecast
