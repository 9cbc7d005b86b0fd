#include "models/month_profile.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tidecast {
namespace {
constexpr double kForget = .97;        ///< a visit of the day
constexpr double kPriorVisits = 8;     ///< of no effect
constexpr double kNeighbour = .5;      ///< weight of the days before and after
constexpr double kSeries = 20;         ///< a round of few series says less
constexpr double kRatioMax = 6;        ///< value / scale counts as at most this much
constexpr double kLogMost = .5;        ///< of one day
constexpr double kWorthForget = .998;  ///< a round
constexpr double kWorthPrior = .1;     ///< squares of factors for a worth of 0
constexpr size_t kWorth = 2 * MonthProfile::kDays;

using Logs = std::array<double, MonthProfile::kDays>;

Logs LogsOf(std::span<const double> pooled) {
  constexpr size_t kDays = MonthProfile::kDays;
  Logs logs;
  double sum = 0, weights = 0;
  for (size_t at = 0; at < kDays; ++at) {
    const double* here = pooled.data() + 2 * at;
    const double* after = pooled.data() + 2 * ((at + 1) % kDays);
    const double* before = pooled.data() + 2 * ((at + kDays - 1) % kDays);
    logs[at] = (here[0] + kNeighbour * (after[0] + before[0])) /
               (kPriorVisits + here[1] + kNeighbour * (after[1] + before[1]));
    sum += here[1] * logs[at];
    weights += here[1];
  }
  const double mean = weights > 0 ? sum / weights : 0;
  for (double& log : logs) log -= mean;
  return logs;
}

double WorthOf(std::span<const double> pooled) {
  return std::clamp(pooled[kWorth] / (pooled[kWorth + 1] + kWorthPrior), 0.0, 1.0);
}

}  // namespace

size_t MonthProfile::DayOfMonth(int64_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  return static_cast<unsigned>(date.day()) - 1;
}

void MonthProfile::Gather(float actual, float expected, std::span<double> sums) {
  sums[0] += std::min(static_cast<double>(actual), kRatioMax);
  sums[1] += std::min(static_cast<double>(expected), kRatioMax);
  sums[2] += 1;
}

void MonthProfile::Fold(int64_t day, std::span<const double> sums, std::span<double> pooled) {
  if (!(sums[1] > 0)) return;
  const size_t at = DayOfMonth(day);
  const double log = LogsOf(pooled)[at];
  const double came =
      std::clamp(std::log(std::max(sums[0] / sums[1], .01)), -kLogMost, kLogMost) + WorthOf(pooled) * log;
  const double weight = sums[2] / (sums[2] + kSeries);
  pooled[kWorth] = kWorthForget * pooled[kWorth] + weight * log * came;
  pooled[kWorth + 1] = kWorthForget * pooled[kWorth + 1] + weight * log * log;
  pooled[2 * at] = kForget * pooled[2 * at] + weight * came;
  pooled[2 * at + 1] = kForget * pooled[2 * at + 1] + weight;
}

MonthProfile::Factors MonthProfile::FactorsOf(std::span<const double> pooled) {
  const double worth = WorthOf(pooled);
  const Logs logs = LogsOf(pooled);
  Factors factors;
  for (size_t at = 0; at < kDays; ++at) factors[at] = static_cast<float>(std::exp(worth * logs[at]));
  return factors;
}

}  // namespace tidecast
