#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "models/boa.h"
#include "models/ml_poly.h"

namespace tidecast {

/// Several rules of weighing the same experts, and a second level that weighs the rules: ML-Poly finds mixtures better
/// than any member, BOA leaves bad members sooner, BOA with a memory of about 50 rounds follows a changing season.
/// Regrets are linear in the weights, so a rule's own regrets follow from the experts' and its weights.
/// Numbers of a cell: [ML-Poly][BOA][BOA with memory][BOA over the rules].  Thread: confined view.
class MixRules {
 public:
  static constexpr size_t kExpertsMax = 32;
  static constexpr size_t kRules = 3;
  static constexpr size_t Size(size_t experts) {
    return MlPoly<double>::Size(experts) + 2 * Boa::Size(experts) + Boa::Size(kRules);
  }

  /// `prior` [experts], sum 1: where every rule begins, and BOA's rules lean to for good; empty: all alike.
  MixRules(std::span<double> numbers, size_t experts, std::span<const float> prior = {})
      : experts_(experts), numbers_(numbers), prior_(prior) {}

  /// `r` [experts]: loss of the mixture that was used minus loss of the expert; 0 for a sleeping one.
  void Learn(std::span<const double> r) {
    Table weights;
    RuleWeights(&weights);
    std::array<double, kRules> of_rules{};
    for (size_t j = 0; j < kRules; ++j) {
      for (size_t k = 0; k < experts_; ++k) of_rules[j] += weights[j][k] * r[k];
    }
    Top().Learn(of_rules);
    std::array<double, kExpertsMax> own;
    for (size_t j = 0; j < kRules; ++j) {
      for (size_t k = 0; k < experts_; ++k) own[k] = r[k] - of_rules[j];
      const std::span<const double> regrets(own.data(), experts_);
      if (j == 0) {
        Poly().Learn(regrets);
      } else {
        Exponential(j).Learn(regrets);
      }
    }
  }

  void Weights(std::span<float> out) const {
    Table weights;
    RuleWeights(&weights);
    std::array<double, kRules> top;
    Top().Weights(top);
    for (size_t k = 0; k < experts_; ++k) {
      double sum = 0;
      for (size_t j = 0; j < kRules; ++j) sum += top[j] * weights[j][k];
      out[k] = static_cast<float>(sum);
    }
  }

 private:
  using Table = std::array<std::array<double, kExpertsMax>, kRules>;
  static constexpr double kMemory = .98;

  MlPoly<double> Poly() const { return MlPoly<double>::Over(numbers_.first(MlPoly<double>::Size(experts_)), experts_); }
  Boa Exponential(size_t rule) const {
    const size_t at = MlPoly<double>::Size(experts_) + (rule - 1) * Boa::Size(experts_);
    return Boa::Over(numbers_.subspan(at, Boa::Size(experts_)), experts_, rule == 1 ? 1.0 : kMemory);
  }
  Boa Top() const { return Boa::Over(numbers_.last(Boa::Size(kRules)), kRules, kMemory); }
  void RuleWeights(Table* weights) const {
    const bool earned = Poly().Weights(std::span<double>((*weights)[0].data(), experts_));
    for (size_t j = 1; j < kRules; ++j) Exponential(j).Weights(std::span<double>((*weights)[j].data(), experts_));
    if (prior_.empty()) return;
    if (!earned) std::copy(prior_.begin(), prior_.end(), (*weights)[0].begin());
    for (size_t j = 1; j < kRules; ++j) {
      double sum = 0;
      for (size_t k = 0; k < experts_; ++k) sum += (*weights)[j][k] *= static_cast<double>(prior_[k]);
      for (size_t k = 0; k < experts_; ++k) (*weights)[j][k] /= sum;
    }
  }

  size_t experts_;
  std::span<double> numbers_;
  std::span<const float> prior_;
};

}  // namespace tidecast
