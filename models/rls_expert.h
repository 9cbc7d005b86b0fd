#pragma once

#include <string>
#include <vector>

#include "models/point_expert.h"

namespace tidecast {

/// Recursive least squares, direct for each horizon: y(t+h) - y(t) on the newest values less y(t), and for hourly
/// series one of two words of the day: the mean day of the last week less y(t), or the hour of t. The hour comes as
/// sines and cosines (all harmonics of the day but the last, in units of .3 scales at t), and what today's mean and the
/// newest step say depends on it (the first two). The regressors do not depend on the horizon, so there is one
/// covariance and one gain an arrival; when y(t+h) comes, the weights of horizon h move by the gain kept from t. The
/// weights start at 0, which is persistence, held by a ridge of a squared scale. Guards: while the covariance is larger
/// than kCovarianceMax starts nothing is forgotten; one that is not sound starts anew; residuals count as at most
/// kErrorMax scales; forecasts stay within the range of the values seen and three scales around; an origin of leverage
/// beyond 1, unlike all before, has bounded influence; it is forecast from only where the two newest values are close
/// together and far from those before, a new level rather than a wild value, and then by what an origin of leverage 1
/// in its direction says; after three wild forecasts in a row the weights start anew and the expert sleeps until it has
/// learnt again. Missing values are the ones before them, up to a quarter of what is looked at; then it sleeps. State:
/// head, covariance (packed triangle of doubles), weights and waiting gains [horizon, regressors], where the hour is
/// told the scales of the waiting origins [horizon]. Source: Haykin, "Adaptive Filter Theory", exponentially weighted
/// RLS.  Thread: immutable.
class RlsExpert final : public PointExpert {
 public:
  enum class Season {
    kMeanDay,  ///< of the last week: follows a season that changes
    kHour,     ///< learnt from all days: knows the season, and dynamics that change with the hour
  };
  struct Shape {
    double memory = 1;  ///< forgetting rate a bucket
    int lags = 8;
    int day = 0;  ///< buckets of a day when it is told, else 0
    Season season = Season::kMeanDay;
    bool week = false;  ///< with kHour: the mean of the last week less y(t) too
    int horizon = 1;
  };
  /// REQUIRES: Fits(shape).
  RlsExpert(std::string name, ValueDomain domain, const Shape& shape);
  /// Whether the origin `horizon` buckets back can still be looked at whole.
  static bool Fits(const Shape& shape);
  double cost() const override { return 2.0 * static_cast<double>(width_); }
  size_t state_floats() const override { return ScalesAt() + (waves_.empty() ? 0 : horizon_); }
  size_t summary_floats() const override { return horizon_ + 1; }
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;
  /// Coefficient x value: the mean day's or the hour's are the season, the others the present level.
  float PresentLevel(const OneForecast& one) const override;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;

 private:
  struct Window;  ///< a series's history in the order of time
  static constexpr size_t kHead =
      5;  ///< least, most, wild forecasts in a row, values learnt from, leverage of the newest
  size_t Triangle() const { return width_ * (width_ + 1) / 2; }
  size_t ScalesAt() const { return kHead + 2 * Triangle() + 2 * horizon_ * width_; }
  size_t GainSlot(int64_t index) const;
  void Read(const float* history, int64_t index, Window* window) const;
  /// Regressors of the origin `back` buckets before the newest, [width]; false where too much is missing. `scale`: at
  /// that origin.
  bool Regressors(const Window& window, size_t back, float scale, float* out) const;
  /// Whether the newest value is borne out by the one before it, as far off from those before as it is.
  bool HasNewLevel(const Window& window) const;
  void TellHour(const Window& window, size_t end, float scale, float* out) const;
  void Restart(float scale, float* state) const;
  bool LearnWeights(const Window& window, float actual, float scale, int64_t index, float* state) const;
  void LearnCovariance(const float* x, float scale, int64_t index, float* state) const;

  double memory_;
  size_t horizon_;
  size_t lags_;
  size_t day_;
  size_t days_;  ///< in the mean day or week
  bool week_;
  std::vector<float> waves_;  ///< [hour of the day, 2 * harmonics] sine and cosine of each; empty: a mean day
  size_t reach_;              ///< values an origin looks at
  size_t width_;
};

}  // namespace tidecast
