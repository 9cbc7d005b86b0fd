#include "operators/trend_calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tidecast {
namespace {

constexpr double kKeep = .995;     // of a round's weight, a round later
constexpr double kPrior = 50;      // trends that say: as independent buckets, odds as they are
constexpr double kSpreadMax = 25;  // of one squared error over its variance: one burst is not the rule

double Logistic(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

void TrendCalibration::Sums::Add(const Sums& other) {
  const auto add = [](auto& to, const auto& from) {
    for (size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  };
  add(gradient, other.gradient);
  add(curvature, other.curvature);
  spread += other.spread;
  count += other.count;
  brier += other.brier;
  brier_base += other.brier_base;
  add(came, other.came);
  add(rose, other.rose);
}

void TrendCalibration::Sums::Encode(ByteWriter* out) const {
  out->Array<double>(gradient).Array<double>(curvature).F64(spread).F64(count).F64(brier).F64(brier_base);
  out->Array<double>(came).Array<double>(rose);
}

void TrendCalibration::Sums::Decode(ByteReader* in) {
  in->Array<double>(gradient);
  in->Array<double>(curvature);
  for (double* value : {&spread, &count, &brier, &brier_base}) *value = in->F64();
  in->Array<double>(came);
  in->Array<double>(rose);
}

void TrendCalibration::Gather(const MaturedTrend& matured, Sums* sums) const {
  const double odds = static_cast<double>(matured.log_odds);
  const double probability = Logistic(offset_ + slope_ * odds);
  const double outcome = matured.rose ? 1 : 0;
  const double weight = probability * (1 - probability);
  sums->gradient[0] += outcome - probability;
  sums->gradient[1] += (outcome - probability) * odds;
  sums->curvature[0] += weight;
  sums->curvature[1] += weight * odds;
  sums->curvature[2] += weight * odds * odds;
  const double error = static_cast<double>(matured.error);
  sums->spread += std::min(kSpreadMax, error * error / std::max(static_cast<double>(matured.variance), 1e-9));
  sums->count += 1;
  const size_t growth = static_cast<size_t>(matured.growth + 1);
  const double base = (rose_[growth] + 1) / (came_[growth] + 2);
  sums->brier += std::pow(static_cast<double>(matured.rise) - outcome, 2);
  sums->brier_base += std::pow(base - outcome, 2);
  sums->came[growth] += 1;
  sums->rose[growth] += outcome;
}

void TrendCalibration::Fold(const Sums& sums) {
  for (size_t i = 0; i < curvature_.size(); ++i) curvature_[i] = kKeep * curvature_[i] + sums.curvature[i];
  const double aa = curvature_[0] + kPrior / 4;
  const double bb = curvature_[2] + kPrior;
  const double determinant = aa * bb - curvature_[1] * curvature_[1];
  offset_ += (bb * sums.gradient[0] - curvature_[1] * sums.gradient[1]) / determinant;
  slope_ += (aa * sums.gradient[1] - curvature_[1] * sums.gradient[0]) / determinant;
  offset_ = std::clamp(offset_, -2.0, 2.0);
  slope_ = std::clamp(slope_, .2, 3.0);
  spread_ = kKeep * spread_ + sums.spread;
  spread_count_ = kKeep * spread_count_ + sums.count;
  count_ += sums.count;
  brier_ += sums.brier;
  brier_base_ += sums.brier_base;
  for (size_t i = 0; i < came_.size(); ++i) {
    came_[i] += sums.came[i];
    rose_[i] += sums.rose[i];
  }
}

double TrendCalibration::Inflation() const {
  return std::clamp((spread_ + kPrior) / (spread_count_ + kPrior), .25, 16.0);
}

double TrendCalibration::Calibrated(double log_odds) const { return Logistic(offset_ + slope_ * log_odds); }

TrendCalibration::Score TrendCalibration::score() const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  return {count_, count_ > 0 ? brier_ / count_ : none, count_ > 0 ? brier_base_ / count_ : none};
}

void TrendCalibration::Encode(ByteWriter* out) const {
  out->F64(offset_).F64(slope_).Array<double>(curvature_).F64(spread_).F64(spread_count_);
  out->F64(count_).F64(brier_).F64(brier_base_).Array<double>(came_).Array<double>(rose_);
}

void TrendCalibration::Decode(ByteReader* in) {
  offset_ = in->F64();
  slope_ = in->F64();
  in->Array<double>(curvature_);
  for (double* value : {&spread_, &spread_count_, &count_, &brier_, &brier_base_}) *value = in->F64();
  in->Array<double>(came_);
  in->Array<double>(rose_);
}

}  // namespace tidecast
