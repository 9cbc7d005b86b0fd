#include "operators/pool_choice.h"

#include <algorithm>
#include <cmath>

#include "models/expert.h"
#include "operators/series_table.h"

namespace tidecast {
namespace {

constexpr int kDay = 24;  ///< steps: what the regressions by the hour ask for
constexpr double kLevelStepMax = .05;
constexpr size_t kLevelStepsMin = 20;
constexpr double kLoadStepMax = .15;
constexpr double kLoadZerosMax = .01;

/// Of a series by the pool of hourly reals; measured to a few per cent (models/README.md).
size_t LoadBytes(int horizon) { return 1900 * (20 + static_cast<size_t>(horizon)); }

/// How a series moved: each value that has one before it, and the way there.
struct Movement {
  double steps = 0, sum = 0;
  size_t count = 0, values = 0, zeros = 0;
  double Step() const { return steps / sum; }
};

Movement MovementOf(const SeriesTable& table, size_t series, size_t from, size_t to) {
  Movement movement;
  double last = 0;
  for (size_t t = from; t < std::min(to, table.buckets()); ++t) {
    const double y = static_cast<double>(table.Actual(series, t));
    if (!std::isfinite(y)) continue;
    movement.zeros += y == 0 ? 1 : 0;
    if (++movement.values > 1) {
      movement.steps += std::fabs(y - last);
      movement.sum += y;
      ++movement.count;
    }
    last = y;
  }
  return movement;
}

}  // namespace

bool AreLoads(double zeros, double step_sum, size_t judged) {
  return judged > 0 && zeros <= kLoadZerosMax && step_sum <= kLoadStepMax * static_cast<double>(judged);
}

bool AreForecastAsReals(const SeriesTable& table, ValueDomain domain, int horizon, size_t from, size_t to) {
  if (domain == ValueDomain::kReal) return false;
  bool levels = domain == ValueDomain::kNonNegative;
  double step_sum = 0, zeros = 0, values = 0;
  size_t judged = 0;
  for (size_t s = 0; s < table.names.size(); ++s) {
    const Movement movement = MovementOf(table, s, from, to);
    levels = levels && movement.zeros == 0 && movement.count >= kLevelStepsMin &&
             movement.steps <= kLevelStepMax * movement.sum;
    zeros += static_cast<double>(movement.zeros);
    values += static_cast<double>(movement.values);
    if (movement.count < kLoadStepsMin || !(movement.sum > 0)) continue;
    step_sum += movement.Step();
    ++judged;
  }
  if (levels && !table.names.empty()) return true;
  const auto& seasons = table.season_lengths;
  const bool by_hour = std::find(seasons.begin(), seasons.end(), kDay) != seasons.end();
  const bool fits = horizon + 2 * kDay <= kHistory && table.names.size() * LoadBytes(horizon) <= kLoadBytesMax;
  return by_hour && fits && values > 0 && AreLoads(zeros / values, step_sum, judged);
}

}  // namespace tidecast
