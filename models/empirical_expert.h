#pragma once

#include <string>

#include "models/expert.h"

namespace tidecast {

/// The series's own past, without its season, weighted by decay^age: the non-parametric forecast (NPTS).
/// Needs no state of its own: it sorts the history. Summary: quantiles, mean and share of zeros of value / factor.
/// Quantiles are interpolated between the middles of the samples' weights.
/// Asleep until it has seen kSamplesMin values.
class EmpiricalExpert final : public Expert {
 public:
  static constexpr uint32_t kSamplesMin = 4;
  EmpiricalExpert(std::string name, ValueDomain domain, float decay);
  std::string_view name() const override { return name_; }
  double cost() const override { return 12; }
  size_t summary_floats() const override { return kLevelCount + 2; }
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;
  void Expand(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
              std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double> pooled,
              const ExpertOutput& out) const override;

 private:
  std::string name_;
  ValueDomain domain_;
  std::vector<float> weight_by_age_;
};

}  // namespace tidecast
