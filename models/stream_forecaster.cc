// A bucket of a block, in ScoreAndLearnBlock:
//   1. score     the one-step forecast stored in the state against the actual; explain it, where somebody asks
//      beyond the usual by far it is winsorised from here on: what scores and alerts saw teaches nobody
//   2. resolve   for each learned horizon h: the origin h buckets back is expanded again from its summaries and
//   compared
//                with the actual; mixer, calibrator and experts learn from that, the pool by sums
//   3. take      the actual goes into history, scale, class and the experts' states
// and in ForecastBlock:
//   4. summarise every expert, keep the summaries as a waiting origin
//   5. expand, mix, calibrate each horizon: the base
//   6. the net's carried state moves on, the net corrects the base, the outer mixture weighs the two
//   7. the one-step forecast is kept for the next score
#include "models/stream_forecaster.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/core/hash.h"
#include "models/forecaster_work.h"
#include "models/mean_scale.h"
#include "models/net_loader.h"
#include "models/piece_rows.h"
#include "models/predictive_distribution.h"
#include "models/series_statistics.h"

namespace tidecast {
namespace {

constexpr uint64_t kTiePurpose = 0x7469;
/// Rounds before the pool's weights learn: losses of the first ones, when experts know nothing yet, are so large that
/// the rules' rates would stay low for long.
constexpr int64_t kMixerRoundsMin = 8;
constexpr uint32_t kRoundFormat = 1;
struct RoundHead {
  uint32_t format;
  uint32_t sums;
  uint64_t next;
};

std::vector<float> PriorsOf(const std::vector<std::unique_ptr<Expert>>& experts) {
  std::vector<float> priors;
  for (const auto& expert : experts) {
    priors.push_back(static_cast<float>(expert->prior()));
  }
  return priors;
}

bool Usable(float value) { return std::isfinite(value) && std::fabs(value) < 1e30F; }

}  // namespace

StreamForecaster::StreamForecaster(const ForecasterOptions& options, std::unique_ptr<ResidualNet> net, LateNet* late)
    : options_(options),
      experts_(MakeExperts({options.domain, options.season_lengths, options.known_covariates, options.horizon},
                           options.experts)),
      plan_(options.horizon),
      mixer_(PriorsOf(experts_), options.domain == ValueDomain::kReal ? plan_.learned() : std::vector<int>()),
      calibrator_(options.domain),
      profile_(options.domain, options.season_lengths.empty() ? 1 : options.season_lengths[0]),
      inverse_factor_(kHistory, 1.0F),
      age_(kHistory, 0.0F) {
  shape_.horizon = options.horizon;
  for (const auto& expert : experts_) {
    shape_.state_floats.push_back(expert->state_floats());
    shape_.summary_floats.push_back(expert->summary_floats());
    expert_part_.push_back(pool_.Claim(expert->pooled_size(), expert->sums_size()));
  }
  shape_.mixer_floats = mixer_.state_floats();
  shape_.calibrator_floats = Calibrator::state_floats();
  shape_.known_floats = static_cast<size_t>(options.horizon) * options.known_covariates;
  mixer_part_ = pool_.Claim(mixer_.pooled_size(), mixer_.sums_size());
  calibrator_part_ = pool_.Claim(Calibrator::pooled_size(), Calibrator::sums_size());
  profile_part_ = pool_.Claim(profile_.pooled_size(), profile_.sums_size());
  series_part_ = pool_.Claim(1, 3);
  launch_part_ = pool_.Claim(LaunchPrior::pooled_size(), LaunchPrior::sums_size());
  if (net != nullptr) {
    net_series_ = std::make_unique<NetSeries>(options, net->state_floats());
    const NetShape shape = NetSeries::ShapeOf(options);
    NetTrainerOptions learning;
    learning.seed = options.seed;
    learning.prefix = options.state_prefix;
    learning.steps_per_round = options.net_steps_per_round;
    learning.learning_rate = NetOptions{}.learning_rate;
    learning.warm_steps = options.net_warm_steps;
    if (options.net_learning == NetLearning::kFrozen) learning.freeze_after_rounds = options.net_freeze_after_rounds;
    late_ = late;
    trainer_ = std::make_unique<NetTrainer>(std::move(net), shape, learning);
    shape_.extra_bytes = net_series_->bytes();
    shape_.newer_bytes = net_series_->newer_bytes();
    outer_part_ = pool_.Claim(OuterMixer::pooled_size(), OuterMixer::sums_size());
    outer_calibrator_part_ = pool_.Claim(Calibrator::pooled_size(), Calibrator::sums_size());
    shared_inputs_part_ = pool_.Claim(static_cast<size_t>(shape.window) * net_series_->shared_width(), 0);
    const size_t numbers = net_series_->covariates() * NetSeries::kCovariateNumbers;
    covariate_part_ = pool_.Claim(numbers, numbers);
    for (const auto& expert : experts_) expert_slot_.push_back(NetSeries::ExpertSlot(expert->name()));
  }
  mean_part_ = pool_.ClaimSince6(MeanScale::pooled_size(), MeanScale::sums_size());
  StartParts();
}

void StreamForecaster::StartParts() {
  pool_.Clear();
  for (size_t k = 0; k < experts_.size(); ++k) experts_[k]->StartPooled(pool_.pooled(expert_part_[k]));
  profile_.StartPooled(pool_.pooled(profile_part_));
  mixer_.Refresh(std::as_const(pool_).pooled(mixer_part_));
  if (trainer_ != nullptr) outer_.Refresh(std::as_const(pool_).pooled(outer_part_));
}

uint64_t StreamForecaster::Fingerprint() const {
  uint64_t hash = Mix64(shape_.Fingerprint() ^ (static_cast<uint64_t>(options_.domain) << 40));
  for (const auto& expert : experts_) hash = Hash64(expert->name(), hash);
  for (const int season : options_.season_lengths) hash = Mix64(hash ^ static_cast<uint64_t>(season));
  return hash;
}

float StreamForecaster::MeanRatio() const {
  return options_.domain == ValueDomain::kReal ? 1 : MeanScale::Ratio(pool_.pooled(mean_part_));
}

float StreamForecaster::FactorOf(int32_t phase) const {
  return profile_.Factor(std::as_const(pool_).pooled(profile_part_), phase);
}

void StreamForecaster::TakeContext(const BucketContext& context) {
  TC_CHECK_EQ(context.ahead.size(), static_cast<size_t>(options_.horizon));
  context_ = context;
  FillSlots(context.now.index, inverse_factor_, age_);
  prior_mean_ = profile_.PriorMean(std::as_const(pool_).pooled(profile_part_));
}

void StreamForecaster::FillSlots(int64_t index, std::span<float> inverse_factor, std::span<float> age) const {
  std::vector<float> factor(static_cast<size_t>(profile_.season()));
  for (size_t p = 0; p < factor.size(); ++p) factor[p] = FactorOf(static_cast<int32_t>(p));
  for (int64_t back = 0; back < kHistory; ++back) {
    const size_t slot = HistorySlot(index - back);
    age[slot] = static_cast<float>(back);
    inverse_factor[slot] = 1 / factor[pool_.PhaseOf(index - back) % factor.size()];
  }
}

void StreamForecaster::BeginRound(const BucketContext& context, size_t blocks) {
  TC_CHECK(!gathering_, "a round begins before the last one has learned");
  pool_.SetPhase(context.now.index, static_cast<uint16_t>(PhaseOf(context.now)));
  pool_dirty_ = true;
  TakeContext(context);
  sums_.Begin(pool_.sums_size(), blocks);
  gathering_ = true;
  round_dirty_ = true;
}

void StreamForecaster::ResumeRound(const BucketContext& context, size_t blocks) {
  TakeContext(context);
  gathering_ = stored_gathering_;
  if (gathering_) sums_.Resume(blocks, stored_next_, std::move(stored_total_));
  stored_gathering_ = false;
}

void StreamForecaster::Load(Work& work, std::span<const SeriesRow> rows, std::span<const std::string> states) const {
  for (size_t i = 0; i < rows.size(); ++i) {
    work.columns.Load(i, states[i]);
    work.category[i] = rows[i].category_hash;
    SeriesCore& core = work.columns.core[i];
    if (core.age == 0 && options_.domain != ValueDomain::kReal) {
      core.launched = pool_.rounds >= LaunchPrior::kPoolRoundsMin ? 1 : 0;
    }
    if (states[i].empty() && net_series_ != nullptr) net_series_->Start(NetPart(work, i));
  }
  ExpertBlock& block = work.block;
  block.series = rows.size();
  block.index = context_.now.index;
  block.actual = work.actual;
  block.history = work.columns.history;
  block.scale = work.scale;
  block.demand_class = work.demand_class;
  block.observed = work.observed;
  block.inverse_factor = inverse_factor_;
  block.age = age_;
  block.prior_mean = work.prior_mean;
  block.launch = work.launch;
  block.known = work.known;
  TakeKnown(rows, 0, work);
}

void StreamForecaster::TakeKnown(std::span<const SeriesRow> rows, size_t step, Work& work) const {
  const size_t width = options_.known_covariates;
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::span<float> out = std::span(work.known).subspan(i * width, width);
    if (rows[i].known.size() < (step + 1) * width) {
      std::fill(out.begin(), out.end(), std::numeric_limits<float>::quiet_NaN());
    } else {
      std::copy_n(rows[i].known.begin() + static_cast<ptrdiff_t>(step * width), width, out.begin());
    }
  }
}

