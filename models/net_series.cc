#include "models/net_series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace tidecast {
namespace {

constexpr Half kMissing = 0x7e00;
constexpr int64_t kNever = INT64_MIN;

void Put(std::span<char> part, size_t at, Half half) {
  std::memcpy(part.data() + at * sizeof(Half), &half, sizeof half);
}
Half Get(std::span<const char> part, size_t at) {
  Half half;
  std::memcpy(&half, part.data() + at * sizeof(Half), sizeof half);
  return half;
}

/// Experts whose words the net hears, by slot; a name ending in _ stands for all that begin so.
constexpr std::string_view kExpertNames[NetSeries::kExpertSlots] = {
    "persistence",  "seasonal_naive_", "profile_",      "count_table_970",
    "smoothing_20", "empirical_960",   "empirical_985", "count_table_800"};
constexpr double kCovariateForget = .98;

/// Covariates of any size as the net can take them; absent ones as NaN.
float Tame(float value) {
  return std::isfinite(value) ? std::copysign(std::log1p(std::fabs(value)), value)
                              : std::numeric_limits<float>::quiet_NaN();
}
float Bounded(float value, float limit) { return std::isfinite(value) ? std::clamp(value, -limit, limit) : 0; }

/// A covariate's two numbers: its place in the pool, and against the series's own mean.
void Place(float value, size_t k, const NetSeries::CovariateScale& scale, std::span<const float> own_means,
           std::span<float> out) {
  out[0] = Bounded((value - scale.mean[k]) * scale.inverse_deviation[k], 4);
  out[1] = Bounded((value - own_means[k]) * scale.inverse_own_deviation[k], 4);
}

}  // namespace

NetShape NetSeries::ShapeOf(const ForecasterOptions& options) {
  NetShape shape;
  shape.horizon = options.horizon;
  shape.positions = 8;
  shape.inputs = static_cast<int>(kOwn + 1 + 2 * (options.past_covariates + options.known_covariates) +
                                  options.calendar_features + 1);
  shape.known = static_cast<int>(options.calendar_features + 2 * options.known_covariates + 1 + kSeasonal +
                                 kExpertSlots * kExpertNumbers);
  shape.statics = static_cast<int>(kStatics);
  if (options.net == NetKind::kMlp) shape.layers = 0;
  if (options.net == NetKind::kGru) shape.encoder = NetEncoder::kGru;
  if (options.net == NetKind::kTcn) shape.encoder = NetEncoder::kTcn;
  if (options.net == NetKind::kAttention) shape.encoder = NetEncoder::kAttention;
  if (!options.net_ids) shape.id_buckets = 1;
  return shape;
}

NetNames NetSeries::NamesOf(const ForecasterOptions& options) {
  NetNames names;
  const auto calendar = [&](std::vector<std::string>& list) {
    // Days of a week mean the same with five, six or seven of them; other seasons are a meaning of their own.
    const int season = options.season_lengths.empty() ? 1 : options.season_lengths[0];
    const std::string of = season >= 5 && season <= 7 ? "week" : std::to_string(season);
    for (size_t i = 0; i < options.calendar_features; ++i) list.push_back(fmt::format("calendar_{}_of_{}", i, of));
  };
  const auto covariates = [](std::vector<std::string>& list, const char* kind, size_t count) {
    for (size_t k = 0; k < count; ++k) {
      for (const char* what : {"place", "own"}) list.push_back(fmt::format("{}_{}_{}", kind, k, what));
    }
  };
  names.inputs = {"level", "zero", "log_scale", "residual"};
  covariates(names.inputs, "past", options.past_covariates);
  covariates(names.inputs, "known", options.known_covariates);
  calendar(names.inputs);
  names.inputs.push_back("demand_index");
  calendar(names.known);
  covariates(names.known, "known", options.known_covariates);
  for (const char* name : {"log_factor", "season_mean", "season_newest"}) names.known.push_back(name);
  for (const std::string_view expert : kExpertNames) {
    for (const char* what : {"median", "high"}) names.known.push_back(fmt::format("{}{}", expert, what));
  }
  names.statics = {"log_scale", "log_observed", "nonzero", "mean_3",     "mean_7",    "mean_14",
                   "mean_28",   "deviation_28", "mean_84", "largest_28", "since_sale"};
  return names;
}

