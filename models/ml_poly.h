#pragma once

#include <algorithm>
#include <span>

namespace tidecast {

/// ML-Poly: weights of experts in proportion to learning rate times positive regret; the rates tune themselves.
/// regret_k += r_k;  1/rate_k += r_k^2 + (B' - B) with B' = max(B, max_j r_j^2);  weight_k ~ rate_k max(regret_k, 0).
/// Source: Gaillard, Stoltz & van Erven 2014, "A second-order bound with excess losses"; as in R's opera.
/// `Number` float for a series's own state, double for the pool's.  Thread: confined view over someone's numbers.
template <typename Number>
struct MlPoly {
  std::span<Number> regret;        ///< [experts]
  std::span<Number> inverse_rate;  ///< [experts]
  Number& largest;                 ///< B

  static constexpr size_t Size(size_t experts) { return 2 * experts + 1; }
  static MlPoly Over(std::span<Number> numbers, size_t experts) {
    return {numbers.subspan(0, experts), numbers.subspan(experts, experts), numbers[2 * experts]};
  }

  /// `r`: loss of the mixture minus loss of the expert; 0 for a sleeping one.
  template <typename Regret>
  void Learn(std::span<const Regret> r) {
    Number most = largest;
    for (const Regret value : r) most = std::max(most, static_cast<Number>(value * value));
    for (size_t k = 0; k < regret.size(); ++k) {
      regret[k] += static_cast<Number>(r[k]);
      inverse_rate[k] += static_cast<Number>(r[k] * r[k]) + (most - largest);
    }
    largest = most;
  }

  /// Weights that sum to 1; uniform as long as no regret is positive. Returns whether one was.
  template <typename Weight>
  bool Weights(std::span<Weight> out) const {
    Number sum = 0;
    for (size_t k = 0; k < regret.size(); ++k) {
      const Number weight = inverse_rate[k] > 0 ? std::max(regret[k], Number{0}) / inverse_rate[k] : Number{0};
      out[k] = static_cast<Weight>(weight);
      sum += weight;
    }
    if (!(sum > 0)) {
      for (Weight& weight : out) weight = Weight{1} / static_cast<Weight>(out.size());
      return false;
    }
    for (Weight& weight : out) weight = static_cast<Weight>(weight / sum);
    return true;
  }
};

}  // namespace tidecast
