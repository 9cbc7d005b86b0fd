#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/core/bucket.h"
#include "engine/core/forecast.h"
#include "engine/core/time.h"
#include "operators/bucket_calendar.h"
#include "operators/forecast_score.h"

namespace tidecast {

/// Accuracy of published forecasts over a set of (series, cutoff, horizon). NaN where the set is empty.
struct AccuracyFigures {
  int64_t forecasts = 0;  ///< elements of the set
  double wql =
      std::numeric_limits<double>::quiet_NaN();  ///< mean over the nine deciles of 2 sum pinball / sum |actual|
  double wql_seasonal_naive = wql;  ///< the same of the value one calendar week earlier, on exactly the same set
  double wape = wql;                ///< sum |actual - median| / sum |actual|
  double bias = wql;                ///< sum (actual - mean) / sum |actual|: above 0, forecasts are too low
  double coverage_50 = wql;         ///< share of actuals inside the central interval (BandCoverage)
  double coverage_80 = wql;
  double coverage_95 = wql;
};

/// Scores forecasts of one view as a consumer of the topics would: from what was published, once the truth is there.
/// The set: series at least `age_buckets_min` open buckets old at the cutoff, all horizons, where both the bucket and
/// the one a calendar week earlier have a closed row. That earlier value may lie after the cutoff (horizons beyond a
/// week), which favours the seasonal naive. A revised actual replaces its score until the bucket is older than
/// `allowed_lateness`; then its forecasts are let go. A void bucket (closed by the calendar) has no rows and scores
/// nothing. Rows and forecasts that come a second time (after a rollback) change nothing. Rows may be buckets ahead of
/// the forecasts: the model's rounds may lag behind the windows. The figures depend on the data alone. Memory: 64 bytes
/// for each forecast of a bucket not yet settled. `memory_bytes_max` bounds how many series are followed: with more of
/// them a sample by the hash of the name, halved whenever it grows beyond the bound; forecasts that are not yet settled
/// of series that fall out are not scored. Thread: confined.
class ForecastScorer {
 public:
  struct Options {
    int horizon = 14;
    ValueDomain domain = ValueDomain::kCount;  ///< of the target: coverage of counts goes by whole units
    size_t target_feature = 0;                 ///< index of the target in ClosedBucket::features
    Duration allowed_lateness{};
    uint32_t age_buckets_min = 60;
    size_t memory_bytes_max = 512ULL << 20;
  };
  /// REQUIRES: the calendar outlives it.
  ForecastScorer(const BucketCalendar& calendar, Options options);

  /// `cutoff`: start of the last bucket that was observed; never less than that of an earlier call, but for
  /// repetitions. `steps`: starts of the buckets that the forecast is about, [horizon]. Every forecast of the view is
  /// to be handed in.
  void OnForecast(const SeriesForecast& forecast, EventTime cutoff, std::span<const EventTime> steps);
  void OnBucket(const ClosedBucket& bucket);
  /// Buckets that end by `end` are over in all tasks.
  void OnBucketEnd(EventTime end);

  /// Everything scored so far, settled or not.
  AccuracyFigures Figures() const;
  /// By horizon, [horizon].
  std::vector<AccuracyFigures> FiguresByHorizon() const;
  /// Whether rows and forecasts of a series are of use to it.
  bool Follows(std::string_view series) const;
  /// Share of the series that is followed: 1, or a power of a half.
  double sample_share() const;
  size_t series_followed() const { return ids_.size(); }
  size_t memory_bytes() const;

 private:
  /// Sums over a set; adding up two sums gives that of both sets.
  struct Sums {
    int64_t count = 0;
    double absolute_actual = 0;
    double pinball = 0;  ///< twice, mean over deciles
    double naive_error = 0;
    double median_error = 0;
    double residual = 0;
    std::array<double, kCoverageBands.size()> inside{};
    void Add(const Sums& other);
    AccuracyFigures Figures() const;
  };
  /// Forecasts made at one cutoff for one bucket.
  struct Made {
    EventTime cutoff;
    int horizon = 0;  ///< 1 = the next open bucket
    std::vector<uint32_t> series;
    std::vector<float> values;  ///< [series, mean and kLevelCount quantiles]
  };
  /// A bucket that is forecast or not yet settled.
  struct Target {
    std::deque<Made> made;
    mutable std::vector<Sums> by_horizon;
    mutable bool changed = true;
  };
  using Actuals = std::vector<float>;  ///< by series id; NaN = no row

  /// Nothing for a series outside of the sample.
  std::optional<uint32_t> SeriesId(std::string_view series);
  /// Halves the sample and forgets who falls out.
  void Thin();
  EventTime WeekEarlier(EventTime start) const;
  const std::vector<Sums>& ScoreOf(EventTime start, const Target& target) const;

  const BucketCalendar& calendar_;
  Options options_;
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };
  std::unordered_map<std::string, uint32_t, NameHash, std::equal_to<>> ids_;
  std::vector<EventTime> last_cutoff_;  ///< by series id
  std::map<EventTime, Target> targets_;
  std::map<EventTime, Actuals> actuals_;
  std::vector<Sums> settled_;  ///< by horizon
  EventTime newest_cutoff_ = EventTime::Min();
  size_t forecast_bytes_ = 0;
  size_t series_max_;
  int halvings_ = 0;
};

}  // namespace tidecast
