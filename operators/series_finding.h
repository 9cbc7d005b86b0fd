#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "operators/stationarity.h"

namespace tidecast {

/// What the two tests say together at .05: ADF finds no unit root and KPSS a level; ADF a unit root and KPSS no level;
/// they do not agree; too short or constant.
enum class LevelKind : uint8_t { kSteady, kWandering, kUnclear, kUntested };

/// A candidate of a season.
struct Season {
  int buckets = 0;
  bool natural = false;         ///< a model takes it by itself
  std::vector<int32_t> phases;  ///< of each bucket of the calendar
};

/// What stands out in one series.
struct SeriesFinding {
  static constexpr double kOutlierZ = 3.5;  ///< Source: Iglewicz & Hoaglin 1993

  struct Outlier {
    std::string ds;
    double value = 0;
    double z = 0;           ///< robust, on the scale below
    double winsorised = 0;  ///< the value at |z| = kOutlierZ: as far as the usual goes
  };
  std::string series;
  size_t buckets = 0;  ///< from its first row to the file's end
  size_t missing = 0;  ///< of them: no row, or an empty value
  size_t zeros = 0;
  size_t leading_zeros = 0;  ///< of them: before the first other value
  size_t negatives = 0;
  double mean = 0;                ///< of the values; NaN: none
  double step = 0;                ///< mean way from value to value, as a share of the values; NaN: none
  uint8_t demand_class = 0;       ///< kDemandClassNames
  std::vector<Outlier> outliers;  ///< largest first
  std::optional<StationarityTest> adf, kpss;
  std::vector<double> seasonality;  ///< by season; NaN: too short

  LevelKind level() const;
};

/// Looks at a series by itself. `values`: [buckets] from its first row to the end of what is known, NaN = missing;
/// `labels`: their times; the seasons' phases end where these do.
/// Outliers: robust z of log1p(y) for values of 0 or more (zeros of a series with more than a third of them left out),
/// of y else. Seasonality: share of the variance about a moving average that the phase explains, corrected for the
/// number of phases; 0 none, 1 all. Stationarity: of series with 24 values or more; gaps are closed up.
SeriesFinding LookAtSeries(const std::string& name, std::span<const float> values, std::span<const std::string> labels,
                           std::span<const Season> seasons);

/// NaN for nothing.
double MedianOf(std::vector<double> values);

}  // namespace tidecast
