#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/bucket_context.h"
#include "models/expert.h"
#include "models/horizon_plan.h"

namespace tidecast {

/// What the same weeks of last year say of the days ahead: by how much the pool rose from where it stood, 52 weeks ago,
/// times what such a rise has been worth at that horizon, which the pool learns by least squares. Shops of several
/// years have their Christmas so; where years do not repeat it is worth nothing. For buckets of a day or a week; of
/// counts and amounts. The pool's level is kept by date: the mean of value / scale of the day, without the season's
/// factor, times a chain of how the scales went. Numbers: [kDays: level (log), day + 1] by date, [kHistory: day + 1] by
/// slot of the bucket, the chain (log), [knot: rise last year x rise, rise last year squared].  Thread: immutable.
class YearIndex {
 public:
  static constexpr size_t pooled_size() { return 2 * kDays + kHistory + 1 + 2 * HorizonPlan::kKnotsMax; }
  static constexpr size_t sums_size() { return 3; }
  /// Local day that a bucket begins on, days since 1970.
  static int64_t LocalDay(const CalendarStep& step);
  /// Days of a bucket by the view's seasons: 1 where those are the open days of a week, 7 where the weeks of a year; 0:
  /// of others there is no index.
  static int64_t UnitOf(const std::vector<int>& seasons);
  /// Local day that a bucket of `unit` days begins on; nothing where the distance to the next one says that it is none.
  static std::optional<int64_t> DayOf(int64_t unit, const CalendarStep& step, const CalendarStep& next);
  /// A value of a day; the series's scale before and after it was taken in.
  static void Gather(float actual, float scale, float scale_after, std::span<double> sums);
  /// `factor`: the pool's seasonal one of that bucket. `plan`: at whose learned horizons a rise's worth is learned.
  static void Fold(int64_t unit, int64_t day, int64_t index, double factor, const HorizonPlan& plan,
                   std::span<const double> sums, std::span<double> pooled);
  /// What forecasts of `target` days since 1970 are multiplied by; 1 where nothing is known.
  static float Factor(std::span<const double> pooled, int64_t unit, int64_t origin, int64_t target,
                      const HorizonKnot& knot);
  /// A bucket whose day is not known.
  static void Forget(int64_t index, std::span<double> pooled);
  /// Day of one of the newest kHistory buckets. REQUIRES: it is one.
  static std::optional<int64_t> DayOfBucket(std::span<const double> pooled, int64_t index);
  static constexpr size_t kDays = 768;
};

}  // namespace tidecast
