#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "operators/forecast_score.h"

namespace tidecast {

struct SeriesTable;

inline constexpr std::array<const char*, 4> kDemandClassNames = {"smooth", "erratic", "intermittent", "lumpy"};
/// Buckets since a series's first row, at the cutoff: cold start, young, settled.
inline constexpr std::array<const char*, 3> kAgeNames = {"1-14", "15-60", "61+"};

/// Demand class of a series's values (NaN = missing, left out) from its first nonzero one on: ADI 1.32, CV^2 .49.
uint8_t DemandClassOf(std::span<const float> values);

/// What a file says of its series beyond the forecasts: constants of the evaluation, taken over the whole series from
/// its first nonzero bucket on (no forecast ever sees them).
struct ScoreConstants {
  std::vector<double> absolute_scale;  ///< by series: mean |y(t) - y(t - season)|; 0: none
  std::vector<double> squared_scale;   ///< by series: mean (y(t) - y(t - 1))^2; 0: none
  std::vector<uint8_t> demand_class;   ///< by series: ADI 1.32, CV^2 .49; missing buckets are left out
  int season = 1;                      ///< of absolute_scale

  static ScoreConstants Of(const SeriesTable& table);
};

/// Figures over one set of forecasts. NaN where there is nothing to divide by.
struct ScoreFigures {
  double wql = 0, wape = 0, rmsse = 0, mase = 0, bias = 0, mae = 0, mse = 0, rmse = 0, r2 = 0;
  std::array<double, kCoverageBands.size()> cover{};
  double width80 = 0, width95 = 0;
  size_t forecasts = 0;
};

/// The figures of all forecasts and of the parts they fall into.
struct ScoreTable {
  struct Part {
    std::string name;
    ScoreFigures figures;
  };
  struct Column {  ///< by a column known ahead, e.g. a promotion: over the buckets where it is above 0, and the others
    std::string name;
    ScoreFigures on, off;
  };
  ScoreFigures all;
  std::vector<Part> by_class, by_horizon, by_age;  ///< parts without a forecast are left out
  std::vector<Column> by_column;
};

/// Keeps score of forecasts against a table of series, by demand class, horizon, age and known columns.
/// MASE: mean over series of mean |y - median| / absolute_scale. RMSSE: mean over series of sqrt(mean (y - mean)^2 /
/// squared_scale), Source: M5. Series whose scale is 0 are left out of that figure.
/// Thread: confined. REQUIRES: table and constants outlive it.
class ScoreCard {
 public:
  ScoreCard(const SeriesTable& table, const ScoreConstants& constants, ValueDomain domain, size_t horizon);
  void set_domain(ValueDomain domain) { domain_ = domain; }  ///< of what is added from now on
  /// Begins the forecasts of a cutoff.
  void BeginOrigin() { origin_losses_.push_back(0); }
  /// One forecast for the bucket `cutoff + step` (step 1 = the next one). `quantiles`: [kLevelCount].
  void Add(size_t series, size_t cutoff, size_t step, float mean, std::span<const float> quantiles);
  ScoreTable Table() const;
  /// By cutoff: DecilePinball summed over series and steps.
  std::span<const double> origin_losses() const { return origin_losses_; }

 private:
  /// Sums over one part of the forecasts, also by series.
  class Part {
   public:
    void Add(size_t series, size_t all_series, ValueDomain domain, float actual, float mean,
             std::span<const float> quantiles);
    ScoreFigures Figures(const ScoreConstants& constants) const;
    bool empty() const { return score_.count() == 0; }

   private:
    struct Sums {
      double absolute = 0, squared = 0, count = 0;
    };
    ForecastScore score_;
    std::vector<Sums> by_series_;
  };
  struct ColumnParts {
    std::string name;
    size_t at = 0;  ///< in SeriesTable::known
    Part on, off;
  };

  const SeriesTable& table_;
  const ScoreConstants& constants_;
  ValueDomain domain_;
  Part all_;
  std::array<Part, kDemandClassNames.size()> by_class_;
  std::array<Part, kAgeNames.size()> by_age_;
  std::vector<Part> by_horizon_;
  std::vector<ColumnParts> by_column_;
  std::vector<double> origin_losses_;
};

/// Whether one forecaster's losses are lower than another's, by a Diebold-Mariano test on the losses of the cutoffs.
struct LossComparison {
  double t = 0;         ///< below 0: the first one is better. NaN below 2 cutoffs
  double p = 1;         ///< two-sided, standard normal
  double relative = 1;  ///< sum of the first's losses / the second's
};
/// `lag`: cutoffs within which losses are correlated, as many as the horizon has steps (Bartlett weights).
/// Source: Diebold & Mariano 1995; Newey & West 1987. REQUIRES: as many of each.
LossComparison CompareLosses(std::span<const double> first, std::span<const double> second, size_t lag);

}  // namespace tidecast
