#pragma once

#include <vector>

#include "models/point_expert.h"

namespace tidecast {

/// Regression of log demand on the columns known ahead (price, promotion, holiday): the series's level, moved by what
/// the target's columns differ from those of the level's time. A column gives two regressors, log of its positive part
/// and whether it is positive, so that prices act as elasticities and flags as factors. Coefficients are ridge ones,
/// drawn to the pool's with the weight of kPoolBuckets buckets. Asleep where a column of the target is not known.
/// State: discounted means of log demand and of the regressors with their weight, the series's normal equations and
/// their number of buckets; the pool's are the sum of them. Thread: immutable.
class KnownCovariateExpert final : public PointExpert {
 public:
  static constexpr size_t kColumnsMax = 8;  ///< columns beyond are left out
  KnownCovariateExpert(ValueDomain domain, size_t columns);
  double cost() const override { return 6; }
  size_t state_floats() const override { return 3 + width_ + Triangle() + width_; }
  size_t summary_floats() const override { return 2 + width_; }
  size_t pooled_size() const override { return PointExpert::pooled_size() + Triangle() + width_ + 3; }
  size_t sums_size() const override { return PointExpert::sums_size() + Triangle() + width_ + 3; }
  void StartPooled(std::span<double> pooled) const override;
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;
  void Expand(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
              std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double> pooled,
              const ExpertOutput& out) const override;
  void Gather(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
              std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double> pooled,
              std::span<double> sums) const override;
  void GatherStates(const ExpertBlock& block, std::span<const float> states, std::span<double> sums) const override;
  void Fold(std::span<const double> sums, std::span<double> pooled) const override;
  /// A column's part is its share of the change in log demand (the logarithmic mean Divisia index: nothing is left
  /// over, and the order of the columns does not matter).  Source: Ang, Energy Policy 33 (2005) 867, additive form.
  void Explain(const OneForecast& one, ForecastSteps* steps) const override;

  size_t width() const { return width_; }
  /// The pool's coefficients [width()], as elasticities and log factors.
  std::vector<double> PooledCoefficients(std::span<const double> pooled) const;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;

 private:
  size_t Triangle() const { return width_ * (width_ + 1) / 2; }
  /// Regressors of one row of columns; false where one is missing.
  bool Regressors(std::span<const float> known, size_t series, float* out) const;
  /// Demand of a log step, in scales.
  static float DemandOf(float log_step);
  /// The exponential of a mean logarithm lies below the mean: by so much.
  float Lift(std::span<const double> pooled) const;
  size_t columns_;  ///< in a row
  size_t used_;     ///< of them
  size_t width_;    ///< regressors
};

}  // namespace tidecast
