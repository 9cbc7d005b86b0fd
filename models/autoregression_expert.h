#pragma once

#include "models/point_expert.h"

namespace tidecast {

/// Autoregression on differences of value / pooled seasonal factor, in ARIMA(p,1,0)'s role: discounted autocovariances
/// of the differences, coefficients of every order up to kOrderMax by Levinson's recursion, of which the order with the
/// least AIC forecasts, step after step. Order 0 is persistence. Bands: the innovations' deviation, grown by the psi
/// weights. Guards: a reflection beyond kReflectionMax ends the recursion, so that the path cannot explode; differences
/// count as at most kDifferenceMax scales. Asleep on intermittent and lumpy series (where it also forgets), where the
/// newest differences are missing, and while young. State: differences seen, weight, autocovariances [kOrderMax + 1].
/// Source: Brockwell & Davis 1991, "Time series: theory and methods", 5.2 (Durbin-Levinson).  Thread: immutable.
class AutoregressionExpert final : public PointExpert {
 public:
  static constexpr size_t kOrderMax = 6;
  explicit AutoregressionExpert(ValueDomain domain) : PointExpert("autoregression", domain) {}
  double cost() const override { return 10; }
  size_t state_floats() const override { return kOrderMax + 3; }
  size_t summary_floats() const override { return kOrderMax + 1; }
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;

 private:
  /// Differences that end at `index`, newest first, [kOrderMax + 1]; false where one is missing.
  bool Differences(const ExpertBlock& block, size_t series, int64_t index, float* out) const;
};

}  // namespace tidecast
