#include "operators/stationarity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include "operators/linear_model.h"

namespace tidecast {
namespace {

constexpr size_t kShortest = 12;

double NormalCdf(double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; }

double MacKinnonP(double tau) {
  constexpr double kStar = -1.61, kMin = -18.83, kMax = 2.74;
  if (tau > kMax) return 1;
  if (tau < kMin) return 0;
  return tau <= kStar ? NormalCdf(2.1659 + tau * (1.4412 + tau * .038269))
                      : NormalCdf(1.7339 + tau * (.93202 + tau * (-.12745 + tau * -.010368)));
}

bool IsConstant(std::span<const double> y) {
  return std::all_of(y.begin(), y.end(), [&](double value) { return value == y[0]; });
}

/// Differences on the level before, a constant, and `lags` earlier differences; without the first `skip` ones.
struct DickeyFuller {
  static constexpr size_t kOwnColumns = 2;
  DickeyFuller(std::span<const double> y, size_t lags, size_t skip) : width(kOwnColumns + lags) {
    // The constant takes any level; without it the columns are told apart at any size of the values.
    const double level = std::accumulate(y.begin(), y.end(), 0.0) / static_cast<double>(y.size());
    for (size_t t = skip + 1; t < y.size(); ++t) {
      target.push_back(y[t] - y[t - 1]);
      columns.push_back(y[t - 1] - level);
      columns.push_back(1);
      for (size_t l = 1; l <= lags; ++l) columns.push_back(y[t - l] - y[t - l - 1]);
    }
  }
  size_t width;
  std::vector<double> columns, target;
};

}  // namespace

std::optional<StationarityTest> AugmentedDickeyFuller(std::span<const double> y) {
  if (y.size() < kShortest || IsConstant(y)) return std::nullopt;
  const double n = static_cast<double>(y.size());
  const auto lags_max =
      static_cast<size_t>(std::min(std::ceil(12 * std::pow(n / 100, .25)), static_cast<double>(y.size() / 2 - 2)));
  // Lags are chosen on the same rows for all of them.
  const DickeyFuller all(y, lags_max, lags_max);
  const std::vector<double> squares =
      NestedResidualSquares(all.columns, all.width, DickeyFuller::kOwnColumns, all.target);
  const double rows = static_cast<double>(all.target.size());
  size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (size_t lags = 0; lags < squares.size(); ++lags) {
    const double aic =
        rows * std::log(squares[lags] / rows) + 2 * static_cast<double>(lags + DickeyFuller::kOwnColumns);
    if (aic < least) {
      least = aic;
      best = lags;
    }
  }
  const DickeyFuller chosen(y, best, best);
  const auto fit = FitLeastSquares(chosen.columns, chosen.width, chosen.target);
  if (!fit || !std::isfinite(fit->t_values[0])) return std::nullopt;
  return StationarityTest{fit->t_values[0], MacKinnonP(fit->t_values[0]), best};
}

std::optional<StationarityTest> Kpss(std::span<const double> y) {
  if (y.size() < kShortest || IsConstant(y)) return std::nullopt;
  const size_t n = y.size();
  const double count = static_cast<double>(n);
  const double mean = std::accumulate(y.begin(), y.end(), 0.0) / count;
  std::vector<double> residual(y.begin(), y.end());
  for (double& value : residual) value -= mean;
  const auto covariance = [&](size_t lag) {
    return std::inner_product(residual.begin() + static_cast<ptrdiff_t>(lag), residual.end(), residual.begin(), 0.0) /
           count;
  };
  double s0 = covariance(0), s1 = 0;
  const auto pilot = static_cast<size_t>(std::pow(count, 2.0 / 9));
  for (size_t lag = 1; lag <= pilot; ++lag) {
    s0 += 2 * covariance(lag);
    s1 += 2 * static_cast<double>(lag) * covariance(lag);
  }
  const double ratio = s1 / s0;
  const auto lags = std::min(static_cast<size_t>(1.1447 * std::cbrt(ratio * ratio) * std::cbrt(count)), n - 1);
  double variance = covariance(0);
  for (size_t lag = 1; lag <= lags; ++lag) {
    variance += 2 * covariance(lag) * (1 - static_cast<double>(lag) / static_cast<double>(lags + 1));
  }
  double sum = 0, squares = 0;
  for (const double value : residual) {
    sum += value;
    squares += sum * sum;
  }
  if (!(variance > 0)) return std::nullopt;
  StationarityTest test;
  test.statistic = squares / (count * count) / variance;
  test.lags = lags;
  constexpr std::array<double, 4> kCritical = {.347, .463, .574, .739};
  constexpr std::array<double, 4> kProbability = {.1, .05, .025, .01};
  test.p = kProbability.back();
  if (test.statistic <= kCritical[0]) test.p = kProbability[0];
  for (size_t i = 1; i < kCritical.size() && test.statistic > kCritical[0]; ++i) {
    if (test.statistic > kCritical[i]) continue;
    const double part = (test.statistic - kCritical[i - 1]) / (kCritical[i] - kCritical[i - 1]);
    test.p = kProbability[i - 1] + part * (kProbability[i] - kProbability[i - 1]);
    break;
  }
  return test;
}

}  // namespace tidecast
