// A bucket of a block, in ScoreAndLearnBlock:
//   1. score     the one-step forecast stored in the state against the actual; explain it, where somebody asks
//      what columns known ahead did to it is taken out, a closed bucket is left out, and beyond the usual by far it is
//      winsorised from here on: what scores and alerts saw teaches nobody
//   2. resolve   for each learned horizon h: the origin h buckets back is expanded again from its summaries and
//                compared with the actual; mixer, calibrator and experts learn from that, the pool by sums
//   3. take      the actual goes into history, scale, class and the experts' states
// LearnShared folds the sums of all blocks.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/hash.h"
#include "models/forecaster_work.h"
#include "models/mean_scale.h"
#include "models/predictive_distribution.h"
#include "models/series_statistics.h"

namespace tidecast {
namespace {

constexpr uint64_t kTiePurpose = 0x7469;
/// Rounds before the pool's weights learn: losses of the first ones, when experts know nothing yet, are so large that
/// the rules' rates would stay low for long.
constexpr int64_t kMixerRoundsMin = 8;
constexpr uint32_t kGrown = 30;  ///< values, from which on a series's scale is its own

bool Usable(float value) { return std::isfinite(value) && std::fabs(value) < 1e30F; }

}  // namespace

void StreamForecaster::Score(Work& work, std::span<BucketScore> scores) const {
  for (size_t i = 0; i < work.block.series; ++i) {
    const SeriesCore& core = work.columns.core[i];
    BucketScore& score = scores[i];
    score = {};
    score.actual = work.actual[i];
    score.has_forecast = core.has_published != 0 && core.published_index == context_.now.index && core.observed > 0;
    if (!score.has_forecast) {
      score.expected = std::numeric_limits<float>::quiet_NaN();
      score.quantiles.fill(std::numeric_limits<float>::quiet_NaN());
      continue;
    }
    score.expected = core.published_mean;
    std::copy_n(core.published, kLevelCount, score.quantiles.begin());
    if (!std::isfinite(work.actual[i])) continue;
    const PredictiveDistribution law(options_.domain, core.published_mean, core.published_zero, core.published);
    const double low = std::clamp(law.MidProbability(work.actual[i]), 1e-12, 1.0);
    // Far out the upper tail is a small number of its own: 1 - low would lose it.
    score.tail_low = static_cast<float>(low);
    score.tail_high = static_cast<float>(std::max(1e-12, 1 - law.MidProbability(work.actual[i])));
  }
}

void StreamForecaster::ResolveHorizon(Work& work, int horizon, std::span<const SeriesRow> rows,
                                      std::span<double> sums) const {
  const size_t count = work.block.series;
  const size_t experts = experts_.size();
  const int64_t index = context_.now.index - horizon;
  ForecastTarget target = TargetOf(index, DayOfBucket(index), horizon, context_.now);
  target.effect = work.effect;
  bool any = false;
  for (size_t i = 0; i < count; ++i) {
    const OriginHead* origin = work.columns.Origin(i, target.origin);
    work.rows[i] = origin != nullptr && std::isfinite(work.actual[i]) && work.columns.core[i].observed > 0 ? 1 : 0;
    work.origin_scale[i] = origin != nullptr ? origin->scale : 1;
    any = any || work.rows[i] != 0;
  }
  if (!any) return;
  for (size_t k = 0; k < experts; ++k) {
    const size_t width = shape_.summary_floats[k];
    for (size_t i = 0; i < count; ++i) {
      if (work.rows[i] != 0) {
        work.columns.ReadSummaries(i, target.origin, k, std::span(work.summaries[k]).subspan(i * width, width));
      }
    }
    const auto pooled = pool_.pooled(expert_part_[k]);
    experts_[k]->Expand(work.block, target, work.origin_scale, work.rows, work.summaries[k], pooled, work.Output(k));
    experts_[k]->Gather(work.block, target, work.origin_scale, work.rows, work.summaries[k], pooled,
                        pool_.Sums(expert_part_[k], sums));
  }
  std::vector<uint8_t> awake(experts);
  std::vector<float> quantiles(experts * kLevelCount), means(experts);
  const size_t size = (kLevelCount + 1) * experts;
  std::array<float, kLevelCount> mixed;
  const size_t regrets = mixer_.regret_floats();
  for (size_t i = 0; i < count; ++i) {
    if (work.rows[i] == 0) continue;
    bool anyone = false;
    float zero = 0;
    for (size_t k = 0; k < experts; ++k) {
      awake[k] = work.awake[k][i];
      anyone = anyone || awake[k] != 0;
      means[k] = work.mean[k][i];
      std::copy_n(work.quantiles[k].begin() + static_cast<ptrdiff_t>(i * kLevelCount), kLevelCount,
                  quantiles.begin() + static_cast<ptrdiff_t>(k * kLevelCount));
    }
    if (!anyone) continue;
    const SeriesCore& core = work.columns.core[i];
    const std::span<const float> weights = Weigh(work, i, target, awake);
    float mean = 0;
    Mixer::Mix(experts, weights, quantiles, means, mixed, &mean);
    for (size_t k = 0; k < experts; ++k) {
      if (awake[k] != 0) zero += weights[kMedian * experts + k] * work.zero[k][i];
    }
    mixer_.Gather(work.demand_class[i], target.group, mixer_.MeanPlaceOf(horizon), work.actual[i], work.origin_scale[i],
                  awake, quantiles, means, mixed, mean, std::span<const float>(work.toward).subspan(i * size, size),
                  pool_.Sums(mixer_part_, sums), std::span(work.regrets).subspan(i * regrets, regrets));
    work.resolved[i] = 1;
    const double chance = UniformAt(options_.seed, rows[i].key_hash, context_.now.index * 1024 + horizon, kTiePurpose);
    if (trainer_ != nullptr) {
      const auto outer = std::find(net_series_->outer_horizons().begin(), net_series_->outer_horizons().end(), horizon);
      if (outer != net_series_->outer_horizons().end()) {
        const size_t at = static_cast<size_t>(outer - net_series_->outer_horizons().begin());
        LearnOuter(work, i, target, {at, zero, chance}, mixed, sums);
      }
    }
    calibrator_.Learn(
        work.demand_class[i], target.group, work.origin_scale[i],
        {work.actual[i], PredictiveDistribution::ConsistentZeroProbability(options_.domain, zero, mixed), work.heap[i],
         chance},
        core.resolved, mixed, pool_.pooled(calibrator_part_),
        std::span(work.columns.calibrator).subspan(i * shape_.calibrator_floats, shape_.calibrator_floats),
        pool_.Sums(calibrator_part_, sums));
  }
}

void StreamForecaster::LearnOuter(const Work& work, size_t series, const ForecastTarget& target,
                                  const OuterLabel& label, std::span<const float> mixed, std::span<double> sums) const {
  std::array<float, kLevelCount> base, net;
  net_series_->ReadCorrection(NetPart(work, series), label.outer, target.origin, net);
  if (!std::isfinite(net[0])) return;
  const float scale = work.origin_scale[series];
  const size_t demand_class = work.demand_class[series];
  std::copy(mixed.begin(), mixed.end(), base.begin());
  if (options_.calibrate) {
    calibrator_.Apply(
        demand_class, target.group, scale,
        std::span(work.columns.calibrator).subspan(series * shape_.calibrator_floats, shape_.calibrator_floats),
        pool_.pooled(calibrator_part_), base);
  }
  for (size_t l = 0; l < kLevelCount; ++l) {
    net[l] = base[l] + scale * net[l];
    if (options_.domain != ValueDomain::kReal) net[l] = std::max(net[l], 0.0F);
  }
  outer_.Gather(target.group, work.actual[series], scale, base, net, pool_.Sums(outer_part_, sums));
  if (!outer_.Heard(target.group)) return;
  outer_.Mix(target.group, net, base);
  calibrator_.Learn(demand_class, target.group, scale,
                    {work.actual[series],
                     PredictiveDistribution::ConsistentZeroProbability(options_.domain, label.zero_probability, base),
                     work.heap[series], label.chance},
                    work.columns.core[series].resolved, base, pool_.pooled(outer_calibrator_part_), {},
                    pool_.Sums(outer_calibrator_part_, sums));
}

void StreamForecaster::Resolve(Work& work, std::span<const SeriesRow> rows, std::span<double> sums) const {
  work.toward.resize(work.weights.size());
  work.regrets.resize(work.block.series * mixer_.regret_floats());
  for (const int horizon : plan_.learned()) ResolveHorizon(work, horizon, rows, sums);
  const size_t regrets = mixer_.regret_floats();
  for (size_t i = 0; i < work.block.series; ++i) {
    if (work.resolved[i] == 0) continue;
    mixer_.LearnSeries(std::span<const float>(work.regrets).subspan(i * regrets, regrets),
                       std::span(work.columns.mixer).subspan(i * shape_.mixer_floats, shape_.mixer_floats));
    ++work.columns.core[i].resolved;
    work.weighed_for[i] = Work::kForNothing;
  }
}

void StreamForecaster::TakeEffects(Work& work, std::span<double> sums) const {
  if (!effect_.any()) return;
  const size_t width = options_.known_covariates;
  for (size_t i = 0; i < work.block.series; ++i) {
    const float effect = EffectOf(work, i);
    effect_.Gather(std::span<const float>(work.known).subspan(i * width, width), work.actual[i],
                   SellsOf(work.columns.core[i]), EffectPart(work, i), pool_.Sums(effect_part_, sums));
    work.effect[i] = effect > 0 ? effect : 1;
    if (effect > 0) {
      work.actual[i] /= effect;
      if (options_.domain == ValueDomain::kCount) work.heap[i] /= effect;
    } else {
      work.actual[i] = std::numeric_limits<float>::quiet_NaN();
    }
  }
}

void StreamForecaster::LearnEffects(Work& work) const {
  if (!effect_.any()) return;
  const size_t width = options_.known_covariates;
  const float season = 1 / inverse_factor_[HistorySlot(context_.now.index)];
  for (size_t i = 0; i < work.block.series; ++i) {
    effect_.Learn(std::span<const float>(work.known).subspan(i * width, width), work.actual[i] * work.effect[i], season,
                  work.scale[i], coefficients_, EffectPart(work, i));
  }
}

void StreamForecaster::TakeActuals(Work& work, std::span<double> sums) const {
  const float missing = std::numeric_limits<float>::quiet_NaN();
  for (size_t i = 0; i < work.block.series; ++i) {
    SeriesCore& core = work.columns.core[i];
    float* history = work.columns.history.data() + i * kHistory;
    if (core.age > 0) {
      // Buckets that the series was not brought for count as missing.
      const int64_t from = std::max(core.last_index + 1, context_.now.index - kHistory + 1);
      for (int64_t index = from; index < context_.now.index; ++index) history[HistorySlot(index)] = missing;
    }
    history[HistorySlot(context_.now.index)] = work.actual[i];
    core.last_index = context_.now.index;
    ++core.age;
    if (!std::isfinite(work.actual[i])) continue;
    const float mean = core.scale_weight > 0 && core.observed >= 6 ? core.scale_sum / core.scale_weight : missing;
    if (core.launched != 0) {
      LaunchPrior::Gather(work.actual[i] * inverse_factor_[HistorySlot(context_.now.index)], work.category[i],
                          core.age - 1, static_cast<double>(work.prior_mean[i]), pool_.Sums(launch_part_, sums));
    }
    profile_.Gather(work.actual[i], work.scale[i], mean, core.observed, pool_.Sums(profile_part_, sums));
    const bool known = core.observed >= kGrown;
    LearnStatistics(options_.domain, work.actual[i], &core);
    if (known && options_.domain != ValueDomain::kReal) {
      YearIndex::Gather(work.actual[i], work.scale[i], ScaleOf(options_.domain, core, work.prior_mean[i]),
                        pool_.Sums(year_part_, sums));
    }
  }
}

void StreamForecaster::ScoreAndLearnBlock(size_t block, std::span<const SeriesRow> rows, std::span<std::string> states,
                                          std::span<BucketScore> scores, const OnScored& on_scored) {
  TC_CHECK(rows.size() == states.size() && rows.size() == scores.size());
  Work work(shape_, rows.size(), experts_.size(), options_.known_covariates);
  Load(work, rows, states);
  for (size_t i = 0; i < rows.size(); ++i) {
    const float actual = Usable(rows[i].actual) ? rows[i].actual : std::numeric_limits<float>::quiet_NaN();
    work.actual[i] = options_.domain == ValueDomain::kReal || !(actual < 0) ? actual : 0;
  }
  TakePriors(work);
  Describe(work);
  std::vector<double> sums(pool_.sums_size(), 0.0);
  Score(work, scores);
  const float mean_ratio = MeanRatio();  // as when the forecasts were made
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!scores[i].has_forecast || !std::isfinite(work.actual[i])) continue;
    MeanScale::Gather(work.actual[i], scores[i].expected / mean_ratio, pool_.Sums(mean_part_, std::span(sums)));
  }
  if (on_scored) on_scored([&](size_t row) { return ExplainScored(work, row); });
  TakeEffects(work, sums);
  const std::span<double> series_sums = pool_.Sums(series_part_, std::span(sums));
  for (size_t i = 0; i < rows.size(); ++i) {
    series_sums[0] += 1;
    if (!std::isfinite(work.actual[i]) || work.observed[i] < 6) continue;
    series_sums[1] += static_cast<double>(std::clamp(work.actual[i] / work.scale[i], -6.0F, 6.0F));
    series_sums[2] += 1;
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto history = std::span<const float>(work.columns.history).subspan(i * kHistory, kHistory);
    work.actual[i] = Winsorised(options_.domain, work.actual[i], history);
  }
  for (size_t i = 0; HasMonths() && i < rows.size(); ++i) {
    if (!scores[i].has_forecast || !std::isfinite(work.actual[i]) || work.observed[i] < kGrown) continue;
    const float effect = effect_.Published(EffectPart(work, i));
    if (effect <= 0) continue;
    const float unit = work.scale[i] * effect;
    MonthProfile::Gather(work.actual[i] / work.scale[i], scores[i].expected / unit,
                         pool_.Sums(month_part_, std::span(sums)));
  }
  Resolve(work, rows, sums);
  LearnEffects(work);
  TakeActuals(work, sums);
  TakePriors(work);
  Describe(work);
  for (size_t k = 0; k < experts_.size(); ++k) {
    experts_[k]->Step(work.block, work.columns.states[k], std::as_const(pool_).pooled(expert_part_[k]));
    experts_[k]->GatherStates(work.block, work.columns.states[k], pool_.Sums(expert_part_[k], std::span(sums)));
  }
  if (trainer_ != nullptr) {
    MatureWindows(work, rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      net_series_->GatherCovariates(NetPart(std::as_const(work), i), rows[i].past, rows[i].known,
                                    pool_.Sums(covariate_part_, std::span(sums)));
    }
  }
  for (size_t i = 0; i < rows.size(); ++i) work.columns.Store(i, &states[i]);
  sums_.Add(block, std::move(sums));
  round_dirty_ = true;
}

