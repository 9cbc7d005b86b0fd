#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/forecast.h"
#include "models/bucket_context.h"

namespace tidecast {

/// Newest values that a series keeps: slot = bucket index mod kHistory.
inline constexpr int64_t kHistory = 192;
/// Demand classes by how often and how evenly a series sells (cuts ADI 1.32, CV^2 .49): smooth, erratic, intermittent,
/// lumpy; and a new series, which has not shown it yet.
inline constexpr size_t kDemandClasses = 5;
inline constexpr uint8_t kNewClass = 4;
/// Horizons are learned about in groups: near, middle, far.
inline constexpr size_t kHorizonGroups = 3;

inline size_t HistorySlot(int64_t index) { return static_cast<size_t>(((index % kHistory) + kHistory) % kHistory); }

class SortedHistory;

/// Columns over the series of a block, as they stand after the bucket `index` was seen. Row-major; views.
struct ExpertBlock {
  size_t series = 0;
  int64_t index = 0;                      ///< newest bucket
  std::span<const float> actual;          ///< [series] of the newest bucket; NaN = missing
  std::span<const float> history;         ///< [series, kHistory] by slot; NaN = missing or before birth
  std::span<const float> scale;           ///< [series] causal scale, > 0
  std::span<const uint8_t> demand_class;  ///< [series]
  std::span<const uint32_t> observed;     ///< [series] values seen so far
  std::span<const float> inverse_factor;  ///< [kHistory] by slot: 1 / pooled factor of that bucket, of season and month
  std::span<const float> age;             ///< [kHistory] by slot: buckets since, 0 = newest
  std::span<const float> prior_mean;      ///< [series] mean to be expected before a series has data of its own
  std::span<const uint8_t> launch =
      {};  ///< [series] 1 + age band of a new series (LaunchPrior), else 0; empty: none is
  const SortedHistory* sorted = nullptr;    ///< the history in order of value; null: who needs it sorts
  const BucketContext* calendar = nullptr;  ///< the newest bucket and those ahead; null: none is told
};

/// Where a horizon lies among the learned ones: at the one of this number, or a share of the way to the next.
struct HorizonKnot {
  size_t below = 0;
  float share = 0;
};

/// A bucket to be forecast from an origin.
struct ForecastTarget {
  int64_t origin = 0;  ///< index of the newest bucket that the origin knew
  int horizon = 1;
  size_t group = 0;  ///< horizon group
  float factor = 1;  ///< pooled factor of the target bucket: season, year and day of the month
  HorizonKnot knot = {};
  float year = 1;                      ///< what of it the year has: from the origin to the target bucket
  float month = 1;                     ///< what of it the day of the month has
  std::span<const float> effect = {};  ///< [series] what values were divided by (KnownEffect), > 0; empty: by nothing
  float EffectOf(size_t series) const { return effect.empty() ? 1 : effect[series]; }
};

/// What an expert says of one target. Sized by the caller.
struct ExpertOutput {
  std::span<float> quantiles;         ///< [series, kLevelCount], non-decreasing along the level
  std::span<float> mean;              ///< [series]
  std::span<float> zero_probability;  ///< [series]
  std::span<uint8_t> awake;           ///< [series] 0: has nothing to say, its numbers are not to be used
};

/// A forecast of one series, to be taken apart.
struct OneForecast {
  const ExpertBlock& block;  ///< of this series alone, as it stood at the target's origin
  const ForecastTarget& target;
  std::span<const float> state;
  std::span<const float> summary;
  std::span<const double> pooled;
  float level = 0;  ///< the series's slow level (models/explanation.h)
  float mean = 0;   ///< what Expand gave
};

/// One forecaster of the pool. It owns no state: a series's own numbers, the summary kept for each pending origin, and
/// what the pool shares are handed in, so that they can lie in one blob and one commit.
///   Step       takes the newest value in
///   Summarise  writes the few numbers from which all forecasts of this origin follow, in units of the scale
///   Expand     turns a summary (of this origin or of an older one) into a forecast of one target
///   Gather     compares an old origin's forecast with what came: sums for the pool
///   Fold       moves the pooled numbers by the sums of all series, once a round
///   PresentLevel  says what of a forecast is the level, for explanations
/// A missing or non-finite value never changes state. Same calls, same bits; a series never sees its neighbours.
/// Thread: immutable.
class Expert {
 public:
  virtual ~Expert() = default;
  virtual std::string_view name() const = 0;
  /// Cost of a forecast in units of persistence.
  virtual double cost() const = 0;
  /// Weight in a mixture before anything was seen, against 1 of most.
  virtual double prior() const { return 1; }
  virtual size_t state_floats() const { return 0; }
  virtual size_t summary_floats() const = 0;
  virtual size_t pooled_size() const { return 0; }
  virtual size_t sums_size() const { return 0; }

  virtual void StartPooled(std::span<double> /*pooled*/) const {}
  virtual void Step(const ExpertBlock& /*block*/, std::span<float> /*states*/,
                    std::span<const double> /*pooled*/) const {}
  /// summaries [series, summary_floats()].
  virtual void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                         std::span<float> summaries) const = 0;
  /// `scale` [series]: the scale at the origin, which the summaries are in units of. `rows`: 0 leaves a series out.
  virtual void Expand(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
                      std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double> pooled,
                      const ExpertOutput& out) const = 0;
  /// `actual` of the target; called for rows with one.
  virtual void Gather(const ExpertBlock& /*block*/, const ForecastTarget& /*target*/, std::span<const float> /*scale*/,
                      std::span<const uint8_t> /*rows*/, std::span<const float> /*summaries*/,
                      std::span<const double> /*pooled*/, std::span<double> /*sums*/) const {}
  /// What the pool takes from the states after Step.
  virtual void GatherStates(const ExpertBlock& /*block*/, std::span<const float> /*states*/,
                            std::span<double> /*sums*/) const {}
  virtual void Fold(std::span<const double> /*sums*/, std::span<double> /*pooled*/) const {}
  /// What is left of a forecast's mean without the target's season. REQUIRES: the expert is awake for it. Unless said
  /// otherwise the forecast at a seasonal factor of 1.
  virtual float PresentLevel(const OneForecast& one) const;
};

/// What a pool is made for.
struct PoolShape {
  ValueDomain domain = ValueDomain::kCount;
  std::vector<int> season_lengths = {};
  int horizon = 14;
};

/// The pool for a shape. `names` empty: all that fit it, without those in brackets; else those, in the pool's
/// order. Names: persistence, seasonal_naive_<season>, profile_<season> (of counts and amounts in brackets beside the
/// next), profile_<first>x<cycles> (where the second season is a few of the first, up to horizon 144), [smoothing_5],
/// smoothing_20, empirical_930, empirical_960, empirical_985, [tsb, sba, negative_binomial_900, negative_binomial_970],
/// count_table_800, count_table_970, launch_table, holt_winters_<season> (of reals but hourly ones in
/// brackets too); of reals only: [autoregression], rls_<lags>_<forgetting rate> (of hourly ones but the longest memory
/// in brackets), rls_hour_<lags>_<forgetting rate>.
std::vector<std::unique_ptr<Expert>> MakeExperts(const PoolShape& shape, const std::vector<std::string>& names);

}  // namespace tidecast