NetSeries::NetSeries(const ForecasterOptions& options, size_t state_floats)
    : options_(options), shape_(ShapeOf(options)), state_floats_(state_floats) {
  outer_ = HorizonPlan(options.horizon).outer(options.domain);
  ring_at_ = state_at_ + state_floats;
  size_t at = ring_at_ + static_cast<size_t>(shape_.window) * own_width();
  for (const int h : outer_) {
    outer_at_.push_back(at);
    at += static_cast<size_t>(h) * kLevelCount;
  }
  mean_shifts_at_ = at;
  halves_ = at + static_cast<size_t>(options.horizon);
}

size_t NetSeries::RingAt(int64_t index) const {
  const int64_t window = shape_.window;
  return ring_at_ + static_cast<size_t>(((index % window) + window) % window) * own_width();
}

void NetSeries::Start(std::span<char> part) const {
  std::memset(part.data(), 0, part.size());
  std::memcpy(part.data(), &kNever, sizeof kNever);
  for (size_t at = ring_at_; at < mean_shifts_at_; ++at) Put(part, at, kMissing);
}

void NetSeries::TakeInput(std::span<char> part, int64_t index, float actual, float scale, float residual,
                          std::span<const float> past, std::span<const float> known) const {
  int64_t last = kNever;
  std::memcpy(&last, part.data(), sizeof last);
  if (last != kNever) {
    for (int64_t gap = std::max(last + 1, index - shape_.window + 1); gap < index; ++gap) {
      for (size_t k = 0; k < own_width(); ++k) Put(part, RingAt(gap) + k, kMissing);
    }
  }
  std::memcpy(part.data(), &index, sizeof index);
  size_t at = RingAt(index);
  const bool there = std::isfinite(actual);
  const float ratio = there ? actual / scale : 0;
  Put(part, at++, there ? ToHalf(Level(ratio)) : kMissing);
  Put(part, at++, ToHalf(std::log(scale)));
  Put(part, at++, ToHalf(std::isfinite(residual) ? std::clamp(residual, -8.0F, 8.0F) : 0));
  for (const float value : past) Put(part, at++, ToHalf(Tame(value)));
  for (size_t k = 0; k < options_.known_covariates; ++k) Put(part, at++, ToHalf(Tame(known[k])));
}

NetSeries::CovariateScale NetSeries::ScaleOf(std::span<const double> pooled) const {
  CovariateScale scale;
  for (size_t k = 0; k < covariates(); ++k) {
    const std::span<const double> numbers = pooled.subspan(k * kCovariateNumbers, kCovariateNumbers);
    const double mean = numbers[0] > 0 ? numbers[1] / numbers[0] : 0;
    const double variance = numbers[0] > 0 ? numbers[2] / numbers[0] - mean * mean : 0;
    const double own_variance = numbers[3] > 0 ? numbers[4] / numbers[3] : 0;
    const auto inverse = [](double squares) {
      return squares > 1e-10 ? static_cast<float>(1 / std::sqrt(squares)) : 0.0F;
    };
    scale.mean.push_back(static_cast<float>(mean));
    scale.inverse_deviation.push_back(inverse(variance));
    scale.inverse_own_deviation.push_back(inverse(own_variance));
  }
  return scale;
}

