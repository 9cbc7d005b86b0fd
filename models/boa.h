#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace tidecast {

/// BOA: exponential weights whose rates follow each expert's own squared regrets; `memory` < 1 discounts the past.
/// squares_k = memory squares_k + r_k^2;  rate_k = min(1 / (2 max|r|), sqrt(ln K / squares_k));
/// regret_k = memory regret_k + r_k - rate_k r_k^2;  weight_k ~ rate_k exp(rate_k regret_k).
/// Source: Wintenberger 2017, "Optimal learning with Bernstein online aggregation"; as in R's opera for memory 1.
/// Thread: confined view over someone's numbers.
struct Boa {
  std::span<double> regret;   ///< [experts]
  std::span<double> squares;  ///< [experts]
  double& largest;
  double memory = 1;

  static constexpr size_t Size(size_t experts) { return 2 * experts + 1; }
  static Boa Over(std::span<double> numbers, size_t experts, double memory) {
    return {numbers.subspan(0, experts), numbers.subspan(experts, experts), numbers[2 * experts], memory};
  }

  /// `r`: loss of the mixture minus loss of the expert; 0 for a sleeping one.
  void Learn(std::span<const double> r) {
    for (const double value : r) largest = std::max(largest, std::fabs(value));
    for (size_t k = 0; k < regret.size(); ++k) {
      squares[k] = memory * squares[k] + r[k] * r[k];
      regret[k] = memory * regret[k] + r[k] - Rate(k) * r[k] * r[k];
    }
  }

  /// Weights that sum to 1; uniform before the first regret.
  void Weights(std::span<double> out) const {
    const size_t experts = regret.size();
    double fastest = 0;
    for (size_t k = 0; k < experts; ++k) fastest = std::max(fastest, Rate(k));
    double most = -std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < experts; ++k) most = std::max(most, Rate(k) * regret[k]);
    double sum = 0;
    for (size_t k = 0; k < experts; ++k) {
      const double rate = Rate(k);
      out[k] = fastest > 0 ? (rate > 0 ? rate : fastest) * std::exp(rate * regret[k] - most) : 1;
      sum += out[k];
    }
    for (size_t k = 0; k < experts; ++k) out[k] /= sum;
  }

 private:
  double Rate(size_t k) const {
    if (!(squares[k] > 0)) return 0;
    return std::min(1 / (2 * largest), std::sqrt(std::log(static_cast<double>(regret.size())) / squares[k]));
  }
};

}  // namespace tidecast
