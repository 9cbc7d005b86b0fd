#pragma once

#include "models/point_expert.h"

namespace tidecast {

/// Sizes of demand and how often there is some, smoothed apart, for series that sell now and then. Of counts and
/// amounts. Asleep until the first demand; values at or below 0 are none. Two rules:
///   tsb   probability of demand, moved in every bucket, x size, moved by each demand; forgets what is sold no more
///   sba   size / buckets between two demands, both moved by demands alone, less half the rate for Croston's bias
/// State: size (0: none yet); probability or buckets between two; buckets seen (tsb) or since the last demand (sba).
/// Sources: Teunter, Syntetos & Babai 2011, "Intermittent demand: linking forecasting to inventory obsolescence";
/// Syntetos & Boylan 2005, "The accuracy of intermittent demand estimates".  Thread: immutable.
class IntermittentExpert final : public PointExpert {
 public:
  enum class Rule : uint8_t { kTsb, kSba };
  IntermittentExpert(ValueDomain domain, Rule rule)
      : PointExpert(rule == Rule::kTsb ? "tsb" : "sba", domain), rule_(rule) {}
  size_t summary_floats() const override { return 1; }
  size_t state_floats() const override { return 3; }
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;

 private:
  Rule rule_;
};

}  // namespace tidecast
