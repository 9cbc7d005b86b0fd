#include "operators/linear_model.h"

#include <Eigen/Dense>
#include <cmath>

#include "engine/core/check.h"

namespace tidecast {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Columns, at length 1, that differ by less from what the others make are taken for dependent (values are floats).
constexpr double kAlike = 1e-5;

}  // namespace

std::optional<LeastSquares> FitLeastSquares(std::span<const double> columns, size_t width, std::span<const double> y) {
  TC_CHECK_EQ(columns.size(), width * y.size());
  if (width == 0 || y.size() <= width) return std::nullopt;
  const auto rows = static_cast<Eigen::Index>(y.size());
  const auto k = static_cast<Eigen::Index>(width);
  const Eigen::Map<const Matrix> x(columns.data(), rows, k);
  const Eigen::Map<const Eigen::VectorXd> target(y.data(), rows);
  const Eigen::VectorXd norms = x.colwise().norm().transpose();
  if (!(norms.minCoeff() > 0)) return std::nullopt;
  Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr(x * norms.cwiseInverse().asDiagonal());
  qr.setThreshold(kAlike);
  if (qr.rank() < k) return std::nullopt;
  const Eigen::VectorXd scaled = qr.solve(target);
  const Eigen::VectorXd beta = scaled.cwiseQuotient(norms);
  LeastSquares fit;
  fit.rows = y.size();
  fit.residual_squares = (target - x * beta).squaredNorm();
  const double variance = fit.residual_squares / static_cast<double>(y.size() - width);
  // (X'X)^-1 = P R^-1 R^-T P'
  const Eigen::MatrixXd inverse =
      qr.matrixR().topLeftCorner(k, k).triangularView<Eigen::Upper>().solve(Eigen::MatrixXd::Identity(k, k));
  const Eigen::VectorXd diagonal = qr.colsPermutation() * inverse.rowwise().squaredNorm().eval();
  for (Eigen::Index i = 0; i < k; ++i) {
    fit.coefficients.push_back(beta[i]);
    fit.t_values.push_back(scaled[i] / std::sqrt(variance * diagonal[i]));
  }
  return fit;
}

std::vector<double> NestedResidualSquares(std::span<const double> columns, size_t width, size_t from,
                                          std::span<const double> y) {
  TC_CHECK_EQ(columns.size(), width * y.size());
  TC_CHECK(0 < from && from <= width, "no column to begin with");
  std::vector<double> squares;
  if (y.size() <= width) return squares;
  const auto rows = static_cast<Eigen::Index>(y.size());
  const auto k = static_cast<Eigen::Index>(width);
  const Eigen::Map<const Matrix> x(columns.data(), rows, k);
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(x);
  Eigen::VectorXd rotated = Eigen::Map<const Eigen::VectorXd>(y.data(), rows);
  rotated.applyOnTheLeft(qr.householderQ().adjoint());
  const auto own = [&](Eigen::Index c) { return std::fabs(qr.matrixQR()(c, c)) > kAlike * x.col(c).norm(); };
  // Q'y falls apart: the first c entries are what c columns explain.
  for (Eigen::Index c = 0; c < k && own(c); ++c) {
    if (c + 1 >= static_cast<Eigen::Index>(from)) squares.push_back(rotated.tail(rows - c - 1).squaredNorm());
  }
  return squares;
}

PrincipalComponents FindPrincipalComponents(std::span<const double> correlations, size_t width) {
  TC_CHECK_EQ(correlations.size(), width * width);
  PrincipalComponents found;
  if (width == 0) return found;
  const auto k = static_cast<Eigen::Index>(width);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(Eigen::Map<const Matrix>(correlations.data(), k, k));
  const double total = solver.eigenvalues().sum();
  for (Eigen::Index c = k; c-- > 0;) {  // they come smallest first
    found.shares.push_back(solver.eigenvalues()[c] / total);
    for (Eigen::Index i = 0; i < k; ++i) found.directions.push_back(solver.eigenvectors()(i, c));
  }
  return found;
}

}  // namespace tidecast
