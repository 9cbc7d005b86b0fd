#pragma once

#include <span>

namespace tidecast {

/// Negative binomial of counts by mean and dispersion: variance = mean + dispersion * mean^2 (0: Poisson).
/// Thread: immutable value.
struct NegativeBinomial {
  double mean = 0;
  double dispersion = 0;

  /// P(Y = 0).
  double ZeroProbability() const;
  /// P(Y <= count).
  double Cdf(double count) const;
  /// P(Y <= count) of ascending counts in one walk; counts beyond 20,000 as that one.
  void Cdf(std::span<const float> counts, std::span<double> probabilities) const;
  /// Least counts with P(Y <= count) >= level. `levels` ascending in (0, 1); exact up to a mean of 200, beyond that a
  /// gamma's quantile by Wilson and Hilferty's cube (a real number, relative error of the count at a dispersion of .4:
  /// < 1 % from level .1 up, < 4 % at .025).
  /// Source: Wilson & Hilferty 1931.
  void Quantiles(std::span<const float> levels, std::span<float> counts) const;
  double Quantile(double level) const;
};

/// Quantile of the standard normal distribution. Source: Acklam's rational approximation, relative error < 1.2e-9.
double NormalQuantile(double level);

}  // namespace tidecast
