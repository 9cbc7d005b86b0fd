#pragma once

#include <string>
#include <vector>

#include "models/point_expert.h"

namespace tidecast {

/// Seasons within seasons: the series's own mean by part of the day, drawn to the pool's seasonal factor, and by part
/// of the week, drawn to that of the day; moved by how the newest values stand to what these said. It remembers means,
/// not values, so that a season may be longer than the history. Works for any two seasons of which the longer one is a
/// few of the shorter one. State: discounted sums of values and of seasonal means, then the means of the parts of the
/// day and of the week; below 0 until visited. Summary: ratio of the two sums, mean of the seasonal means, seasonal
/// mean of each horizon.
class CalendarProfileExpert final : public PointExpert {
 public:
  static bool Fits(const PoolShape& shape);
  /// `rate`: of the newest values' level.
  CalendarProfileExpert(ValueDomain domain, const PoolShape& shape, float rate);
  size_t summary_floats() const override { return 2 + static_cast<size_t>(horizon_); }
  size_t state_floats() const override { return kHead + static_cast<size_t>(parts_ + parts_ * cycles_); }
  double cost() const override { return 4; }
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;
  void Explain(const OneForecast& one, ForecastSteps* steps) const override;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary) const override;

 private:
  static constexpr size_t kHead = 3;  ///< sums of values and of seasonal means, values seen
  struct Place {
    size_t day;   ///< part of the day
    size_t week;  ///< part of the week
  };
  Place PlaceOf(const CalendarStep& step) const;
  float MeanOf(const float* state, const Place& place) const;
  float Visits(float seen, int length) const { return seen / static_cast<float>(length); }

  int day_;      ///< buckets of the shorter season
  int cycles_;   ///< of it in the longer one
  int parts_;    ///< of the shorter one
  int horizon_;
  float rate_;
};

}  // namespace tidecast
