#include "models/own_mean_weights.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/core/check.h"
#include "models/boa.h"
#include "models/mix_rules.h"

namespace tidecast {
namespace {

constexpr size_t kExpertsMax = MixRules::kExpertsMax;
constexpr double kErrorsMax = 5;   ///< root mean squared errors that one error counts for at most
constexpr float kLabelsMax = 100;  ///< labels that the mean squared error is over

}  // namespace

size_t OwnMeanWeights::PlaceOf(int horizon) const {
  const auto beyond = std::upper_bound(horizons_.begin(), horizons_.end(), horizon);
  TC_CHECK(beyond != horizons_.begin(), "horizons begin at 1");
  return static_cast<size_t>(beyond - horizons_.begin()) - 1;
}

void OwnMeanWeights::Weights(size_t place, std::span<const float> state, std::span<const float> prior,
                             std::span<const uint8_t> awake, std::span<float> out) const {
  TC_CHECK_LE(experts_, kExpertsMax);
  const std::span<const float> numbers = state.subspan(place * Numbers(), BasicBoa<float>::Size(experts_));
  std::array<double, kExpertsMax> weights;
  // BasicBoa is a view for both uses; Weights alone does not write.
  BasicBoa<float>::Over({const_cast<float*>(numbers.data()), numbers.size()}, experts_, 1)
      .Weights(std::span(weights).first(experts_));
  double sum = 0;
  for (size_t k = 0; k < experts_; ++k) {
    weights[k] = awake[k] != 0 ? weights[k] * static_cast<double>(prior[k]) : 0;
    sum += weights[k];
  }
  // Where all that are awake have been found useless: as the prior has it.
  const bool any = sum > 1e-300;
  if (!any) sum = 0;
  for (size_t k = 0; k < experts_ && !any; ++k) {
    weights[k] = awake[k] != 0 ? static_cast<double>(prior[k]) : 0;
    sum += weights[k];
  }
  for (size_t k = 0; k < experts_; ++k) out[k] = sum > 0 ? static_cast<float>(weights[k] / sum) : 0;
}

void OwnMeanWeights::Gather(size_t place, float actual, float mean, std::span<const float> means,
                            std::span<const uint8_t> awake, std::span<float> regrets) const {
  float* row = regrets.data() + place * (experts_ + 1);
  for (size_t k = 0; k < experts_; ++k) row[k] = awake[k] != 0 ? mean - means[k] : 0;
  row[experts_] = mean - actual;
}

void OwnMeanWeights::Learn(std::span<const float> regrets, std::span<float> state) const {
  std::array<float, kExpertsMax> r;
  for (size_t place = 0; place < horizons_.size(); ++place) {
    const float* row = regrets.data() + place * (experts_ + 1);
    const double error = static_cast<double>(row[experts_]);
    if (error == 0 || !std::isfinite(error)) continue;
    const std::span<float> cell = state.subspan(place * Numbers(), Numbers());
    float& root = cell[Numbers() - 2];
    float& labels = cell[Numbers() - 1];
    labels = std::min(labels + 1, kLabelsMax);
    const double square = static_cast<double>(root) * root;
    root = static_cast<float>(std::sqrt(square + (error * error - square) / static_cast<double>(labels)));
    if (!(root > 0)) continue;
    const double unit = 1 / static_cast<double>(root);
    const double slope = 2 * std::clamp(error * unit, -kErrorsMax, kErrorsMax);
    for (size_t k = 0; k < experts_; ++k) {
      r[k] = static_cast<float>(slope * std::clamp(static_cast<double>(row[k]) * unit, -kErrorsMax, kErrorsMax));
    }
    BasicBoa<float> rule = BasicBoa<float>::Over(cell.first(BasicBoa<float>::Size(experts_)), experts_, 1);
    rule.overlap = horizons_[place];
    rule.Learn(std::span<const float>(r.data(), experts_));
  }
}

}  // namespace tidecast
