#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "operators/linear_model.h"
#include "operators/series_rows.h"

namespace tidecast {

/// What is known of the columns beside the target.
struct CovariateAudit {
  struct Column {
    std::string name;
    double missing = 0;      ///< share of the rows
    bool constant = false;   ///< within every series
    double correlation = 0;  ///< with the target, within series
    /// In a regression of the target on all columns, its last value and its last season.
    double t = std::numeric_limits<double>::quiet_NaN();
  };
  std::vector<Column> columns;
  std::vector<double> correlations;  ///< [used, used]: between the columns that are not constant, in order
  std::vector<size_t> used;          ///< in columns
  PrincipalComponents components;    ///< of them
  size_t rows = 0;                   ///< that the regression had
};

/// Looks at the columns of the rows beside the target. `values`, `row_at`: [series, bucket], NaN and SIZE_MAX where
/// there is no row. Everything is taken within series (each series's mean off); the target as log1p where no value is
/// below 0.
CovariateAudit AuditCovariates(const SeriesRows& rows, std::span<const float> values, std::span<const size_t> row_at,
                               size_t buckets, size_t season);

}  // namespace tidecast
