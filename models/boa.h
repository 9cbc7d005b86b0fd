#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace tidecast {

/// BOA: exponential weights whose rates follow each expert's own squared regrets; `memory` < 1 discounts the past.
/// squares_k = memory squares_k + n r_k^2;  rate_k = min(1 / (2 max|r|), sqrt(ln K / squares_k));
/// regret_k = memory regret_k + r_k - n rate_k r_k^2;  weight_k ~ rate_k exp(rate_k regret_k); n: `overlap`.
/// Source: Wintenberger 2017, "Optimal learning with Bernstein online aggregation", for memory 1 and overlap 1
/// (R's opera 1.2 moves regrets and rates by other constants). Sums of n regrets that hang together vary n times as
/// much as those of independent ones. `Number` float for a series's own state, double for the pool's.  Thread: confined
/// view over someone's numbers.
template <typename Number>
struct BasicBoa {
  std::span<Number> regret;   ///< [experts]
  std::span<Number> squares;  ///< [experts]
  Number& largest;
  double memory = 1;
  double overlap = 1;  ///< regrets in a row that say as much as one

  static constexpr size_t Size(size_t experts) { return 2 * experts + 1; }
  static BasicBoa Over(std::span<Number> numbers, size_t experts, double memory) {
    return {numbers.subspan(0, experts), numbers.subspan(experts, experts), numbers[2 * experts], memory};
  }

  /// `r`: loss of the mixture minus loss of the expert; 0 for a sleeping one.
  void Learn(std::span<const Number> r) {
    for (const Number value : r) largest = std::max(largest, std::fabs(value));
    for (size_t k = 0; k < regret.size(); ++k) {
      const double value = static_cast<double>(r[k]);
      squares[k] = static_cast<Number>(memory * static_cast<double>(squares[k]) + overlap * value * value);
      regret[k] =
          static_cast<Number>(memory * static_cast<double>(regret[k]) + value - overlap * Rate(k) * value * value);
    }
  }

  /// Weights that sum to 1; uniform before the first regret.
  void Weights(std::span<double> out) const {
    const size_t experts = regret.size();
    double fastest = 0;
    for (size_t k = 0; k < experts; ++k) fastest = std::max(fastest, Rate(k));
    double most = -std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < experts; ++k) most = std::max(most, Rate(k) * static_cast<double>(regret[k]));
    double sum = 0;
    for (size_t k = 0; k < experts; ++k) {
      const double rate = Rate(k);
      out[k] = fastest > 0 ? (rate > 0 ? rate : fastest) * std::exp(rate * static_cast<double>(regret[k]) - most) : 1;
      sum += out[k];
    }
    for (size_t k = 0; k < experts; ++k) out[k] /= sum;
  }

 private:
  double Rate(size_t k) const {
    const double square = static_cast<double>(squares[k]);
    if (!(square > 0)) return 0;
    return std::min(1 / (2 * static_cast<double>(largest)),
                    std::sqrt(std::log(static_cast<double>(regret.size())) / square));
  }
};
using Boa = BasicBoa<double>;

}  // namespace tidecast
