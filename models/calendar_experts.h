#pragma once

#include <string>
#include <string_view>

#include "models/nested_seasons.h"
#include "models/point_expert.h"

namespace tidecast {

/// Seasons within seasons, of which the longer one may exceed the history (hours of a day, days of a week). An expert
/// that keeps a mean for each part of the day and of the week, not values, and for an origin what it says of each
/// horizon. To that comes the newest values' departure from it, as much as is left at the horizon: which the pool
/// learns at the learned horizons by least squares, drawn straight between them. Asleep until two days were seen.
/// State: kHead numbers of the class, values seen; of the parts of the day, then of the week. Summary: whether awake,
/// newest departure, present level, forecast of each horizon without the departure.  Thread: immutable.
class CalendarExpert : public PointExpert {
 public:
  /// Whether there is a longer season. What waiting origins keep grows with the horizon's square: 42 KB a series at the
  /// longest.
  static bool Fits(const NestedSeasons& seasons, int horizon) { return seasons.cycles() > 1 && horizon <= kHorizonMax; }
  static constexpr int kHorizonMax = 144;
  size_t summary_floats() const override { return kForecasts + static_cast<size_t>(horizon_); }
  size_t state_floats() const override { return kParts + parts() + seasons_.long_parts(); }
  size_t pooled_size() const override { return PointExpert::pooled_size() + kKept; }
  size_t sums_size() const override { return PointExpert::sums_size() + kKept; }
  double cost() const override { return 4; }
  void StartPooled(std::span<double> pooled) const override;
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;
  void Gather(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
              std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double> pooled,
              std::span<double> sums) const override;
  void Fold(std::span<const double> sums, std::span<double> pooled) const override;

 protected:
  static constexpr size_t kHead = 4;
  static constexpr size_t kAwake = 0, kDeparture = 1, kLevel = 2, kForecasts = 3;  ///< of the summary
  /// REQUIRES: Fits(seasons, horizon).
  CalendarExpert(ValueDomain domain, const NestedSeasons& seasons, int horizon);
  virtual void StepOne(float actual, size_t phase, float* state) const = 0;
  /// `out`: departure and present level.
  virtual void SummariseOne(const float* state, float scale, float anchor, float* out) const = 0;
  /// Forecast of a phase without the departure. `out`: as SummariseOne left it.
  virtual float ForecastOf(const float* state, size_t phase, float scale, const float* out) const = 0;
  struct Error {
    double value;   ///< of the forecast without the departure, in the departure's units
    double weight;  ///< 0: not to be learned from
  };
  virtual Error ErrorOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                        const float* summary) const = 0;
  /// Share of a departure that is left at the target's horizon, 0 to 1.
  float Kept(std::span<const double> pooled, const ForecastTarget& target) const;
  static float Forecast(const float* summary, const ForecastTarget& target) {
    return summary[kForecasts - 1 + static_cast<size_t>(target.horizon)];
  }
  /// A mean's way to `actual`: all updates count alike (newer ones more, where parts of the day are
  /// closed) until they are so many that each counts `rate` of a visit.
  void Learn(float actual, float rate, float updates, float* mean) const;

  const NestedSeasons& seasons() const { return seasons_; }
  size_t parts() const { return static_cast<size_t>(seasons_.parts()); }
  static float Seen(const float* state) { return state[kHead]; }
  float DaysSeen(const float* state) const { return Seen(state) / static_cast<float>(seasons_.first()); }
  static float* Days(float* state) { return state + kParts; }
  static const float* Days(const float* state) { return state + kParts; }
  float* Weeks(float* state) const { return state + kParts + parts(); }
  const float* Weeks(const float* state) const { return state + kParts + parts(); }

 private:
  static constexpr size_t kParts = kHead + 1;
  static constexpr size_t kKept = 2 * HorizonPlan::kKnotsMax;
  NestedSeasons seasons_;
  int horizon_;
};

/// Of counts and amounts. Means of the values: of a part of the day drawn to the mean of all parts; of a part of the
/// week drawn to that times what its day sells of a mean day, the more the less is sold in it. Times the slow level:
/// how the values stand to these means; the departure is how the newest ones do, less 1. Bands as wide as counts vary,
/// by the root of what is expected and a tenth of it; those of amounts likewise, counted in tenths of the scale. Head:
/// newest values and their seasonal means, fast and slow discounted. Parts: below 0 until visited.
class CalendarProfileExpert final : public CalendarExpert {
 public:
  CalendarProfileExpert(ValueDomain domain, const NestedSeasons& seasons, int horizon);
  double prior() const override { return 3; }
  /// The present level is that of a mean part of the day.
  float PresentLevel(const OneForecast& one) const override;

 protected:
  void StepOne(float actual, size_t phase, float* state) const override;
  void SummariseOne(const float* state, float scale, float anchor, float* out) const override;
  float ForecastOf(const float* state, size_t phase, float scale, const float* out) const override;
  Error ErrorOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary) const override;
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;

 private:
  /// Mean of the parts of the day that were visited; 0 where none was.
  float MeanOf(const float* state) const;
  /// Of the phase's part of the week. `mean`: MeanOf.
  float SeasonalMean(const float* state, float mean, size_t phase) const;
  float slow_rate_;
};

/// Of reals, which may lie anywhere. Parts: by how much values differ from the slow level of their time, drawn to 0 and
/// to the part of the day's. All is added up, in scales, as differences from the newest value.
/// Head: slow level, newest departure.
class CalendarOffsetExpert final : public CalendarExpert {
 public:
  CalendarOffsetExpert(const NestedSeasons& seasons, int horizon);
  /// The present level is the slow one and what is left of the departure.
  float PresentLevel(const OneForecast& one) const override;

 protected:
  void StepOne(float actual, size_t phase, float* state) const override;
  void SummariseOne(const float* state, float scale, float anchor, float* out) const override;
  float ForecastOf(const float* state, size_t phase, float scale, const float* out) const override;
  Error ErrorOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary) const override;
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;

 private:
  float OffsetOf(const float* state, size_t phase) const;
  float slow_rate_;
};

}  // namespace tidecast
