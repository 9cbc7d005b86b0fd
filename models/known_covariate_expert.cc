#include "models/known_covariate_expert.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/core/check.h"
#include "models/small_ridge.h"

namespace tidecast {
namespace {

constexpr size_t kWidthMax = 2 * KnownCovariateExpert::kColumnsMax;
constexpr float kLevelRate = .1F;
constexpr float kOwnMemory = .99F;       ///< of the series's normal equations, a bucket
constexpr double kPooledMemory = .9;     ///< of the pool's, a round
constexpr double kPoolBuckets = 10;      ///< weight of the pool's coefficients in the series's
constexpr double kRidge = 1e-4;          ///< of a regressor's square, a bucket
constexpr float kOffset = .1F;           ///< scales added to demand before the logarithm: of 0 there is none
constexpr float kLogStepMax = 4;         ///< a forecast lies within e^4 of the scale
constexpr float kLevelWeightMin = .25F;  ///< awake when the level has seen three buckets

}  // namespace

KnownCovariateExpert::KnownCovariateExpert(ValueDomain domain, size_t columns)
    : PointExpert("known_covariates", domain),
      columns_(columns),
      used_(std::min(columns, kColumnsMax)),
      width_(2 * used_) {}

bool KnownCovariateExpert::Regressors(std::span<const float> known, size_t series, float* out) const {
  for (size_t c = 0; c < used_; ++c) {
    const float value = known[series * columns_ + c];
    if (!std::isfinite(value)) return false;
    out[2 * c] = value > 0 ? std::log(std::max(value, 1e-6F)) : 0;
    out[2 * c + 1] = value > 0 ? 1 : std::asinh(value);
  }
  return true;
}

void KnownCovariateExpert::StartPooled(std::span<double> pooled) const {
  PointExpert::StartPooled(pooled.first(PointExpert::pooled_size()));
  std::fill(pooled.begin() + static_cast<ptrdiff_t>(PointExpert::pooled_size()), pooled.end(), 0.0);
}

void KnownCovariateExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  const float inverse = block.inverse_factor[HistorySlot(block.index)];
  std::array<float, kWidthMax> x;
  for (size_t i = 0; i < block.series; ++i) {
    if (!std::isfinite(block.actual[i]) || !Regressors(block.known, i, x.data())) continue;
    float* state = states.data() + i * state_floats();
    float& level = state[0];
    float& weight = state[1];
    float& count = state[2];
    float* mean = state + 3;
    float* squares = mean + width_;
    float* products = squares + Triangle();
    const float value = std::log(block.actual[i] * inverse + kOffset * block.scale[i]);
    if (weight >= kLevelWeightMin) {
      count = kOwnMemory * count + 1;
      const float dy = value - level / weight;
      for (size_t a = 0, at = 0; a < width_; ++a) {
        const float da = x[a] - mean[a] / weight;
        for (size_t b = 0; b <= a; ++b, ++at) squares[at] = kOwnMemory * squares[at] + da * (x[b] - mean[b] / weight);
        products[a] = kOwnMemory * products[a] + da * dy;
      }
    }
    level += kLevelRate * (value - level);
    weight += kLevelRate * (1 - weight);
    for (size_t a = 0; a < width_; ++a) mean[a] += kLevelRate * (x[a] - mean[a]);
  }
}

std::vector<double> KnownCovariateExpert::PooledCoefficients(std::span<const double> pooled) const {
  std::vector<double> beta(width_, 0.0);
  const double* squares = pooled.data() + PointExpert::pooled_size();
  const double* products = squares + Triangle();
  const double count = products[width_];
  if (count <= 0) return beta;
  SmallRidge<kWidthMax> ridge(width_);
  ridge.Add(squares, 1 / count);
  for (size_t a = 0; a < width_; ++a) beta[a] = products[a] / count;
  ridge.Solve(kRidge, beta);
  return beta;
}

void KnownCovariateExpert::Summarise(const ExpertBlock& block, std::span<const float> states,
                                     std::span<const double> pooled, std::span<float> summaries) const {
  const std::vector<double> shared = PooledCoefficients(pooled);
  const double* squares = pooled.data() + PointExpert::pooled_size();
  const double count = squares[Triangle() + width_];
  SmallRidge<kWidthMax> prior(width_);
  if (count > 0) prior.Add(squares, kPoolBuckets / count);
  std::array<double, kWidthMax> pull{};
  prior.Times(shared, pull.data());
  std::array<double, kWidthMax> solved;
  for (size_t i = 0; i < block.series; ++i) {
    const float* state = states.data() + i * state_floats();
    float* out = summaries.data() + i * summary_floats();
    std::fill(out, out + summary_floats(), 0.0F);
    if (state[1] < kLevelWeightMin || count <= 0) continue;
    const float* mean = state + 3;
    const float* own = mean + width_;
    const float* products = own + Triangle();
    SmallRidge<kWidthMax> ridge = prior;
    ridge.Add(own, 1.0);
    for (size_t a = 0; a < width_; ++a) solved[a] = pull[a] + products[a];
    ridge.Solve(kRidge * (kPoolBuckets + 1), std::span(solved).first(width_));
    double level = static_cast<double>(state[0] / state[1]) - std::log(block.scale[i]);
    for (size_t a = 0; a < width_; ++a) {
      out[2 + a] = static_cast<float>(std::clamp(solved[a], -20.0, 20.0));
      level -= static_cast<double>(out[2 + a]) * mean[a] / state[1];
    }
    out[0] = static_cast<float>(level);
    out[1] = 1;  // awake
  }
}

