#pragma once

#include "models/point_expert.h"

namespace tidecast {

/// Sizes of demand and how often there is some, smoothed apart, for series that sell now and then. Of counts and
/// amounts. Asleep until the first demand. Values at or below 0 are no demand.

/// TSB: probability of demand, moved in every bucket, x size, moved by each demand. State: size (0: none yet),
/// probability, whether a bucket was seen.
/// Source: Teunter, Syntetos & Babai 2011, "Intermittent demand: linking forecasting to inventory obsolescence".
class TsbExpert final : public PointExpert {
 public:
  explicit TsbExpert(ValueDomain domain) : PointExpert("tsb", domain) {}
  size_t summary_floats() const override { return 1; }
  size_t state_floats() const override { return 3; }
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary) const override;
};

/// SBA: size of a demand / buckets between two, both moved by demands alone, less half the rate for Croston's bias.
/// State: size (0: none yet), interval, buckets since the last demand.
/// Source: Syntetos & Boylan 2005, "The accuracy of intermittent demand estimates".
class SbaExpert final : public PointExpert {
 public:
  explicit SbaExpert(ValueDomain domain) : PointExpert("sba", domain) {}
  size_t summary_floats() const override { return 1; }
  size_t state_floats() const override { return 3; }
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary) const override;
};

}  // namespace tidecast