void StreamForecaster::TakePriors(Work& work) const {
  for (size_t i = 0; i < work.block.series; ++i) {
    SeriesCore& core = work.columns.core[i];
    const double mean = core.launched == 0 ? prior_mean_
                                           : LaunchPrior::MeanOf(std::as_const(pool_).pooled(launch_part_),
                                                                 work.category[i], core.age, prior_mean_);
    work.prior_mean[i] = static_cast<float>(mean);
  }
}

void StreamForecaster::Describe(Work& work) const {
  for (size_t i = 0; i < work.block.series; ++i) {
    const SeriesCore& core = work.columns.core[i];
    work.scale[i] = ScaleOf(options_.domain, core, work.prior_mean[i]);
    work.demand_class[i] = DemandClassOf(options_.domain, core);
    work.observed[i] = core.observed;
    const bool is_new = core.launched != 0 && core.age > 0 && core.age <= LaunchPrior::kNewMax;
    work.launch[i] = is_new ? static_cast<uint8_t>(1 + LaunchPrior::BandOf(core.age)) : 0;
    if (is_new) work.demand_class[i] = kNewClass;
    work.heap[i] =
        HeapOf(options_.domain, std::span<const float>(work.columns.history).subspan(i * kHistory, kHistory));
  }
}

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

// The horizons of a group have the same weights as long as the same experts are awake, those of a place the same of the
// mean.
std::span<const float> StreamForecaster::Weigh(Work& work, size_t i, const ForecastTarget& target,
                                               std::span<const uint8_t> awake) const {
  static_assert(MixRules::kExpertsMax <= 32);
  uint64_t who = 0;
  for (size_t k = 0; k < awake.size(); ++k) who |= static_cast<uint64_t>(awake[k] != 0) << k;
  const size_t place = mixer_.MeanPlaceOf(target.horizon);
  const uint64_t group = who | target.group << 32;
  const uint64_t mean = group | place << 34;
  const size_t size = (kLevelCount + 1) * awake.size();
  const std::span<float> weights = std::span(work.weights).subspan(i * size, size);
  const auto state = std::span<const float>(work.columns.mixer).subspan(i * shape_.mixer_floats, shape_.mixer_floats);
  if (work.weighed_for[i] != group) {
    work.weighed_for[i] = group;
    work.mean_weighed_for[i] = Work::kForNothing;
    mixer_.WeightsOf(work.demand_class[i], target.group, state, work.columns.core[i].resolved, awake, weights,
                     work.toward.empty() ? std::span<float>() : std::span(work.toward).subspan(i * size, size));
  }
  if (work.mean_weighed_for[i] != mean) {
    work.mean_weighed_for[i] = mean;
    mixer_.MeanWeightsOf(place, state, awake, weights);
  }
  return weights;
}