void NetSeries::GatherCovariates(std::span<const char> part, std::span<const float> past, std::span<const float> known,
                                 std::span<double> sums) const {
  std::vector<float> means(covariates());
  OwnMeans(part, means);
  for (size_t k = 0; k < covariates(); ++k) {
    const auto value = static_cast<double>(Tame(k < past.size() ? past[k] : known[k - past.size()]));
    if (!std::isfinite(value)) continue;
    const std::span<double> own = sums.subspan(k * kCovariateNumbers, kCovariateNumbers);
    own[0] += 1;
    own[1] += value;
    own[2] += value * value;
    if (!std::isfinite(means[k])) continue;
    own[3] += 1;
    own[4] += (value - static_cast<double>(means[k])) * (value - static_cast<double>(means[k]));
  }
}

void NetSeries::FoldCovariates(std::span<const double> sums, std::span<double> pooled) {
  for (size_t i = 0; i < pooled.size(); ++i) pooled[i] = kCovariateForget * pooled[i] + sums[i];
}

void NetSeries::OwnMeans(std::span<const char> part, std::span<float> means) const {
  for (size_t k = 0; k < covariates(); ++k) {
    float sum = 0, count = 0;
    for (size_t step = 0; step < static_cast<size_t>(shape_.window); ++step) {
      const float value = FromHalf(Get(part, ring_at_ + step * own_width() + kOwn + k));
      if (!std::isfinite(value)) continue;
      sum += value;
      count += 1;
    }
    means[k] = count > 0 ? sum / count : std::numeric_limits<float>::quiet_NaN();
  }
}

void NetSeries::ReadInput(std::span<const char> part, int64_t index, std::span<const float> shared_row,
                          const CovariateScale& scale, std::span<const float> own_means, std::span<float> inputs,
                          float* mask) const {
  const size_t at = RingAt(index);
  const float level = FromHalf(Get(part, at));
  if (!std::isfinite(level)) {
    std::fill(inputs.begin(), inputs.end(), 0.0F);
    *mask = 0;
    return;
  }
  *mask = 1;
  inputs[0] = level;
  inputs[1] = level == 0 ? 1 : 0;
  inputs[2] = .25F * FromHalf(Get(part, at + 1));  // log s: of the order of the others
  inputs[3] = FromHalf(Get(part, at + 2));
  for (size_t k = 0; k < covariates(); ++k)
    Place(FromHalf(Get(part, at + kOwn + k)), k, scale, own_means, inputs.subspan(kOwn + 1 + 2 * k, 2));
  std::copy(shared_row.begin(), shared_row.end(), inputs.begin() + static_cast<ptrdiff_t>(kOwn + 1 + 2 * covariates()));
}

void NetSeries::ReadState(std::span<const char> part, std::span<float> state) const {
  for (size_t i = 0; i < state_floats_; ++i) state[i] = FromHalf(Get(part, state_at_ + i));
}

void NetSeries::WriteState(std::span<char> part, std::span<const float> state) const {
  for (size_t i = 0; i < state_floats_; ++i) Put(part, state_at_ + i, ToHalf(std::isfinite(state[i]) ? state[i] : 0));
}

float NetSeries::Level(float ratio) const {
  return options_.domain == ValueDomain::kReal ? std::asinh(ratio) : std::log1p(std::max(0.0F, ratio));
}

int NetSeries::ExpertSlot(std::string_view name) {
  for (size_t slot = 0; slot < kExpertSlots; ++slot) {
    if (kExpertNames[slot].ends_with('_') ? name.starts_with(kExpertNames[slot]) : name == kExpertNames[slot])
      return static_cast<int>(slot);
  }
  return -1;
}

