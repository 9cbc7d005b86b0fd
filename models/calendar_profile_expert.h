#pragma once

#include <string>
#include <vector>

#include "models/nested_seasons.h"
#include "models/point_expert.h"

namespace tidecast {

/// Seasons within seasons, of which the longer one may exceed the history (hours of a day, days of a week): the
/// series's own discounted mean of each part of the day, drawn to its mean over all, and of each part of the week,
/// drawn to what its part of the day and its day say, the more the less is sold in it. Times a slow level, how the
/// values stand to these means; times what the newest values' departure from that is worth at the horizon, which the
/// pool learns at the learned horizons by least squares. The bands are as wide as counts vary, by the root of what is
/// expected and a tenth of it; those of amounts likewise, counted in tenths of the scale. It keeps means, not values,
/// and what they say of each horizon for an origin. Asleep until two days were seen. State: discounted sums of values
/// and of seasonal means, fast and slow, values seen; means of the parts of the day and of the week, below 0 until
/// visited. Summary: slow level, departure of the newest values, forecast of each horizon without it.  Thread:
/// immutable.
class CalendarProfileExpert final : public PointExpert {
 public:
  /// REQUIRES: seasons.cycles() > 1.
  CalendarProfileExpert(ValueDomain domain, const NestedSeasons& seasons, int horizon);
  double prior() const override { return 3; }
  size_t summary_floats() const override { return kForecasts + static_cast<size_t>(horizon_); }
  size_t state_floats() const override { return kMeans + parts() + seasons_.long_parts(); }
  size_t pooled_size() const override { return PointExpert::pooled_size() + 2 * HorizonPlan::kKnotsMax; }
  size_t sums_size() const override { return PointExpert::sums_size() + 2 * HorizonPlan::kKnotsMax; }
  double cost() const override { return 4; }
  void StartPooled(std::span<double> pooled) const override;
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;
  void Gather(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
              std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double> pooled,
              std::span<double> sums) const override;
  void Fold(std::span<const double> sums, std::span<double> pooled) const override;
  /// The present level is that of a mean part of the day.
  void Explain(const OneForecast& one, ForecastSteps* steps) const override;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;

 private:
  static constexpr size_t kSeen = 4;  ///< of the state
  static constexpr size_t kMeans = 5;
  static constexpr size_t kForecasts = 2;  ///< of the summary
  size_t parts() const { return static_cast<size_t>(seasons_.parts()); }
  /// Mean of the parts of the day that were visited; 0 where none was.
  float MeanOf(const float* state) const;
  /// Mean of the phase's part of the week. `mean`: MeanOf.
  float SeasonalMean(const float* state, float mean, size_t phase) const;
  /// Share of the newest departure that is left.
  float Kept(std::span<const double> pooled, const ForecastTarget& target) const;

  NestedSeasons seasons_;
  int horizon_;
  float slow_rate_;
};

}  // namespace tidecast
