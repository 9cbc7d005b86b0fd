#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tidecast {

/// What the day of the month does to demand (pay days, allowances): a factor by day for all series, learned from how
/// what came stood to what was expected one step ahead, drawn to 1 and raised to the power that such factors have been
/// worth. Their mean is 1: what all days have in common is the level's. Where months do not repeat themselves they are
/// worth nothing. For buckets of a day; of counts and amounts. Numbers: [day of the month: sum of logarithms, weight],
/// worth: products, squares. Thread: immutable.
class MonthProfile {
 public:
  static constexpr size_t kDays = 31;
  using Factors = std::array<float, kDays>;
  static constexpr size_t pooled_size() { return 2 * kDays + 2; }
  static constexpr size_t sums_size() { return 3; }
  /// Day of the month, from 0, of a day since 1970.
  static size_t DayOfMonth(int64_t day);
  /// A value and its one-step forecast, both in scales.
  static void Gather(float actual, float expected, std::span<double> sums);
  static void Fold(int64_t day, std::span<const double> sums, std::span<double> pooled);
  /// What forecasts are multiplied by, by day of the month.
  static Factors FactorsOf(std::span<const double> pooled);
};

}  // namespace tidecast
