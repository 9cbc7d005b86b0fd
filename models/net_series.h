#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/forecaster.h"
#include "models/half_float.h"
#include "models/horizon_plan.h"
#include "models/net.h"
#include "models/net_trainer.h"
#include "models/net_weights.h"
#include "models/series_columns.h"

namespace tidecast {

/// The net's side of a block: what it keeps per series (carried state, a ring of inputs, its waiting corrections), how
/// inputs are made, and the outer mixture of base and net.
/// A series's part of the blob, all halves: [index of the newest input, 4 halves][carried state][ring of window x own
/// inputs][waiting corrections: for each outer horizon h, h origins x kLevelCount, (net - base) / scale][by step, what
/// the newest forecast's mean has from the net, / scale]. Inputs of a step: log1p(y/s), zero flag, log s, residual of
/// the one-step median / s, covariates, calendar, demand index. Known of a future step: calendar, covariates, the
/// pooled seasonal factor, what the series sold at that phase of the last seasons, and what a few experts say (median
/// and .9, against the base). A covariate gives two numbers: its place among all series, and against the series's own
/// recent mean. Thread: const calls side by side for different blocks.
class NetSeries {
 public:
  /// Standardises covariates by what the pool has seen of them (CovariateNumbers); past ones first, then the known
  /// ones.
  struct CovariateScale {
    std::vector<float> mean, inverse_deviation, inverse_own_deviation;  ///< [past + known]
  };
  static constexpr size_t kCovariateNumbers =
      5;  ///< pooled a covariate: weight, sum, squares; weight, squares about the own mean
  /// Experts whose words the net hears, whatever else is in the pool.
  static constexpr size_t kExpertSlots = 8;
  static constexpr size_t kExpertNumbers = 2;
  /// Slot of an expert by its name, or -1.
  static int ExpertSlot(std::string_view name);

  NetSeries(const ForecasterOptions& options, size_t state_floats);
  static NetShape ShapeOf(const ForecasterOptions& options);
  static NetNames NamesOf(const ForecasterOptions& options);
  size_t bytes() const { return halves_ * sizeof(Half); }
  /// At the end, of which parts from before the mean had anything from the net have none.
  size_t newer_bytes() const { return static_cast<size_t>(options_.horizon) * sizeof(Half); }
  const std::vector<int>& outer_horizons() const { return outer_; }

  /// As a series is before its first bucket.
  void Start(std::span<char> part) const;
  /// Takes the newest bucket into the ring. `shared`: calendar and demand index are read from it at use.
  void TakeInput(std::span<char> part, int64_t index, float actual, float scale, float residual,
                 std::span<const float> past, std::span<const float> known) const;
  size_t covariates() const { return options_.past_covariates + options_.known_covariates; }
  CovariateScale ScaleOf(std::span<const double> pooled) const;
  /// A closed bucket's covariates (past, then known) into the sums for the pool, before TakeInput.
  void GatherCovariates(std::span<const char> part, std::span<const float> past, std::span<const float> known,
                        std::span<double> sums) const;
  static void FoldCovariates(std::span<const double> sums, std::span<double> pooled);
  /// Means of the series's own covariates over the ring [past + known]; NaN without any.
  void OwnMeans(std::span<const char> part, std::span<float> means) const;
  /// inputs [inputs] and mask of one step of the ring; `shared_row` [calendar features + 1] of that bucket.
  void ReadInput(std::span<const char> part, int64_t index, std::span<const float> shared_row,
                 const CovariateScale& scale, std::span<const float> own_means, std::span<float> inputs,
                 float* mask) const;
  void ReadState(std::span<const char> part, std::span<float> state) const;
  void WriteState(std::span<char> part, std::span<const float> state) const;
  /// statics [statics] of a series; history [kHistory] by slot, up to `index`.
  void Statics(const SeriesCore& core, float scale, std::span<const float> history, int64_t index,
               std::span<float> statics) const;
  /// What is known of one future step, `horizon` after `index`.
  struct Ahead {
    const CalendarStep& step;
    float factor;                       ///< pooled seasonal factor
    std::span<const float> covariates;  ///< [known_covariates]
    std::span<const float> history;     ///< [kHistory] by slot
    int64_t index;
    int horizon;
    float scale;
    std::span<const float> experts;  ///< [kExpertSlots, kExpertNumbers] in target units; NaN = silent
    std::span<const float> base;     ///< [kLevelCount] in target units
  };
  /// known [known] of one future step.
  void Known(const Ahead& ahead, const CovariateScale& scale, std::span<const float> own_means,
             std::span<float> known) const;
  /// (net - base) / scale of an origin at an outer horizon.
  void WriteCorrection(std::span<char> part, size_t outer, int64_t origin, std::span<const float> net,
                       std::span<const float> base, float scale) const;
  void ReadCorrection(std::span<const char> part, size_t outer, int64_t origin, std::span<float> correction) const;

  /// What the newest forecast's mean has from the net, `step` buckets ahead (from 0), in target units; 0 at first.
  void WriteMeanShift(std::span<char> part, size_t step, float shift, float scale) const;
  float ReadMeanShift(std::span<const char> part, size_t step, float scale) const;

  size_t shared_width() const { return options_.calendar_features + 1; }

 private:
  static constexpr size_t kOwn = 3;  ///< log1p(y/s) or asinh, log s, residual
  static constexpr size_t kStatics = 11;
  static constexpr size_t kSeasonal = 2;
  float Level(float ratio) const;
  size_t own_width() const { return kOwn + options_.past_covariates + options_.known_covariates; }
  size_t RingAt(int64_t index) const;
  ForecasterOptions options_;
  NetShape shape_;
  std::vector<int> outer_;
  std::vector<size_t> outer_at_;  ///< first half of each outer horizon's corrections
  size_t state_at_ = 4, ring_at_ = 0, mean_shifts_at_ = 0, halves_ = 0, state_floats_ = 0;
};

}  // namespace tidecast
