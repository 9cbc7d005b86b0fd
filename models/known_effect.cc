#include "models/known_effect.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "models/small_ridge.h"

namespace tidecast {
namespace {

constexpr size_t kWidthMax = 2 * KnownEffect::kColumnsMax;
constexpr float kLevelRate = .1F;
constexpr float kLevelWeightMin = .25F;  ///< the level has seen three buckets
constexpr float kExpectedMin = 1e-3F;    ///< scales: a level of long ago is no level
constexpr float kUsualRate = .01F;
constexpr float kMemory = .99F;     ///< of a series's normal equations, a bucket
constexpr double kOwnRidge = 5;     ///< squares of a regressor for the pool's coefficient
constexpr double kPoolMemory = .9;  ///< a round
constexpr double kPoolRidge = 4;    ///< squares of a regressor for a coefficient of 0
constexpr double kPoolSeries = 20;  ///< what moves one series on a day moves others: more count as so many
constexpr float kLogMost = 4;       ///< a factor lies within e^4
constexpr float kBend = .5F;        ///< of the response: 0 is the logarithm, without bound that of Poisson
constexpr float kBendOfUnit = 10;   ///< more where demand is a few units: many zeros have no logarithm
constexpr float kResponseMost = 2;
constexpr float kUnitsMost = 10;  ///< likewise, of things that sell seldom

constexpr double kFlagMemory = .998;      ///< a round
constexpr double kClosedShare = .02;      ///< of the buckets with demand that are to be expected
constexpr double kClosedExpectedMin = 8;  ///< of which so many are needed, before none says that it is closed
constexpr double kClosedRoundMost = 5;    ///< and a round, of however many series, counts as so many

}  // namespace

KnownEffect::KnownEffect(ValueDomain domain, size_t columns)
    : counts_(domain == ValueDomain::kCount),
      used_(domain == ValueDomain::kReal ? 0 : std::min(columns, kColumnsMax)),
      width_(2 * used_) {}

KnownEffect::Parts KnownEffect::PartsOf(std::span<float> state) const {
  float* at = state.data() + kHead;
  return {at, at + width_, at + 2 * width_, at + 3 * width_, at + 4 * width_};
}

bool KnownEffect::Closes(size_t column, float value, uint32_t closing) {
  return std::isfinite(value) && (closing >> (2 * column + (value > 0 ? 1 : 0)) & 1) != 0;
}

bool KnownEffect::Regressors(std::span<const float> known, const float* usual, float* out) const {
  bool all = true;
  for (size_t c = 0; c < used_; ++c) {
    const float value = known[c];
    if (std::isfinite(value)) {
      out[2 * c] = value > 0 ? std::log(std::max(value, 1e-6F)) : usual[2 * c];
      out[2 * c + 1] = value > 0 ? 1 : std::asinh(value);
    } else {
      std::copy_n(usual + 2 * c, 2, out + 2 * c);
      all = false;
    }
  }
  return all;
}

uint32_t KnownEffect::ClosingFlags(std::span<const double> pooled) const {
  uint32_t closing = 0;
  for (size_t flag = 0; flag < 2 * used_; ++flag) {
    const double* numbers = pooled.data() + FlagsAt() + 2 * flag;
    if (numbers[0] >= kClosedExpectedMin && numbers[1] <= kClosedShare * numbers[0]) closing |= 1U << flag;
  }
  return closing;
}

std::vector<double> KnownEffect::PooledCoefficients(std::span<const double> pooled) const {
  if (!any() || pooled[SeriesAt()] <= 0) return {};
  const double series = (1 - kPoolMemory) * pooled[SeriesAt()];
  const double share = (1 - kPoolMemory) * std::min(series, kPoolSeries) / series;
  SmallRidge<kWidthMax> ridge(width_);
  ridge.Add(pooled.data(), share);
  std::vector<double> coefficients(width_);
  for (size_t a = 0; a < width_; ++a) coefficients[a] = share * pooled[Triangle() + a];
  ridge.Solve(kPoolRidge, coefficients);
  return coefficients;
}

float KnownEffect::LogOf(const float* x, std::span<const float> state) const {
  const float* slope = UsualOf(state) + width_;
  float log = state[kConstant];
  for (size_t a = 0; a < width_; ++a) log += slope[a] * x[a];
  return std::clamp(log, -kLogMost, kLogMost);
}

float KnownEffect::Of(std::span<const float> known, std::span<const float> state, uint32_t closing) const {
  if (!any()) return 1;
  for (size_t c = 0; closing != 0 && c < used_; ++c) {
    if (Closes(c, known[c], closing)) return 0;
  }
  std::array<float, kWidthMax> x;
  Regressors(known, UsualOf(state), x.data());
  return std::exp(LogOf(x.data(), state));
}

float KnownEffect::OfUsual(std::span<const float> state) const {
  return any() ? std::exp(LogOf(UsualOf(state), state)) : 1;
}

void KnownEffect::Logs(std::span<const float> known, std::span<const float> state, uint32_t closing,
                       std::span<float> logs) const {
  std::fill(logs.begin(), logs.end(), 0.0F);
  bool closed = false;
  for (size_t c = 0; c < used_; ++c) {
    if (!Closes(c, known[c], closing)) continue;
    logs[c] = 1;
    closed = true;
  }
  if (!any() || closed) return;
  const float* usual = UsualOf(state);
  const float* slope = usual + width_;
  std::array<float, kWidthMax> x;
  Regressors(known, usual, x.data());
  for (size_t a = 0; a < width_; ++a) logs[a / 2] += slope[a] * (x[a] - usual[a]);
}

void KnownEffect::Learn(std::span<const float> known, float demand, float season, float scale,
                        std::span<const double> shared, std::span<float> state) const {
  const auto [mean, usual, slope, products, squares] = PartsOf(state);
  std::array<float, kWidthMax> x;
  if (!any() || !std::isfinite(demand) || !Regressors(known, usual, x.data())) return;
  const bool is_first = state[kBuckets] == 0;
  for (size_t a = 0; a < width_; ++a) {
    // A price that comes later begins as usual: its column was not positive yet.
    const bool is_new = is_first || (a % 2 == 0 && usual[a] == 0 && usual[a + 1] <= 0);
    if (!is_new) continue;
    state[kConstant] -= slope[a] * (x[a] - usual[a]);
    mean[a] = usual[a] = x[a];
  }
  float log = 0;
  for (size_t a = 0; a < width_; ++a) log += slope[a] * (x[a] - mean[a]);
  log = std::clamp(log, -kLogMost, kLogMost);
  const float factor = season * std::exp(log);
  if (state[kLevelWeight] >= kLevelWeightMin) {
    const float expected = std::max(state[kDemand] / state[kExpected] * factor, kExpectedMin * scale);
    const float bend = counts_ ? kBend + kBendOfUnit / scale : kBend;
    const float most = counts_ ? kResponseMost + kUnitsMost / expected : kResponseMost;
    const float surprise = (1 + bend) * std::log((demand / expected + bend) / (1 + bend));
    const float response = std::min(surprise, most) + log;
    const float poisson = std::pow(std::clamp(expected / scale, .02F, 20.0F), bend / (1 + bend));
    const float weight = counts_ ? poisson * scale / (scale + 1) : poisson;  // a count of one says little of its rate
    for (size_t a = 0, at = 0; a < width_; ++a) {
      const float moved = weight * (x[a] - mean[a]);
      for (size_t b = 0; b <= a; ++b, ++at) squares[at] = kMemory * squares[at] + moved * (x[b] - mean[b]);
      products[a] = kMemory * products[a] + moved * response;
    }
  }
  state[kLevelWeight] += kLevelRate * (1 - state[kLevelWeight]);
  state[kDemand] += kLevelRate * (demand - state[kDemand]);
  state[kExpected] += kLevelRate * (factor - state[kExpected]);
  // The mean that the level is orthogonal to; what is expected is told from there on.
  const float share = std::min(kLevelRate * factor / state[kExpected], 1.0F);
  float shift = 0;
  for (size_t a = 0; a < width_; ++a) {
    const float step = share * (x[a] - mean[a]);
    mean[a] += step;
    shift += slope[a] * step;
  }
  state[kExpected] = std::clamp(state[kExpected] * std::exp(std::clamp(-shift, -kLogMost, kLogMost)), 1e-6F, 1e6F);
  state[kBuckets] = std::min(state[kBuckets] + 1, 1e6F);
  const float rate = std::max(kUsualRate, 1 / state[kBuckets]);
  for (size_t a = 0; a < width_; ++a) usual[a] += rate * (x[a] - usual[a]);

  if (shared.empty()) return;
  SmallRidge<kWidthMax> ridge(width_);
  ridge.Add(squares, 1.0);
  std::array<double, kWidthMax> solved;
  for (size_t a = 0; a < width_; ++a) solved[a] = kOwnRidge * shared[a] + static_cast<double>(products[a]);
  ridge.Solve(kOwnRidge, std::span(solved).first(width_));
  for (size_t a = 0; a < width_; ++a) {
    const float before = slope[a];
    if (std::isfinite(solved[a])) slope[a] = static_cast<float>(std::clamp(solved[a], -20.0, 20.0));
    state[kConstant] += (before - slope[a]) * mean[a];
  }
}

void KnownEffect::Gather(std::span<const float> known, float actual, float sells, std::span<const float> state,
                         std::span<double> sums) const {
  if (!any() || !std::isfinite(actual)) return;
  const float* products = UsualOf(state) + 2 * width_;
  const float* squares = products + width_;
  for (size_t at = 0; at < Triangle(); ++at) sums[at] += static_cast<double>(squares[at]);
  for (size_t a = 0; a < width_; ++a) sums[Triangle() + a] += static_cast<double>(products[a]);
  sums[SeriesAt()] += 1;
  for (size_t c = 0; c < used_; ++c) {
    if (!std::isfinite(known[c])) continue;
    double* flag = sums.data() + FlagsAt() + kFlagNumbers * c + (known[c] > 0 ? 2 : 0);
    flag[0] += static_cast<double>(sells);
    flag[1] += actual > 0 ? 1 : 0;
  }
}

void KnownEffect::Fold(std::span<const double> sums, std::span<double> pooled) const {
  if (!any() || sums[SeriesAt()] <= 0) return;
  for (size_t at = 0; at < FlagsAt(); ++at) pooled[at] = kPoolMemory * pooled[at] + sums[at];
  for (size_t at = FlagsAt(); at < pooled.size(); at += 2) {
    const double share = sums[at] > kClosedRoundMost ? kClosedRoundMost / sums[at] : 1;
    for (size_t i = 0; i < 2; ++i) pooled[at + i] = kFlagMemory * pooled[at + i] + share * sums[at + i];
  }
}

}  // namespace tidecast
