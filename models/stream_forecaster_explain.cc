// A forecast's mean is taken apart by going the way to it again, one thing at a time, weighed as it was mixed:
//   1. level     the same for all experts: the discounted mean of the history, without its season
//   2. recent    each expert's own present level, less that
//   3. season    with the target's season, less that
//   4. net       what moving the quantiles moved the mean by, as it was kept with the forecast
//   5. known     with the columns as they are known to be, in place of as usual
// Only what the origin knew is read: summaries are made again from the states, the mixer's weights are those that
// mixed, the columns and the season's factor were kept with the forecast.
#include <fmt/format.h>

#include <cmath>

#include "models/forecaster_work.h"

namespace tidecast {
namespace {

constexpr double kLevelDecay = .985;  ///< of the slow level, a bucket

/// Of counts drawn to the pool's typical mean with the weight of one bucket.
float SlowLevel(std::span<const float> history, std::span<const float> inverse_factor, int64_t index,
                ValueDomain domain, float prior_mean) {
  double weights = domain == ValueDomain::kReal ? 0 : 1;
  double sum = domain == ValueDomain::kReal ? 0 : static_cast<double>(prior_mean);
  double weight = 1;
  for (int64_t age = 0; age < kHistory; ++age, weight *= kLevelDecay) {
    const size_t slot = HistorySlot(index - age);
    if (!std::isfinite(history[slot])) continue;
    sum += weight * history[slot] * inverse_factor[slot];
    weights += weight;
  }
  return weights > 0 ? static_cast<float>(sum / weights) : 0;
}

}  // namespace

std::vector<Explanation> StreamForecaster::ExplainTargets(const Work& work, size_t i, const BucketContext& calendar,
                                                          std::span<const KnownTarget> targets) const {
  const size_t experts = experts_.size();
  const int64_t origin = targets[0].target.origin;
  std::vector<float> inverse_factor(kHistory), age(kHistory);
  FillSlots(origin, calendar.now.index == origin ? DayOf(calendar) : DayOfBucket(origin), inverse_factor, age);
  const std::span<const float> history = std::span(work.columns.history).subspan(i * kHistory, kHistory);
  ExpertBlock block;
  block.series = 1;
  block.index = origin;
  block.actual = history.subspan(HistorySlot(origin), 1);
  block.history = history;
  block.scale = std::span(work.scale).subspan(i, 1);
  block.demand_class = std::span(work.demand_class).subspan(i, 1);
  block.observed = std::span(work.observed).subspan(i, 1);
  block.inverse_factor = inverse_factor;
  block.age = age;
  const float prior_mean = work.columns.core[i].prior_mean;
  block.prior_mean = {&prior_mean, 1};
  block.launch = std::span(work.launch).subspan(i, 1);
  SortedHistory sorted;
  sorted.Take(block, options_.domain != ValueDomain::kReal);
  block.sorted = &sorted;
  block.calendar = &calendar;
  const float level = SlowLevel(history, inverse_factor, origin, options_.domain, prior_mean);

  std::vector<std::span<const float>> states(experts);
  std::vector<std::vector<float>> summaries(experts);
  for (size_t k = 0; k < experts; ++k) {
    const size_t floats = shape_.state_floats[k];
    states[k] = std::span(work.columns.states[k]).subspan(i * floats, floats);
    summaries[k].resize(shape_.summary_floats[k]);
    experts_[k]->Summarise(block, states[k], pool_.pooled(expert_part_[k]), summaries[k]);
  }
  const float ratio = MeanRatio();
  const auto mixer = std::span(work.columns.mixer).subspan(i * shape_.mixer_floats, shape_.mixer_floats);
  std::vector<uint8_t> awake(experts);
  std::vector<float> weights((kLevelCount + 1) * experts), means(experts);
  std::array<float, kLevelCount> quantiles;
  const auto effect_state = std::span(work.columns.effect).subspan(i * shape_.effect_floats, shape_.effect_floats);
  std::vector<Explanation> explanations;
  for (const KnownTarget& known_target : targets) {
    ForecastTarget target = known_target.target;
    const float effect = effect_.Of(known_target.known, effect_state, closing_);
    const float heard = effect > 0 ? effect : 1;
    if (effect_.any()) target.effect = {&heard, 1};
    const uint8_t row = 1;
    float zero = 0;
    for (size_t k = 0; k < experts; ++k) {
      experts_[k]->Expand(block, target, block.scale, {&row, 1}, summaries[k], pool_.pooled(expert_part_[k]),
                          {quantiles, {&means[k], 1}, {&zero, 1}, {&awake[k], 1}});
    }
    mixer_.WeightsOf(block.demand_class[0], target.group, mixer, work.columns.core[i].resolved, awake, weights, {});
    mixer_.MeanWeightsOf(mixer_.MeanPlaceOf(target.horizon), mixer, awake, weights);
    Explanation& out = explanations.emplace_back();
    double all_weights = 0, recent = 0, season = 0;
    for (size_t k = 0; k < experts; ++k) {
      const float weight = weights[kLevelCount * experts + k];
      if (!(weight > 0)) continue;
      const float present = experts_[k]->PresentLevel(
          {block, target, states[k], summaries[k], pool_.pooled(expert_part_[k]), level, means[k]});
      const double w = static_cast<double>(weight) * ratio;
      out.mean += weight * means[k];
      all_weights += w;
      recent += w * (static_cast<double>(present) - level);
      season += w * (static_cast<double>(means[k]) - present);
      out.experts.push_back({std::string(experts_[k]->name()), weight, means[k] * ratio});
    }
    if (trainer_ != nullptr)
      out.net = net_series_->ReadMeanShift(NetPart(work, i), static_cast<size_t>(target.horizon) - 1, work.scale[i]);
    out.mean = out.mean * ratio + out.net;
    out.level = static_cast<float>(all_weights * level);
    if (KeepsAboveZero() && out.mean < 0) {
      recent -= static_cast<double>(out.mean);  // what is cut off at 0
      out.mean = 0;
    }
    out.recent = static_cast<float>(recent);
    out.season = static_cast<float>(season);
    ApplyEffect(effect_state, known_target.known, effect, &out);
  }
  return explanations;
}

// A column's part is its share of the change in log demand (the logarithmic mean Divisia index: nothing is left over,
// and the order of the columns does not matter).  Source: Ang, Energy Policy 33 (2005) 867, additive form.
void StreamForecaster::ApplyEffect(std::span<const float> state, std::span<const float> known, float effect,
                                   Explanation* out) const {
  const std::vector<std::string>& names = options_.known_names;
  for (size_t c = 0; c < options_.known_covariates; ++c) {
    out->known.push_back({c < names.size() ? names[c] : fmt::format("known_{}", c + 1), 0});
  }
  if (!effect_.any()) return;
  std::vector<float> logs(options_.known_covariates);
  effect_.Logs(known, state, closing_, logs);
  double all = 0;
  for (const float log : logs) all += static_cast<double>(log);
  const float usual_effect = effect_.OfUsual(state);
  for (float* part : {&out->level, &out->recent, &out->season}) *part *= usual_effect;
  const double usual = static_cast<double>(out->level) + out->recent + out->season;
  const double change = usual * (static_cast<double>(effect) / static_cast<double>(usual_effect) - 1);
  // Changes that cancel each other: the slope at the usual columns is what the quotient tends to.
  const double a_unit_of_log = std::fabs(all) > 1e-4 ? change / all : usual;
  for (size_t c = 0; c < logs.size(); ++c) {
    out->known[c].part = static_cast<float>(static_cast<double>(logs[c]) * a_unit_of_log);
  }
  for (Explanation::Voice& voice : out->experts) voice.mean *= effect;
  out->net *= effect;
  out->mean *= effect;
}

Explanation StreamForecaster::ExplainScored(const Work& work, size_t i) const {
  const SeriesCore& core = work.columns.core[i];
  const OriginHead* head = work.columns.Origin(i, context_.now.index - 1);
  TC_CHECK(head != nullptr && core.has_published != 0 && core.published_index == context_.now.index,
           "a row without a forecast is explained");
  KnownTarget known_target{TargetOf(head->index, DayOfBucket(head->index), 1, context_.now),
                           std::span(work.columns.known).subspan(i * shape_.known_floats, options_.known_covariates)};
  ForecastTarget& target = known_target.target;
  // A blob of before factors were kept has 0.
  if (head->next_factor > 0) target.factor = head->next_factor;
  Explanation explanation = std::move(ExplainTargets(work, i, context_, {&known_target, 1})[0]);
  explanation.mean = core.published_mean;
  return explanation;
}

std::vector<Explanation> StreamForecaster::Explain(const BucketContext& context, const std::string& state) const {
  if (state.empty()) return {};
  Work work(shape_, 1, experts_.size(), options_.known_covariates);
  work.columns.Load(0, state);
  if (work.columns.core[0].has_published == 0 || work.columns.core[0].published_index != context.now.index + 1)
    return {};
  work.block.series = 1;
  work.prior_mean[0] = work.columns.core[0].prior_mean;
  Describe(work);
  std::vector<KnownTarget> targets;
  for (size_t h = 0; h < context.ahead.size(); ++h) {
    targets.push_back(
        {TargetOf(context.now.index, DayOf(context), static_cast<int>(h) + 1, context.ahead[h]),
         std::span(work.columns.known).subspan(h * options_.known_covariates, options_.known_covariates)});
  }
  return ExplainTargets(work, 0, context, targets);
}

}  // namespace tidecast
