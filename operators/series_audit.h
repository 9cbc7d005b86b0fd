#pragma once

#include <array>
#include <string>
#include <vector>

#include "engine/core/status.h"
#include "operators/covariate_audit.h"
#include "operators/score_card.h"
#include "operators/series_finding.h"
#include "operators/series_rows.h"
#include "operators/series_steps.h"

namespace tidecast {

/// Of all series.
struct SeriesTotals {
  size_t cells = 0;  ///< buckets of all series, each from its first row on
  size_t missing = 0, zeros = 0, negatives = 0, outliers = 0;
  size_t with_outliers = 0;         ///< series
  size_t with_leading_zeros = 0;    ///< series
  size_t young = 0;                 ///< series of 14 buckets or fewer
  std::array<size_t, 4> levels{};   ///< series by LevelKind
  std::array<size_t, 4> classes{};  ///< series by demand class
  std::array<double, 4> volume{};   ///< share of the volume by demand class
  std::vector<double> seasonality;  ///< median over series by season; NaN: all too short
  double load_step = 0;             ///< mean step of the series where they move like loads (pool_choice.h); NaN: not so
};

/// The audit of a series file.
struct SeriesAudit {
  size_t rows = 0, series = 0, buckets = 0;
  std::string first, last;
  SeriesFrequency frequency = SeriesFrequency::kDay;
  size_t duplicates = 0;          ///< rows of a series and time that an earlier row has
  size_t conflicting = 0;         ///< of them: with another value
  std::string duplicate_example;  ///< "line 17: a at 2024-01-01"
  size_t off_step = 0;            ///< times that do not lie on the steps from the first one
  size_t calendar_gaps = 0;       ///< steps between the first and the last time that no series has
  std::string gap_example;
  std::vector<std::string> closed_weekdays;  ///< daily: weekdays that never occur
  std::vector<Season> seasons;               ///< candidates, shortest first
  std::vector<SeriesFinding> findings;       ///< by name
  SeriesTotals totals;
  CovariateAudit covariates;
};

/// Looks at the rows of a series file. Of rows that come twice the first counts. `frequency`: 1d ... or auto.
/// Errors: kData when there is no value at all; kUsage for an unknown frequency.
Result<SeriesAudit> AuditSeries(const SeriesRows& rows, const std::string& frequency);

}  // namespace tidecast
