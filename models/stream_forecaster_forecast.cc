// A bucket of a block, in ForecastBlock:
//   1. summarise every expert, keep the summaries as a waiting origin
//   2. expand, mix, calibrate each horizon: the base
//   3. the net's carried state moves on, the net corrects the base, the outer mixture weighs the two
//   4. what columns known ahead do is put in; the one-step forecast is kept for the next score
#include <algorithm>
#include <cmath>

#include "models/forecaster_work.h"
#include "models/predictive_distribution.h"
#include "models/series_statistics.h"

namespace tidecast {

void StreamForecaster::ForecastBlock(size_t, std::span<const SeriesRow> rows, std::span<std::string> states,
                                     struct ForecastBlock& out) {
  const size_t count = rows.size();
  const size_t experts = experts_.size();
  const size_t horizon = static_cast<size_t>(options_.horizon);
  Work work(shape_, count, experts, options_.known_covariates);
  Load(work, rows, states);
  for (size_t i = 0; i < count; ++i) {
    work.actual[i] = work.columns.history[i * kHistory + HistorySlot(context_.now.index)];
    work.rows[i] = 1;
  }
  TakePriors(work);
  Describe(work);
  const std::optional<int64_t> origin_day = DayOf(context_);
  const float next_factor = TargetOf(context_.now.index, origin_day, 1, context_.ahead[0]).factor;
  for (size_t i = 0; i < count; ++i) {
    OriginHead& head = work.columns.origins[i * horizon + work.columns.OriginSlot(context_.now.index)];
    head.index = context_.now.index;
    head.scale = work.scale[i];
    head.next_factor = next_factor;
  }
  work.sorted.Take(work.block, options_.domain != ValueDomain::kReal);
  work.block.sorted = &work.sorted;
  for (size_t k = 0; k < experts; ++k) {
    const auto pooled = std::as_const(pool_).pooled(expert_part_[k]);
    experts_[k]->Summarise(work.block, work.columns.states[k], pooled, work.summaries[k]);
    const size_t width = shape_.summary_floats[k];
    for (size_t i = 0; i < count; ++i) {
      work.columns.WriteSummaries(i, context_.now.index, k,
                                  std::span<const float>(work.summaries[k]).subspan(i * width, width));
    }
  }
  std::vector<uint8_t> awake(experts);
  std::vector<float> quantiles(experts * kLevelCount), means(experts);
  const float mean_ratio = MeanRatio();
  std::vector<float> effects(effect_.any() ? count * horizon : 0);
  for (size_t h = 0; h < horizon; ++h) {
    const int steps = static_cast<int>(h) + 1;
    TakeKnown(rows, h + 1, work);
    const size_t width = options_.known_covariates;
    for (size_t i = 0; width > 0 && i < count; ++i) {
      std::copy_n(work.known.begin() + static_cast<ptrdiff_t>(i * width), width,
                  work.columns.known.begin() + static_cast<ptrdiff_t>(i * shape_.known_floats + h * width));
    }
    ForecastTarget target = TargetOf(context_.now.index, origin_day, steps, context_.ahead[h]);
    for (size_t i = 0; effect_.any() && i < count; ++i) {
      effects[i * horizon + h] = EffectOf(work, i);
      work.effect[i] = effects[i * horizon + h] > 0 ? effects[i * horizon + h] : 1;
    }
    target.effect = work.effect;
    for (size_t k = 0; k < experts; ++k) {
      experts_[k]->Expand(work.block, target, work.scale, work.rows, work.summaries[k],
                          std::as_const(pool_).pooled(expert_part_[k]), work.Output(k));
    }
    if (trainer_ != nullptr) TakeExpertWords(work, h);
    for (size_t i = 0; i < count; ++i) {
      float zero = 0;
      for (size_t k = 0; k < experts; ++k) {
        awake[k] = work.awake[k][i];
        means[k] = work.mean[k][i];
        std::copy_n(work.quantiles[k].begin() + static_cast<ptrdiff_t>(i * kLevelCount), kLevelCount,
                    quantiles.begin() + static_cast<ptrdiff_t>(k * kLevelCount));
      }
      const std::span<const float> weights = Weigh(work, i, target, awake);
      const std::span<float> q(out.quantiles.data() + (i * horizon + h) * kLevelCount, kLevelCount);
      float mean = 0;
      Mixer::Mix(experts, weights, quantiles, means, q, &mean);
      for (size_t k = 0; k < experts; ++k) {
        if (awake[k] != 0) zero += weights[kMedian * experts + k] * work.zero[k][i];
      }
      if (options_.calibrate) {
        calibrator_.Apply(work.demand_class[i], target.group, work.scale[i],
                          std::span<const float>(work.columns.calibrator)
                              .subspan(i * shape_.calibrator_floats, shape_.calibrator_floats),
                          std::as_const(pool_).pooled(calibrator_part_), q);
      }
      out.mean[i * horizon + h] = mean * mean_ratio;
      out.zero_probability[i * horizon + h] = zero;
    }
  }
  if (trainer_ != nullptr) {
    AdvanceNet(work, rows);
    CorrectByNet(work, rows, out);
  }
  for (size_t i = 0; i < count; ++i) {
    for (size_t h = 0; h < horizon; ++h) {
      const size_t at = i * horizon + h;
      const std::span<float> q(out.quantiles.data() + at * kLevelCount, kLevelCount);
      float heap = work.heap[i];
      if (effect_.any()) {
        const float effect = effects[at];
        if (options_.domain != ValueDomain::kCount) heap *= effect;
        out.mean[at] *= effect;
        for (float& quantile : q) quantile *= effect;
        // Twice the rate is the square of the chance of none.
        out.zero_probability[at] = effect > 0 ? std::pow(out.zero_probability[at], effect) : 1;
      }
      for (float& quantile : q) quantile = std::fabs(quantile) <= heap ? 0 : quantile;
      if (KeepsAboveZero()) {
        for (float& quantile : q) quantile = std::max(quantile, 0.0F);
        out.mean[at] = std::max(out.mean[at], 0.0F);
      }
      out.zero_probability[at] = PredictiveDistribution::ConsistentZeroProbability(
          KeepsAboveZero() ? ValueDomain::kNonNegative : options_.domain, out.zero_probability[at], q);
    }
    SeriesCore& core = work.columns.core[i];
    core.has_published = 1;
    core.prior_mean = work.prior_mean[i];
    core.published_index = context_.ahead[0].index;
    core.published_mean = out.mean[i * horizon];
    core.published_zero = out.zero_probability[i * horizon];
    core.published_scale = work.scale[i];
    if (effect_.any()) effect_.SetPublished(effects[i * horizon], EffectPart(work, i));
    std::copy_n(out.quantiles.begin() + static_cast<ptrdiff_t>(i * horizon * kLevelCount), kLevelCount, core.published);
  }
  if (options_.domain == ValueDomain::kCount) {  // no count lies between; alerts and the calibrator keep the reals
    for (float& quantile : out.quantiles) quantile = std::floor(quantile + .5F);
  }
  for (size_t i = 0; i < count; ++i) {
    out.age_buckets[i] = work.columns.core[i].age;
    work.columns.Store(i, &states[i]);
  }
}

}  // namespace tidecast