Status StreamForecaster::LearnShared() {
  TC_CHECK(gathering_ && sums_.complete(), "the round's blocks are not all there");
  const std::span<const double> all = sums_.total();
  for (size_t k = 0; k < experts_.size(); ++k) {
    experts_[k]->Fold(std::as_const(pool_).Sums(expert_part_[k], all), pool_.pooled(expert_part_[k]));
  }
  if (pool_.rounds >= kMixerRoundsMin) {
    mixer_.Fold(std::as_const(pool_).Sums(mixer_part_, all), pool_.pooled(mixer_part_));
  }
  calibrator_.Fold(std::as_const(pool_).Sums(calibrator_part_, all), pool_.pooled(calibrator_part_));
  LaunchPrior::Fold(std::as_const(pool_).Sums(launch_part_, all), pool_.pooled(launch_part_));
  MeanScale::Fold(std::as_const(pool_).Sums(mean_part_, all), pool_.pooled(mean_part_));
  if (const auto day = DayOf(context_); day && options_.domain != ValueDomain::kReal) {
    auto factor = static_cast<double>(factors_[profile_.seasons().PhaseOf(context_.now)]);
    if (HasMonths()) {
      factor *= static_cast<double>(MonthFactor(*day));
      MonthProfile::Fold(*day, std::as_const(pool_).Sums(month_part_, all), pool_.pooled(month_part_));
    }
    YearIndex::Fold(bucket_days_, *day, context_.now.index, factor, plan_, std::as_const(pool_).Sums(year_part_, all),
                    pool_.pooled(year_part_));
  } else {
    YearIndex::Forget(context_.now.index, pool_.pooled(year_part_));
  }
  effect_.Fold(std::as_const(pool_).Sums(effect_part_, all), pool_.pooled(effect_part_));
  profile_.Fold(profile_.seasons().PhaseOf(context_.now), std::as_const(pool_).Sums(profile_part_, all),
                pool_.pooled(profile_part_));
  RefreshFactors();
  mixer_.Refresh(std::as_const(pool_).pooled(mixer_part_));
  const std::span<const double> series = std::as_const(pool_).Sums(series_part_, all);
  pool_.pooled(series_part_)[0] = series[0];
  if (trainer_ != nullptr) {
    outer_.Fold(std::as_const(pool_).Sums(outer_part_, all), pool_.pooled(outer_part_));
    outer_.Refresh(std::as_const(pool_).pooled(outer_part_));
    calibrator_.Fold(std::as_const(pool_).Sums(outer_calibrator_part_, all), pool_.pooled(outer_calibrator_part_));
    NetSeries::FoldCovariates(std::as_const(pool_).Sums(covariate_part_, all), pool_.pooled(covariate_part_));
    const size_t width = net_series_->shared_width();
    const int64_t window = trainer_->shape().window;
    const size_t slot = static_cast<size_t>(((context_.now.index % window) + window) % window);
    const std::span<double> row = pool_.pooled(shared_inputs_part_).subspan(slot * width, width);
    TC_CHECK_EQ(context_.now.features.size() + 1, width, "calendar features");
    std::copy(context_.now.features.begin(), context_.now.features.end(), row.begin());
    row[width - 1] = series[2] > 0 ? std::log1p(std::max(series[1] / series[2], -.9)) : 0;
    trainer_->Learn(context_.now.index - options_.horizon, static_cast<int64_t>(series[0]));
  }
  ++pool_.rounds;
  gathering_ = false;
  pool_dirty_ = true;
  round_dirty_ = true;
  TakeContext(context_);
  return Status::Ok();
}

}  // namespace tidecast
