#pragma once

#include <string>

#include "models/expert.h"

namespace tidecast {

/// Discounted empirical-Bayes negative binomial. The mean is a discounted one, drawn towards the series's slow mean with
/// the weight of kPriorBuckets buckets, and that one towards the pool's; the dispersion is drawn towards its class's.
/// State: [sum, weight] fast, [sum, weight] slow, dispersion numerator and denominator.
class NegativeBinomialExpert final : public Expert {
 public:
  NegativeBinomialExpert(std::string name, float decay) : name_(std::move(name)), decay_(decay) {}
  std::string_view name() const override { return name_; }
  double cost() const override { return 8; }
  size_t state_floats() const override { return 6; }
  size_t summary_floats() const override { return 2; }
  size_t pooled_size() const override { return 2 * kDemandClasses; }
  size_t sums_size() const override { return 2 * kDemandClasses; }
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
  void Fold(std::span<const double> sums, std::span<double> pooled) const override;

 private:
  double MeanOf(const float* state, double prior_mean) const;
  std::string name_;
  float decay_;
};

}  // namespace tidecast