float KnownCovariateExpert::DemandOf(float log_step) {
  return std::max(0.0F, std::exp(std::clamp(log_step, -kLogStepMax, kLogStepMax)) - kOffset);
}

float KnownCovariateExpert::Lift(std::span<const double> pooled) const {
  const double* level = pooled.data() + pooled_size() - 2;
  return level[1] > 0 ? static_cast<float>(std::clamp(level[0] / level[1], .5, 2.0)) : 1;
}

PointExpert::Point KnownCovariateExpert::PointOf(const ExpertBlock&, size_t series, const ForecastTarget& target,
                                                 float scale, const float* summary, std::span<const double>) const {
  std::array<float, kWidthMax> x;
  if (summary[1] <= 0 || !Regressors(target.known, series, x.data())) return {};
  float step = summary[0];
  for (size_t a = 0; a < width_; ++a) step += summary[2 + a] * x[a];
  const float value = DemandOf(step) * scale * target.factor;
  return {value, std::max(value, 0.05F * scale), true};
}

void KnownCovariateExpert::Expand(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
                                  std::span<const uint8_t> rows, std::span<const float> summaries,
                                  std::span<const double> pooled, const ExpertOutput& out) const {
  PointExpert::Expand(block, target, scale, rows, summaries, pooled.first(PointExpert::pooled_size()), out);
  const float lift = Lift(pooled);
  for (size_t i = 0; i < block.series; ++i) {
    if (out.awake[i] != 0) out.mean[i] *= lift;
  }
}

void KnownCovariateExpert::Explain(const OneForecast& one, ForecastSteps* steps) const {
  std::array<float, kWidthMax> x;
  TC_CHECK(Regressors(one.target.known, 0, x.data()), "an expert that sleeps is explained");
  const float* mean = one.state.data() + 3;
  double usual = static_cast<double>(one.summary[0]);
  std::array<double, kColumnsMax> change{};
  double all = 0;
  for (size_t a = 0; a < width_; ++a) {
    const double of_late = static_cast<double>(mean[a] / one.state[1]);
    const double slope = static_cast<double>(one.summary[2 + a]);
    usual += slope * of_late;
    change[a / 2] += slope * (static_cast<double>(x[a]) - of_late);
    all += slope * (static_cast<double>(x[a]) - of_late);
  }
  const float unit = one.block.scale[0] * Lift(one.pooled);
  steps->present = DemandOf(static_cast<float>(usual)) * unit;
  steps->seasonal = steps->present * one.target.factor;
  const double change_of_mean = static_cast<double>(one.mean) - steps->seasonal;
  // Changes that cancel each other: the slope at the usual columns is what the quotient tends to.
  const double a_unit_of_log = std::fabs(all) > 1e-3
                                   ? change_of_mean / all
                                   : std::exp(std::min<double>(usual, kLogStepMax)) * unit * one.target.factor;
  for (size_t c = 0; c < used_; ++c) steps->known[c] = static_cast<float>(change[c] * a_unit_of_log);
}

void KnownCovariateExpert::Gather(const ExpertBlock& block, const ForecastTarget& target, std::span<const float> scale,
                                  std::span<const uint8_t> rows, std::span<const float> summaries,
                                  std::span<const double> pooled, std::span<double> sums) const {
  PointExpert::Gather(block, target, scale, rows, summaries, pooled.first(PointExpert::pooled_size()),
                      sums.first(PointExpert::sums_size()));
  double* level = sums.data() + sums_size() - 2;
  for (size_t i = 0; i < block.series; ++i) {
    if (rows[i] == 0) continue;
    const Point point = PointOf(block, i, target, scale[i], summaries.data() + i * summary_floats(), pooled);
    if (!point.awake) continue;
    level[0] += static_cast<double>(block.actual[i] / scale[i]);
    level[1] += static_cast<double>(point.value / scale[i]);
  }
}

void KnownCovariateExpert::GatherStates(const ExpertBlock& block, std::span<const float> states,
                                        std::span<double> sums) const {
  double* squares = sums.data() + PointExpert::sums_size();
  double* products = squares + Triangle();
  for (size_t i = 0; i < block.series; ++i) {
    if (!std::isfinite(block.actual[i])) continue;
    const float* state = states.data() + i * state_floats();
    const float* own = state + 3 + width_;
    for (size_t at = 0; at < Triangle(); ++at) squares[at] += static_cast<double>(own[at]);
    for (size_t a = 0; a < width_; ++a) products[a] += static_cast<double>(own[Triangle() + a]);
    products[width_] += static_cast<double>(state[2]);
  }
}

void KnownCovariateExpert::Fold(std::span<const double> sums, std::span<double> pooled) const {
  PointExpert::Fold(sums.first(PointExpert::sums_size()), pooled.first(PointExpert::pooled_size()));
  const std::span<const double> of_round = sums.subspan(PointExpert::sums_size());
  const std::span<double> kept = pooled.subspan(PointExpert::pooled_size());
  if (of_round[Triangle() + width_] <= 0) return;
  for (size_t at = 0; at < kept.size(); ++at) kept[at] = kPooledMemory * kept[at] + of_round[at];
}

}  // namespace tidecast
