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

uint8_t TrendCalibration::CellOf(double last, double mean, double variance) {
  if (last == 0) return 0;
  const double shape = mean * mean / std::max(variance, 1e-12);
  return shape < 1 ? 1 : shape < 4 ? 2 : 3;
}

void TrendCalibration::Sums::Add(const Sums& other) {
  const auto add = [](auto& to, const auto& from) {
    for (size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  };
  for (size_t c = 0; c < kCells; ++c) {
    add(cells[c].gradient, other.cells[c].gradient);
    add(cells[c].curvature, other.cells[c].curvature);
    cells[c].spread += other.cells[c].spread;
    cells[c].count += other.cells[c].count;
  }
  brier += other.brier;
  brier_base += other.brier_base;
  add(came, other.came);
  add(rose, other.rose);
}

void TrendCalibration::Sums::Encode(ByteWriter* out) const {
  for (const CellSums& cell : cells) {
    out->Array<double>(cell.gradient).Array<double>(cell.curvature).F64(cell.spread).F64(cell.count);
  }
  out->F64(brier).F64(brier_base).Array<double>(came).Array<double>(rose);
}

void TrendCalibration::Sums::Decode(ByteReader* in) {
  for (CellSums& cell : cells) {
    in->Array<double>(cell.gradient);
    in->Array<double>(cell.curvature);
    for (double* value : {&cell.spread, &cell.count}) *value = in->F64();
  }
  for (double* value : {&brier, &brier_base}) *value = in->F64();
  in->Array<double>(came);
  in->Array<double>(rose);
}

void TrendCalibration::Gather(const MaturedTrend& matured, Sums* sums) const {
  CellSums& cell = sums->cells[matured.cell];
  const double odds = static_cast<double>(matured.log_odds);
  const double probability = Calibrated(matured.cell, odds);
  const double outcome = matured.rose ? 1 : 0;
  const double weight = probability * (1 - probability);
  cell.gradient[0] += outcome - probability;
  cell.gradient[1] += (outcome - probability) * odds;
  cell.curvature[0] += weight;
  cell.curvature[1] += weight * odds;
  cell.curvature[2] += weight * odds * odds;
  const double error = static_cast<double>(matured.error);
  cell.spread += std::min(kSpreadMax, error * error / std::max(static_cast<double>(matured.variance), 1e-9));
  cell.count += 1;
  const size_t growth = static_cast<size_t>(matured.growth + 1);
  const double base = (rose_[growth] + 1) / (came_[growth] + 2);
  sums->brier += std::pow(static_cast<double>(matured.rise) - outcome, 2);
  sums->brier_base += std::pow(base - outcome, 2);
  sums->came[growth] += 1;
  sums->rose[growth] += outcome;
}

void TrendCalibration::Fold(const Sums& sums) {
  for (size_t c = 0; c < kCells; ++c) {
    Cell& cell = cells_[c];
    const CellSums& came = sums.cells[c];
    for (size_t i = 0; i < cell.curvature.size(); ++i)
      cell.curvature[i] = kKeep * cell.curvature[i] + came.curvature[i];
    const double aa = cell.curvature[0] + kPrior / 4;
    const double bb = cell.curvature[2] + kPrior;
    const double ab = cell.curvature[1];
    const double determinant = aa * bb - ab * ab;
    cell.offset += (bb * came.gradient[0] - ab * came.gradient[1]) / determinant;
    cell.slope += (aa * came.gradient[1] - ab * came.gradient[0]) / determinant;
    cell.offset = std::clamp(cell.offset, -3.0, 3.0);
    cell.slope = std::clamp(cell.slope, .1, 3.0);
    cell.spread = kKeep * cell.spread + came.spread;
    cell.spread_count = kKeep * cell.spread_count + came.count;
    count_ += came.count;
  }
  brier_ += sums.brier;
  brier_base_ += sums.brier_base;
  for (size_t i = 0; i < came_.size(); ++i) {
    came_[i] += sums.came[i];
    rose_[i] += sums.rose[i];
  }
}

double TrendCalibration::Inflation(uint8_t cell) const {
  return std::clamp((cells_[cell].spread + kPrior) / (cells_[cell].spread_count + kPrior), .25, 16.0);
}

double TrendCalibration::Calibrated(uint8_t cell, double log_odds) const {
  return Logistic(cells_[cell].offset + cells_[cell].slope * log_odds);
}

TrendCalibration::Score TrendCalibration::score() const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  return {count_, count_ > 0 ? brier_ / count_ : none, count_ > 0 ? brier_base_ / count_ : none};
}

void TrendCalibration::Encode(ByteWriter* out) const {
  for (const Cell& cell : cells_) {
    out->F64(cell.offset).F64(cell.slope).Array<double>(cell.curvature).F64(cell.spread).F64(cell.spread_count);
  }
  out->F64(count_).F64(brier_).F64(brier_base_).Array<double>(came_).Array<double>(rose_);
}

void TrendCalibration::Decode(ByteReader* in) {
  for (Cell& cell : cells_) {
    for (double* value : {&cell.offset, &cell.slope}) *value = in->F64();
    in->Array<double>(cell.curvature);
    for (double* value : {&cell.spread, &cell.spread_count}) *value = in->F64();
  }
  for (double* value : {&count_, &brier_, &brier_base_}) *value = in->F64();
  in->Array<double>(came_);
  in->Array<double>(rose_);
}

}  // namespace tidecast