void NetSeries::Statics(const SeriesCore& core, float scale, std::span<const float> history, int64_t index,
                        std::span<float> statics) const {
  constexpr int64_t kSpans[] = {3, 7, 14, 28, 84};
  size_t at = 0;
  statics[at++] = .25F * std::log(scale);
  statics[at++] = .25F * std::log1p(static_cast<float>(core.observed));
  statics[at++] = core.nonzero_weight > 0 ? core.nonzero_sum / core.nonzero_weight : 0;
  float sum = 0, squares = 0, count = 0, largest = 0;
  int64_t age = 0;
  int64_t since_sale = kSpans[4];
  for (const int64_t span : kSpans) {
    for (; age < std::min<int64_t>(span, core.age); ++age) {
      const float value = history[HistorySlot(index - age)];
      if (!std::isfinite(value)) continue;
      const float ratio = value / scale;
      sum += ratio;
      count += 1;
      if (age < 28) {
        squares += ratio * ratio;
        largest = std::max(largest, ratio);
      }
      if (value != 0) since_sale = std::min(since_sale, age);
    }
    const float mean = count > 0 ? sum / count : 0;
    statics[at++] = Level(mean);
    if (span == 28)
      statics[at++] = count > 0 ? .5F * std::log1p(std::sqrt(std::max(0.0F, squares / count - mean * mean))) : 0;
  }
  statics[at++] = .5F * Level(largest);
  statics[at++] = .25F * std::log1p(static_cast<float>(since_sale));
  TC_CHECK_EQ(at, kStatics);
}

void NetSeries::Known(const Ahead& ahead, const CovariateScale& scale, std::span<const float> own_means,
                      std::span<float> known) const {
  TC_CHECK_EQ(ahead.step.features.size(), options_.calendar_features);
  size_t at = 0;
  for (const float feature : ahead.step.features) known[at++] = feature;
  for (size_t k = 0; k < options_.known_covariates; ++k, at += 2) {
    Place(Tame(ahead.covariates[k]), options_.past_covariates + k, scale, own_means, known.subspan(at, 2));
  }
  known[at++] = std::log(ahead.factor);
  const int64_t season = options_.season_lengths.empty() ? 1 : options_.season_lengths[0];
  float sum = 0, count = 0, newest = 0;
  const int64_t target = ahead.index + ahead.horizon;
  for (int64_t back = (ahead.horizon + season - 1) / season;
       target - back * season > ahead.index - kHistory && count < 4; ++back) {
    const float value = ahead.history[HistorySlot(target - back * season)];
    if (!std::isfinite(value)) continue;
    if (count == 0) newest = value;
    sum += value;
    count += 1;
  }
  const float center = Level(ahead.base[kMedian] / ahead.scale);
  const float high = Level(ahead.base[10] / ahead.scale);
  known[at++] = count > 0 ? Bounded(Level(sum / count / ahead.scale) - center, 4) : 0;
  known[at++] = count > 0 ? Bounded(Level(newest / ahead.scale) - center, 4) : 0;
  for (size_t slot = 0; slot < kExpertSlots; ++slot) {
    known[at++] = Bounded(Level(ahead.experts[2 * slot] / ahead.scale) - center, 4);
    known[at++] = Bounded(Level(ahead.experts[2 * slot + 1] / ahead.scale) - high, 4);
  }
}

void NetSeries::WriteCorrection(std::span<char> part, size_t outer, int64_t origin, std::span<const float> net,
                                std::span<const float> base, float scale) const {
  const int64_t h = outer_[outer];
  const size_t at = outer_at_[outer] + static_cast<size_t>(((origin % h) + h) % h) * kLevelCount;
  for (size_t l = 0; l < kLevelCount; ++l) Put(part, at + l, ToHalf((net[l] - base[l]) / scale));
}

void NetSeries::ReadCorrection(std::span<const char> part, size_t outer, int64_t origin,
                               std::span<float> correction) const {
  const int64_t h = outer_[outer];
  const size_t at = outer_at_[outer] + static_cast<size_t>(((origin % h) + h) % h) * kLevelCount;
  for (size_t l = 0; l < kLevelCount; ++l) correction[l] = FromHalf(Get(part, at + l));
}

void NetSeries::WriteMeanShift(std::span<char> part, size_t step, float shift, float scale) const {
  Put(part, mean_shifts_at_ + step, ToHalf(shift / scale));
}

float NetSeries::ReadMeanShift(std::span<const char> part, size_t step, float scale) const {
  return scale * FromHalf(Get(part, mean_shifts_at_ + step));
}

}  // namespace tidecast
