#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace tidecast {

/// An ordinary least squares fit.
struct LeastSquares {
  std::vector<double> coefficients;  ///< [columns]
  std::vector<double> t_values;      ///< [columns]
  double residual_squares = 0;
  size_t rows = 0;
};

/// Fits y on columns. `columns`: [rows, width] row-major; a constant is the caller's column. Nothing where the columns
/// depend on one another or there are not more rows than columns.
std::optional<LeastSquares> FitLeastSquares(std::span<const double> columns, size_t width, std::span<const double> y);

/// Sums of squared residuals of the fits of y on the first `from`, from + 1, ... width columns, by one factorisation.
/// A column that depends on those before it ends the list. REQUIRES: 0 < from <= width.
std::vector<double> NestedResidualSquares(std::span<const double> columns, size_t width, size_t from,
                                          std::span<const double> y);

/// Of a correlation matrix [width, width]: shares of the variance, largest first, and their directions.
struct PrincipalComponents {
  std::vector<double> shares;      ///< [width], add up to 1
  std::vector<double> directions;  ///< [component, column]
};
PrincipalComponents FindPrincipalComponents(std::span<const double> correlations, size_t width);

}  // namespace tidecast