void StreamForecaster::ResolveHorizon(Work& work, int horizon, std::span<const SeriesRow> rows,
                                      std::span<double> sums) const {
  const size_t count = work.block.series;
  const size_t experts = experts_.size();
  const ForecastTarget target{context_.now.index - horizon, horizon, plan_.GroupOf(horizon),
                              FactorOf(PhaseOf(context_.now)), work.known};
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

void StreamForecaster::MixOuter(size_t demand_class, size_t group, float scale, std::span<const float> net,
                                std::span<float> quantiles) const {
  if (!outer_.Heard(group)) return;
  outer_.Mix(group, net, quantiles);
  if (!options_.calibrate) return;
  calibrator_.Apply(demand_class, group, scale, {}, std::as_const(pool_).pooled(outer_calibrator_part_), quantiles);
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
    LearnStatistics(options_.domain, work.actual[i], &core);
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
  const std::span<double> series_sums = pool_.Sums(series_part_, std::span(sums));
  for (size_t i = 0; i < rows.size(); ++i) {
    series_sums[0] += 1;
    if (!std::isfinite(work.actual[i]) || work.observed[i] < 6) continue;
    series_sums[1] += static_cast<double>(std::clamp(work.actual[i] / work.scale[i], -6.0F, 6.0F));
    series_sums[2] += 1;
  }
  Score(work, scores);
  const float mean_ratio = MeanRatio();  // as when the forecasts were made
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!scores[i].has_forecast || !std::isfinite(work.actual[i])) continue;
    MeanScale::Gather(work.actual[i], scores[i].expected / mean_ratio, pool_.Sums(mean_part_, std::span(sums)));
  }
  if (on_scored) on_scored([&](size_t row) { return ExplainScored(work, row); });
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto history = std::span<const float>(work.columns.history).subspan(i * kHistory, kHistory);
    work.actual[i] = Winsorised(options_.domain, work.actual[i], history);
  }
  Resolve(work, rows, sums);
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
  profile_.Fold(PhaseOf(context_.now), std::as_const(pool_).Sums(profile_part_, all), pool_.pooled(profile_part_));
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
  for (size_t i = 0; i < count; ++i) {
    OriginHead& head = work.columns.origins[i * horizon + work.columns.OriginSlot(context_.now.index)];
    head.index = context_.now.index;
    head.scale = work.scale[i];
    head.next_factor = FactorOf(PhaseOf(context_.ahead[0]));
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
  for (size_t h = 0; h < horizon; ++h) {
    const int steps = static_cast<int>(h) + 1;
    TakeKnown(rows, h + 1, work);
    const size_t width = options_.known_covariates;
    for (size_t i = 0; width > 0 && i < count; ++i) {
      std::copy_n(work.known.begin() + static_cast<ptrdiff_t>(i * width), width,
                  work.columns.known.begin() + static_cast<ptrdiff_t>(i * shape_.known_floats + h * width));
    }
    const ForecastTarget target{context_.now.index, steps, plan_.GroupOf(steps), FactorOf(PhaseOf(context_.ahead[h])),
                                work.known};
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
      for (float& quantile : q) quantile = std::fabs(quantile) <= work.heap[i] ? 0 : quantile;
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

void StreamForecaster::SaveShared(Epoch, DeltaSink& out) {
  std::string value;
  if (trainer_ != nullptr) trainer_->Save(out);
  if (pool_dirty_) {
    pool_.Encode(Fingerprint(), &value);
    PutPieces(Family::kModels, options_.state_prefix + "pool", value, out);
    pool_dirty_ = false;
  }
  if (!round_dirty_) return;
  const std::string key = options_.state_prefix + "round";
  if (gathering_) {
    TC_CHECK(!sums_.has_gap(), "saved while blocks are at work");
    const RoundHead head{kRoundFormat, static_cast<uint32_t>(sums_.total().size()), sums_.next()};
    value.assign(reinterpret_cast<const char*>(&head), sizeof head);
    value.append(reinterpret_cast<const char*>(sums_.total().data()), sums_.total().size() * sizeof(double));
    PutPieces(Family::kModels, key, value, out);
    has_stored_round_ = true;
  } else if (has_stored_round_) {
    DeletePieces(Family::kModels, key, sizeof(RoundHead) + pool_.sums_size() * sizeof(double), out);
    has_stored_round_ = false;
  }
  round_dirty_ = false;
}

void StreamForecaster::OnCommitted(Epoch) {}

Status StreamForecaster::Ready() {
  if (late_ != nullptr) TC_RETURN_IF_ERROR(late_->Wait());
  return trainer_ == nullptr ? Status::Ok() : trainer_->Ready();
}

Status StreamForecaster::ReloadShared(const StateReader& store) {
  StartParts();
  gathering_ = stored_gathering_ = has_stored_round_ = false;
  pool_dirty_ = round_dirty_ = false;
  if (trainer_ != nullptr) {
    TC_RETURN_IF_ERROR(trainer_->Reload(store));
    if (late_ == nullptr) TC_RETURN_IF_ERROR(trainer_->Ready());
  }
  std::string value;
  TC_ASSIGN_OR_RETURN(const bool found, GetPieces(store, Family::kModels, options_.state_prefix + "pool", &value));
  if (!found) return Status::Ok();
  TC_RETURN_IF_ERROR(pool_.Decode(Fingerprint(), value));
  prior_mean_ = profile_.PriorMean(std::as_const(pool_).pooled(profile_part_));
  mixer_.Refresh(std::as_const(pool_).pooled(mixer_part_));
  if (trainer_ != nullptr) outer_.Refresh(std::as_const(pool_).pooled(outer_part_));
  TC_ASSIGN_OR_RETURN(has_stored_round_, GetPieces(store, Family::kModels, options_.state_prefix + "round", &value));
  if (!has_stored_round_) return Status::Ok();
  RoundHead head;
  if (value.size() < sizeof head) return Status(Code::kCorruption, "the model's stored round is cut short");
  std::memcpy(&head, value.data(), sizeof head);
  if (head.format != kRoundFormat) {
    return Status(Code::kVersion, fmt::format("the model's stored round has format {}, this build reads {}",
                                              head.format, kRoundFormat));
  }
  const bool is_whole = head.sums == pool_.sums_size() || head.sums == pool_.sums_size_before_6();
  if (!is_whole || value.size() != sizeof head + head.sums * sizeof(double)) {
    return Status(Code::kCorruption, "the model's stored round has a wrong length");
  }
  stored_total_.assign(pool_.sums_size(), 0);
  std::memcpy(stored_total_.data(), value.data() + sizeof head, head.sums * sizeof(double));
  stored_next_ = head.next;
  stored_gathering_ = true;
  return Status::Ok();
}

ForecasterStats StreamForecaster::Stats() const {
  ForecasterStats stats;
  stats.rounds = pool_.rounds;
  stats.device = "none: the net is off";
  const std::vector<double> weights = mixer_.MeanWeights();
  for (size_t k = 0; k < experts_.size(); ++k)
    stats.expert_weights.emplace_back(std::string(experts_[k]->name()), weights[k]);
  if (trainer_ != nullptr) {
    stats.net_steps = trainer_->steps();
    stats.net_rejected = trainer_->rejected() + trainer_->rolled_back();
    stats.net_loss = trainer_->last_loss().loss;
    stats.net_gradient_norm = trainer_->last_loss().gradient_norm;
    stats.device = trainer_->net().device();
    stats.expert_weights.emplace_back(std::string(NetKindName(options_.net)), outer_.MeanWeight());
  }
  return stats;
}

Result<std::unique_ptr<Forecaster>> MakeForecaster(const ForecasterOptions& options) {
  if (options.horizon < 1 || options.horizon > 1000) {
    return Status(Code::kInvalidArgument, fmt::format("a horizon must lie between 1 and 1000: {}", options.horizon));
  }
  std::unique_ptr<ResidualNet> net;
  LateNet* late = nullptr;
  if (options.net != NetKind::kNone) {
    if (options.horizon > kHistory) {
      return Status(Code::kInvalidArgument,
                    fmt::format("the net looks at most {} buckets ahead, as far as a series keeps its labels: {}",
                                kHistory, options.horizon))
          .WithRemedy("set model to experts, or choose a shorter horizon or larger buckets");
    }
    NetOptions wanted;
    wanted.shape = NetSeries::ShapeOf(options);
    wanted.seed = options.seed;
    wanted.device = options.device;
    auto make = [options, wanted]() -> Result<std::unique_ptr<ResidualNet>> {
      TC_ASSIGN_OR_RETURN(auto made, LoadNet(options.net_module, wanted));
      if (!options.net_weights.empty()) {
        TC_ASSIGN_OR_RETURN(const NetWeights weights, NetWeights::Decode(options.net_weights));
        TC_RETURN_IF_ERROR(made->Adopt(weights.blob, weights.RowsFor(NetSeries::NamesOf(options))));
      }
      return made;
    };
    if (options.load_net_late) {
      TC_RETURN_IF_ERROR(FindNetModule(options.net_module));
      auto made = std::make_unique<LateNet>(wanted.shape, std::move(make));
      late = made.get();
      net = std::move(made);
    } else {
      TC_ASSIGN_OR_RETURN(net, make());
    }
  }
  auto forecaster = std::make_unique<StreamForecaster>(options, std::move(net), late);
  if (forecaster->shape().state_floats.empty()) {
    return Status(Code::kInvalidArgument, "no expert of the pool has one of the names given");
  }
  if (late == nullptr) TC_RETURN_IF_ERROR(forecaster->Ready());
  return std::unique_ptr<Forecaster>(std::move(forecaster));
}

}  // namespace tidecast
