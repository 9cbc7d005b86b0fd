// What the forecaster is made of, and what the blocks of a round have in common. What is done with a block:
//   stream_forecaster_learn.cc     its newest bucket is scored and learned from
//   stream_forecaster_forecast.cc  the next ones are forecast; stream_forecaster_net.cc has the net's side of both
//   stream_forecaster_explain.cc   a forecast is taken apart
#include "models/stream_forecaster.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/forecaster_work.h"
#include "models/mean_scale.h"
#include "models/series_statistics.h"

namespace tidecast {
namespace {

std::vector<float> PriorsOf(const std::vector<std::unique_ptr<Expert>>& experts) {
  std::vector<float> priors;
  for (const auto& expert : experts) {
    priors.push_back(static_cast<float>(expert->prior()));
  }
  return priors;
}

}  // namespace

StreamForecaster::StreamForecaster(const ForecasterOptions& options, std::unique_ptr<ResidualNet> net, LateNet* late)
    : options_(options),
      experts_(MakeExperts({options.domain, options.season_lengths, options.horizon}, options.experts)),
      plan_(options.horizon),
      mixer_(PriorsOf(experts_), options.domain == ValueDomain::kReal ? plan_.learned() : std::vector<int>()),
      calibrator_(options.domain),
      profile_(options.domain, NestedSeasons(options.season_lengths)),
      bucket_days_(YearIndex::UnitOf(options.season_lengths)),
      effect_(options.domain, options.known_covariates),
      outer_(options.domain),
      factors_(profile_.seasons().phases(), 1.0F),
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
  shape_.effect_floats = effect_.state_floats();
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
  effect_part_ = pool_.Claim(effect_.pooled_size(), effect_.sums_size());
  mean_part_ = pool_.ClaimSince(6, MeanScale::pooled_size(), MeanScale::sums_size());
  year_part_ = pool_.ClaimSince(7, YearIndex::pooled_size(), YearIndex::sums_size());
  month_part_ = pool_.ClaimSince(8, MonthProfile::pooled_size(), MonthProfile::sums_size());
  StartParts();
}

void StreamForecaster::StartParts() {
  pool_.Clear();
  for (size_t k = 0; k < experts_.size(); ++k) experts_[k]->StartPooled(pool_.pooled(expert_part_[k]));
  profile_.StartPooled(pool_.pooled(profile_part_));
  RefreshFactors();
  mixer_.Refresh(std::as_const(pool_).pooled(mixer_part_));
  if (trainer_ != nullptr) outer_.Refresh(std::as_const(pool_).pooled(outer_part_));
}

void StreamForecaster::RefreshFactors() {
  profile_.Factors(std::as_const(pool_).pooled(profile_part_), factors_);
  months_ = MonthProfile::FactorsOf(std::as_const(pool_).pooled(month_part_));
  closing_ = effect_.ClosingFlags(std::as_const(pool_).pooled(effect_part_));
  coefficients_ = effect_.PooledCoefficients(std::as_const(pool_).pooled(effect_part_));
}

float StreamForecaster::EffectOf(const Work& work, size_t series) const {
  if (!effect_.any()) return 1;
  return effect_.Of(
      std::span<const float>(work.known).subspan(series * options_.known_covariates, options_.known_covariates),
      std::span<const float>(work.columns.effect).subspan(series * shape_.effect_floats, shape_.effect_floats),
      closing_);
}

std::span<float> StreamForecaster::EffectPart(Work& work, size_t series) const {
  return std::span(work.columns.effect).subspan(series * shape_.effect_floats, shape_.effect_floats);
}

float StreamForecaster::MeanRatio() const {
  return options_.domain == ValueDomain::kReal ? 1 : MeanScale::Ratio(pool_.pooled(mean_part_));
}

ForecastTarget StreamForecaster::TargetOf(int64_t origin, std::optional<int64_t> origin_day, int horizon,
                                          const CalendarStep& step) const {
  ForecastTarget target;
  target.origin = origin;
  target.horizon = horizon;
  target.group = plan_.GroupOf(horizon);
  target.knot = plan_.KnotOf(horizon);
  if (options_.domain != ValueDomain::kReal && origin_day) {
    const int64_t day = YearIndex::LocalDay(step);
    target.year = YearIndex::Factor(pool_.pooled(year_part_), bucket_days_, *origin_day, day, target.knot);
    target.month = HasMonths() ? MonthFactor(day) : 1;
  }
  target.factor = target.year * target.month * factors_[profile_.seasons().PhaseOf(step)];
  return target;
}

void StreamForecaster::TakeContext(const BucketContext& context) {
  TC_CHECK_EQ(context.ahead.size(), static_cast<size_t>(options_.horizon));
  context_ = context;
  FillSlots(context.now.index, DayOf(context), inverse_factor_, age_);
  prior_mean_ = profile_.PriorMean(std::as_const(pool_).pooled(profile_part_));
}

void StreamForecaster::FillSlots(int64_t index, std::optional<int64_t> day, std::span<float> inverse_factor,
                                 std::span<float> age) const {
  const bool has_months = HasMonths();
  for (int64_t back = 0; back < kHistory; ++back) {
    const size_t slot = HistorySlot(index - back);
    age[slot] = static_cast<float>(back);
    inverse_factor[slot] = 1 / factors_[pool_.PhaseOf(index - back) % factors_.size()];
    if (!has_months) continue;
    if (back > 0) day = YearIndex::DayOfBucket(pool_.pooled(year_part_), index - back);
    if (day) inverse_factor[slot] /= MonthFactor(*day);
  }
}

void StreamForecaster::BeginRound(const BucketContext& context, size_t blocks) {
  TC_CHECK(!gathering_, "a round begins before the last one has learned");
  pool_.SetPhase(context.now.index, static_cast<uint16_t>(profile_.seasons().PhaseOf(context.now)));
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
  block.calendar = &context_;
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

Status StreamForecaster::Ready() {
  if (late_ != nullptr) TC_RETURN_IF_ERROR(late_->Wait());
  return trainer_ == nullptr ? Status::Ok() : trainer_->Ready();
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

}  // namespace tidecast
