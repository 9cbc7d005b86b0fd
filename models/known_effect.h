#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/core/forecast.h"

namespace tidecast {

/// What the columns known ahead (price, promotion, holiday, open) do to demand: a factor for each bucket, by which all
/// that is learned of counts and amounts is divided, and all that is forecast is multiplied. So every expert, mixture
/// and band knows a promotion, and not one of them alone.
/// The factor is log-linear in two regressors a column, the logarithm of its positive part (an elasticity) and whether
/// it is positive (a factor). Its unit is that of the series's first bucket; where coefficients move it moves least
/// about the columns of late, so that what is kept in such units stays as it is. It is a regression about a moving
/// level, one step of iterated least squares a bucket, whose response lies between that of logarithms (heavy tails)
/// and, of counts, that of Poisson (many zeros). A series's coefficients are drawn to the pool's, and those to 0. Where
/// a column's flag leaves next to nothing of the buckets in which the same series usually sell (a closed shop), the
/// factor is 0, and such buckets teach nothing.
/// A series's numbers: discounted demand and what the factors let expect of it, weight of these, buckets, the factor of
/// the published forecast, the constant; by regressor: mean of the level's time, usual value, coefficient, products;
/// their squares. The pool's: the sums of products and squares of the series, and their number; by column and flag:
/// buckets with demand to be expected, those that had any.  Thread: immutable.
class KnownEffect {
 public:
  static constexpr size_t kColumnsMax = 8;  ///< columns beyond are left out
  /// `columns` in a row of known values; 0, or reals: no effect, no numbers.
  KnownEffect(ValueDomain domain, size_t columns);
  bool any() const { return used_ > 0; }
  size_t state_floats() const { return any() ? kHead + 4 * width_ + Triangle() : 0; }
  size_t pooled_size() const { return any() ? FlagsAt() + kFlagNumbers * used_ : 0; }
  size_t sums_size() const { return pooled_size(); }

  /// A bit for each flag of a column that means closed: number 2 x column for not positive, the next for positive.
  uint32_t ClosingFlags(std::span<const double> pooled) const;
  /// The pool's coefficients [2 x columns used]: elasticity and log factor of each; empty before there is one.
  std::vector<double> PooledCoefficients(std::span<const double> pooled) const;

  /// The factor of a bucket; 0: closed. `known` [columns]; NaN = not known: as usual.
  float Of(std::span<const float> known, std::span<const float> state, uint32_t closing) const;
  /// The factor of a bucket whose columns are as usual.
  float OfUsual(std::span<const float> state) const;
  /// Logarithms of Of / OfUsual by column [columns]. Of a closed bucket 1 for each column that closes it.
  void Logs(std::span<const float> known, std::span<const float> state, uint32_t closing, std::span<float> logs) const;
  /// The factor that the newest published one-step forecast was made with. REQUIRES: there is one.
  float Published(std::span<const float> state) const { return any() ? state[kPublished] : 1; }
  void SetPublished(float factor, std::span<float> state) const {
    if (any()) state[kPublished] = factor;
  }

  /// Takes a bucket in that was not closed. `demand` in target units, NaN = missing; `season`: the pool's seasonal
  /// factor; `scale` of the series; `shared`: PooledCoefficients.
  void Learn(std::span<const float> known, float demand, float season, float scale, std::span<const double> shared,
             std::span<float> state) const;
  /// What the pool takes from a series, before Learn. `actual`: NaN = missing; `sells`: share of the series's buckets
  /// that have demand.
  void Gather(std::span<const float> known, float actual, float sells, std::span<const float> state,
              std::span<double> sums) const;
  void Fold(std::span<const double> sums, std::span<double> pooled) const;

 private:
  enum Head : size_t { kDemand, kExpected, kLevelWeight, kBuckets, kPublished, kConstant, kHead };
  static constexpr size_t kFlagNumbers = 4;
  struct Parts {  ///< of a series's numbers, [width] each, squares [Triangle()]
    float *mean, *usual, *slope, *products, *squares;
  };
  size_t Triangle() const { return width_ * (width_ + 1) / 2; }
  size_t SeriesAt() const { return Triangle() + width_; }
  size_t FlagsAt() const { return SeriesAt() + 1; }
  Parts PartsOf(std::span<float> state) const;
  const float* UsualOf(std::span<const float> state) const { return state.data() + kHead + width_; }
  static bool Closes(size_t column, float value, uint32_t closing);
  /// Regressors of a row: those of an unknown column and the logarithm of what is not positive as usual. False where a
  /// column is not known.
  bool Regressors(std::span<const float> known, const float* usual, float* out) const;
  float LogOf(const float* x, std::span<const float> state) const;
  bool counts_;
  size_t used_;   ///< columns
  size_t width_;  ///< regressors
};

}  // namespace tidecast
