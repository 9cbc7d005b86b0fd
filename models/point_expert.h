#pragma once

#include <array>
#include <string>

#include "models/expert.h"
#include "models/horizon_plan.h"

namespace tidecast {

/// An expert that names one value a target; its quantiles are that value plus `spread` times a shape that the pool
/// learns per (demand class, horizon group, level), by tracking the quantiles of (actual - point) / spread. Errors of
/// reals grow with the horizon, and faster than groups can tell: their spread is multiplied by the mean error at the
/// learned horizons, drawn straight between them, to that of the group.
class PointExpert : public Expert {
 public:
  PointExpert(std::string name, ValueDomain domain) : name_(std::move(name)), domain_(domain) {}
  std::string_view name() const override { return name_; }
  double cost() const override { return 1; }
  size_t pooled_size() const override { return kShapes * kLevelCount + 1 + growth_size(); }
  size_t sums_size() const override { return kShapes * (kLevelCount + 1) + growth_size(); }
  void StartPooled(std::span<double> pooled) const override;
  void Expand(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
              std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double> pooled,
              const ExpertOutput& out) const override;
  void Gather(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
              std::span<const uint8_t> rows, std::span<const float> summaries, std::span<const double> pooled,
              std::span<double> sums) const override;
  void Fold(std::span<const double> sums, std::span<double> pooled) const override;

 protected:
  static constexpr size_t kShapes = kDemandClasses * kHorizonGroups;
  /// Pooled: shapes, number of rounds, and of reals sum and number of |errors| by knot and by group.
  static constexpr size_t kRounds = kShapes * kLevelCount;
  static constexpr size_t kGrowth = kRounds + 1;
  struct Point {
    float value = 0;
    float spread = 1;
    bool awake = false;
  };
  virtual Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                        const float* summary, std::span<const double> pooled) const = 0;
  ValueDomain domain() const { return domain_; }
  /// The newest value known at an origin; false where the history holds none.
  static bool NewestAt(const ExpertBlock& block, size_t series, int64_t origin, float* value);
  /// What summaries of reals are differences from: a level of many scales would not fit a half. 0 for others.
  float AnchorOf(const ExpertBlock& block, size_t series, int64_t origin) const;

 private:
  size_t growth_size() const {
    return domain_ == ValueDomain::kReal ? 2 * (HorizonPlan::kKnotsMax + kHorizonGroups) : 0;
  }
  float Growth(std::span<const double> pooled, const ForecastTarget& target) const;
  std::string name_;
  ValueDomain domain_;
};

/// The newest value, for every horizon.
class PersistenceExpert final : public PointExpert {
 public:
  explicit PersistenceExpert(ValueDomain domain) : PointExpert("persistence", domain) {}
  /// Of reals above all others: what is no random walk shows soon.
  double prior() const override {
    return domain() == ValueDomain::kCount ? .1 : domain() == ValueDomain::kReal ? 5 : 1;
  }
  size_t summary_floats() const override { return 1; }
  size_t state_floats() const override { return 1; }
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;
};

/// The newest value known at the origin in the target's phase of the season, read from the history; the one before
/// where that is missing. Asleep until there is one.
class SeasonalNaiveExpert final : public PointExpert {
 public:
  SeasonalNaiveExpert(ValueDomain domain, int season)
      : PointExpert("seasonal_naive_" + std::to_string(season), domain), season_(season) {}
  double prior() const override { return domain() == ValueDomain::kCount ? .1 : 1; }
  size_t summary_floats() const override { return 0; }
  void Summarise(const ExpertBlock&, std::span<const float>, std::span<const double>, std::span<float>) const override {
  }
  /// All that it says is the season's.
  float PresentLevel(const OneForecast& one) const override { return one.level; }

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;

 private:
  int season_;
};

/// The discounted mean of the values in the target's phase of the season, moved by how the newest level stands to the
/// mean level of those values' time. The phase's mean is drawn to the pool's seasonal factor while visits are few.
/// Asleep until the phase was visited kVisitsMin times. State: fast and slow level of value / pooled factor, sum and
/// weight each.
class ProfileExpert final : public PointExpert {
 public:
  static constexpr int kVisitsMin = 2;
  ProfileExpert(ValueDomain domain, int season);
  double prior() const override { return domain() == ValueDomain::kReal ? 1 : .5; }
  size_t summary_floats() const override { return 2; }
  size_t state_floats() const override { return 4; }
  double cost() const override { return 4; }
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;
  /// The present level is the fast one.
  float PresentLevel(const OneForecast& one) const override;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;

 private:
  int season_;
  float slow_rate_;
};

/// Exponential smoothing of value / seasonal factor, times the target's factor. State: sum and weight (the weight
/// corrects the start: the first level is the first value).
class SmoothingExpert final : public PointExpert {
 public:
  SmoothingExpert(std::string name, ValueDomain domain, float alpha)
      : PointExpert(std::move(name), domain), alpha_(alpha) {}
  size_t summary_floats() const override { return 1; }
  size_t state_floats() const override { return 2; }
  void Step(const ExpertBlock& block, std::span<float> states, std::span<const double> pooled) const override;
  void Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double> pooled,
                 std::span<float> summaries) const override;

 protected:
  Point PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target, float scale,
                const float* summary, std::span<const double> pooled) const override;

 private:
  float alpha_;
};

}  // namespace tidecast
