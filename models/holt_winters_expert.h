#pragma once

#include <vector>

#include "models/point_expert.h"

namespace tidecast {

/// Damped Holt-Winters: level, damped trend and additive season, each moved by a share of the one-step residual. The
/// level begins as the mean of the first values, the season at 0, both with a rate that falls to its final one. Its
/// bands are as wide as its own residuals were and grow with the horizon as the model says; counts and non-negative
/// values are clipped at 0. Guards: a residual moves it by at most kResidualMax deviations; forecasts stay within the
/// range of the values seen and three deviations around. Asleep on intermittent and lumpy series (where it also
/// forgets), and until it has seen one season. State: values seen, least, most, level, trend, discounted squared
/// residual and weight, season [season]. Source: Hyndman et al. 2008, "Forecasting with exponential smoothing",
/// ETS(A,Ad,A), variance of table 6.2. Thread: immutable.
class HoltWintersExpert final : public PointExpert {
 public:
  static constexpr int kSeasonMax = 24;
  HoltWintersExpert(ValueDomain domain, int season, int horizon);
  double cost() const override { return 4; }
  size_t state_floats() const override { return kHead + season_; }
  size_t summary_floats() const override { return 3 + season_; }
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;
  /// The present level is the forecast with the mean of the season in place of its phase's.
  float PresentLevel(const OneForecast& one) const override;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;

 private:
  static constexpr size_t kHead = 7;
  size_t PhaseOf(int64_t index) const;
  /// Level and trend at a horizon; `last`: the newest value at the origin.
  float TrendAt(int horizon, float last, float scale, const float* summary) const;
  size_t season_;
  std::vector<float> damped_;  ///< by horizon: phi + phi^2 + ... + phi^h
  std::vector<float> growth_;  ///< by horizon: deviation over that of one step
};

}  // namespace tidecast
