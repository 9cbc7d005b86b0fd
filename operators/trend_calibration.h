#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/core/status.h"
#include "state/key_codec.h"

namespace tidecast {

/// A trend whose horizon has passed: what was said, and what came.
struct MaturedTrend {
  float log_odds = 0;  ///< of a rise, before calibration
  float rise = .5F;    ///< as published
  float error = 0;     ///< actual sum - expected
  float variance = 1;  ///< of the sum, before inflation
  int8_t growth = 0;   ///< of the last horizon when it was said: -1, 0, 1
  uint8_t cell = 0;    ///< TrendCalibration::CellOf
  bool rose = false;
};

/// What a view's series have in common about their trends, in four cells (nothing sold last; sums that are small,
/// middling and large against their spread): how much wider sums spread than independent buckets would, and how odds of
/// a rise turn out (p' = logistic(a + b log odds), by online Newton steps, J. Platt 1999). Learns from one waiting
/// trend a series at a time, spread over the rounds. Also keeps the Brier score beside that of the last horizon's
/// growth, told by how often a rise followed a fall, a standstill and a rise; each outcome is scored before it is
/// learned. Thread: confined; const calls side by side.
class TrendCalibration {
 public:
  static constexpr size_t kCells = 4;
  /// Of moments as SumOf gives them.
  static uint8_t CellOf(double last, double mean, double variance);

  struct CellSums {
    std::array<double, 2> gradient{};
    std::array<double, 3> curvature{};  ///< aa, ab, bb
    double spread = 0;                  ///< sum of squared errors over variances
    double count = 0;
  };
  /// Gathered over the series of a round; added up in block order.
  struct Sums {
    std::array<CellSums, kCells> cells{};
    double brier = 0;
    double brier_base = 0;
    std::array<double, 3> came{}, rose{};  ///< by growth
    void Add(const Sums& other);
    void Encode(ByteWriter* out) const;
    void Decode(ByteReader* in);
  };
  void Gather(const MaturedTrend& matured, Sums* sums) const;
  void Fold(const Sums& sums);

  double Inflation(uint8_t cell) const;
  double Calibrated(uint8_t cell, double log_odds) const;

  struct Score {
    double count = 0;
    double brier = 0;  ///< NaN before anything has matured
    double brier_base = 0;
  };
  /// Since the view began.
  Score score() const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Cell {
    double offset = 0;  ///< a
    double slope = 1;   ///< b
    std::array<double, 3> curvature{};
    double spread = 0;
    double spread_count = 0;
  };
  std::array<Cell, kCells> cells_{};
  double count_ = 0;
  double brier_ = 0;
  double brier_base_ = 0;
  std::array<double, 3> came_{}, rose_{};
};

}  // namespace tidecast
