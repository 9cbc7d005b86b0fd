#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/forecaster.h"
#include "models/half_float.h"
#include "models/horizon_plan.h"
#include "models/net.h"
#include "models/net_trainer.h"
#include "models/series_columns.h"

namespace tidecast {

/// The net's side of a block: what it keeps per series (carried state, a ring of inputs, its waiting corrections), how
/// inputs are made, and the outer mixture of base and net.
/// A series's part of the blob, all halves: [index of the newest input, 4 halves][carried state][ring of window x own
/// inputs][waiting corrections: for each outer horizon h, h origins x kLevelCount, (net - base) / scale].
/// Inputs of a step: log1p(y/s), zero flag, log s, residual of the one-step median / s, covariates, calendar, demand index.
/// Thread: const calls side by side for different blocks.
class NetSeries {
 public:
  NetSeries(const ForecasterOptions& options, size_t state_floats);
  static NetShape ShapeOf(const ForecasterOptions& options);
  size_t bytes() const { return halves_ * sizeof(Half); }
  const std::vector<int>& outer_horizons() const { return outer_; }

  /// As a series is before its first bucket.
  void Start(std::span<char> part) const;
  /// Takes the newest bucket into the ring. `shared`: calendar and demand index are read from it at use.
  void TakeInput(std::span<char> part, int64_t index, float actual, float scale, float residual, std::span<const float> past,
                 std::span<const float> known) const;
  /// inputs [inputs] and mask of one step of the ring; `shared_row` [calendar features + 1] of that bucket.
  void ReadInput(std::span<const char> part, int64_t index, std::span<const float> shared_row, std::span<float> inputs,
                 float* mask) const;
  void ReadState(std::span<const char> part, std::span<float> state) const;
  void WriteState(std::span<char> part, std::span<const float> state) const;
  /// statics [statics] of a series.
  void Statics(const SeriesCore& core, float scale, std::span<float> statics) const;
  /// known [known] of one future step.
  void Known(const CalendarStep& step, float factor, std::span<const float> covariates, std::span<float> known) const;
  /// (net - base) / scale of an origin at an outer horizon.
  void WriteCorrection(std::span<char> part, size_t outer, int64_t origin, std::span<const float> net,
                       std::span<const float> base, float scale) const;
  void ReadCorrection(std::span<const char> part, size_t outer, int64_t origin, std::span<float> correction) const;

  size_t shared_width() const { return options_.calendar_features + 1; }

 private:
  static constexpr size_t kOwn = 3;  ///< log1p(y/s) or asinh, log s, residual
  size_t own_width() const { return kOwn + options_.past_covariates + options_.known_covariates; }
  size_t RingAt(int64_t index) const;
  ForecasterOptions options_;
  NetShape shape_;
  std::vector<int> outer_;
  std::vector<size_t> outer_at_;  ///< first half of each outer horizon's corrections
  size_t state_at_ = 4, ring_at_ = 0, halves_ = 0, state_floats_ = 0;
};

}  // namespace tidecast
