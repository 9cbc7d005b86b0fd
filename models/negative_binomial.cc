// Quantiles by walking the probabilities up from zero:
//   p(0) = (1 + a m)^(-1/a),  p(k+1) = p(k) (k + 1/a) / (k + 1) * a m / (1 + a m);  Poisson as a -> 0.
#include "models/negative_binomial.h"

#include <algorithm>
#include <cmath>

#include "engine/core/check.h"

namespace tidecast {
namespace {

constexpr double kExactMeanMax = 200;
constexpr double kDispersionMin = 1e-6;
constexpr int kWalkMax = 20000;

/// Walks P(Y = 0), P(Y = 1), ...
class Walk {
 public:
  explicit Walk(const NegativeBinomial& d) : mean_(std::max(d.mean, 0.0)), dispersion_(std::max(d.dispersion, 0.0)) {
    poisson_ = dispersion_ < kDispersionMin;
    size_ = poisson_ ? 0 : 1 / dispersion_;
    odds_ = poisson_ ? 0 : dispersion_ * mean_ / (1 + dispersion_ * mean_);
    probability_ = poisson_ ? std::exp(-mean_) : std::exp(-size_ * std::log1p(dispersion_ * mean_));
  }
  double probability() const { return probability_; }
  void Next(double count) { probability_ *= poisson_ ? mean_ / (count + 1) : (count + size_) / (count + 1) * odds_; }

 private:
  double mean_, dispersion_, size_ = 0, odds_ = 0, probability_ = 0;
  bool poisson_ = false;
};

double GammaQuantile(double level, double mean, double variance) {
  const double shape = mean * mean / variance;
  const double ninth = 1 / (9 * shape);
  const double root = 1 - ninth + NormalQuantile(level) * std::sqrt(ninth);
  return mean * std::max(0.0, root * root * root);
}

}  // namespace

double NegativeBinomial::ZeroProbability() const { return Walk(*this).probability(); }

double NegativeBinomial::Cdf(double count) const {
  if (count < 0) return 0;
  Walk walk(*this);
  double sum = walk.probability();
  const double last = std::min(std::floor(count), static_cast<double>(kWalkMax));
  for (double k = 0; k < last; ++k) {
    walk.Next(k);
    sum += walk.probability();
  }
  return std::min(sum, 1.0);
}

void NegativeBinomial::Cdf(std::span<const float> counts, std::span<double> probabilities) const {
  TC_CHECK_EQ(counts.size(), probabilities.size());
  Walk walk(*this);
  double sum = walk.probability();
  double k = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double last = std::min(std::floor(static_cast<double>(counts[i])), static_cast<double>(kWalkMax));
    // Past the mean, what is too small to change the sum once is so for ever.
    for (; k < last && !(k > mean && walk.probability() < 1e-17 && sum > .5); ++k) {
      walk.Next(k);
      sum += walk.probability();
    }
    probabilities[i] = counts[i] < 0 ? 0 : std::min(sum, 1.0);
  }
}

void NegativeBinomial::Quantiles(std::span<const float> levels, std::span<float> counts) const {
  TC_CHECK_EQ(levels.size(), counts.size());
  if (mean > kExactMeanMax) {
    for (size_t i = 0; i < levels.size(); ++i) {
      counts[i] = static_cast<float>(GammaQuantile(levels[i], mean, mean + dispersion * mean * mean));
    }
    return;
  }
  Walk walk(*this);
  double sum = walk.probability();
  int k = 0;
  for (size_t i = 0; i < levels.size(); ++i) {
    // Levels are floats: .1F stands for .1, so a sum that reaches the level within its rounding has reached it.
    const double level = static_cast<double>(levels[i]) - 1e-7;
    while (sum < level && k < kWalkMax) {
      walk.Next(k);
      ++k;
      sum += walk.probability();
    }
    counts[i] = static_cast<float>(k);
  }
}

double NegativeBinomial::Quantile(double level) const {
  const float one = static_cast<float>(level);
  float count = 0;
  Quantiles({&one, 1}, {&count, 1});
  return count;
}

double NormalQuantile(double level) {
  static constexpr double kA[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                                  1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  static constexpr double kB[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                                  6.680131188771972e+01, -1.328068155288572e+01};
  static constexpr double kC[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                                  -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  static constexpr double kD[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                                  3.754408661907416e+00};
  TC_CHECK(level > 0 && level < 1, "level {}", level);
  const auto tail = [](double p) {
    const double q = std::sqrt(-2 * std::log(p));
    return (((((kC[0] * q + kC[1]) * q + kC[2]) * q + kC[3]) * q + kC[4]) * q + kC[5]) /
           ((((kD[0] * q + kD[1]) * q + kD[2]) * q + kD[3]) * q + 1);
  };
  if (level < 0.02425) return tail(level);
  if (level > 1 - 0.02425) return -tail(1 - level);
  const double q = level - 0.5;
  const double r = q * q;
  return (((((kA[0] * r + kA[1]) * r + kA[2]) * r + kA[3]) * r + kA[4]) * r + kA[5]) * q /
         (((((kB[0] * r + kB[1]) * r + kB[2]) * r + kB[3]) * r + kB[4]) * r + 1);
}

}  // namespace tidecast
