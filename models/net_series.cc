#include "models/net_series.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tidecast {
namespace {

constexpr Half kMissing = 0x7e00;
constexpr int64_t kNever = INT64_MIN;

void Put(std::span<char> part, size_t at, Half half) { std::memcpy(part.data() + at * sizeof(Half), &half, sizeof half); }
Half Get(std::span<const char> part, size_t at) {
  Half half;
  std::memcpy(&half, part.data() + at * sizeof(Half), sizeof half);
  return half;
}

/// Covariates of any size as the net can take them; absent ones as 0.
float Tame(float value) { return std::isfinite(value) ? std::copysign(std::log1p(std::fabs(value)), value) : 0; }

}  // namespace

NetShape NetSeries::ShapeOf(const ForecasterOptions& options) {
  NetShape shape;
  shape.horizon = options.horizon;
  shape.inputs = static_cast<int>(kOwn + 1 + options.past_covariates + options.known_covariates + options.calendar_features + 1);
  shape.known = static_cast<int>(options.calendar_features + options.known_covariates + 1);
  shape.statics = 3;
  return shape;
}

NetSeries::NetSeries(const ForecasterOptions& options, size_t state_floats)
    : options_(options), shape_(ShapeOf(options)), state_floats_(state_floats) {
  const int horizon = options.horizon;
  for (const int h : {1, (horizon + 1) / 2, horizon}) {
    if (outer_.empty() || h > outer_.back()) outer_.push_back(h);
  }
  ring_at_ = state_at_ + state_floats;
  size_t at = ring_at_ + static_cast<size_t>(shape_.window) * own_width();
  for (const int h : outer_) {
    outer_at_.push_back(at);
    at += static_cast<size_t>(h) * kLevelCount;
  }
  halves_ = at;
}

size_t NetSeries::RingAt(int64_t index) const {
  const int64_t window = shape_.window;
  return ring_at_ + static_cast<size_t>(((index % window) + window) % window) * own_width();
}

void NetSeries::Start(std::span<char> part) const {
  std::memset(part.data(), 0, part.size());
  std::memcpy(part.data(), &kNever, sizeof kNever);
  for (size_t at = ring_at_; at < halves_; ++at) Put(part, at, kMissing);
}

void NetSeries::TakeInput(std::span<char> part, int64_t index, float actual, float scale, float residual,
                          std::span<const float> past, std::span<const float> known) const {
  int64_t last = kNever;
  std::memcpy(&last, part.data(), sizeof last);
  if (last != kNever) {
    for (int64_t gap = std::max(last + 1, index - shape_.window + 1); gap < index; ++gap) Put(part, RingAt(gap), kMissing);
  }
  std::memcpy(part.data(), &index, sizeof index);
  size_t at = RingAt(index);
  const bool there = std::isfinite(actual);
  const float ratio = there ? actual / scale : 0;
  const float level = options_.domain == ValueDomain::kReal ? std::asinh(ratio) : std::log1p(std::max(0.0F, ratio));
  Put(part, at++, there ? ToHalf(level) : kMissing);
  Put(part, at++, ToHalf(std::log(scale)));
  Put(part, at++, ToHalf(std::isfinite(residual) ? std::clamp(residual, -8.0F, 8.0F) : 0));
  for (const float value : past) Put(part, at++, ToHalf(Tame(value)));
  for (size_t k = 0; k < options_.known_covariates; ++k) Put(part, at++, ToHalf(Tame(known[k])));
}

void NetSeries::ReadInput(std::span<const char> part, int64_t index, std::span<const float> shared_row,
                          std::span<float> inputs, float* mask) const {
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
  for (size_t k = 1; k < own_width(); ++k) inputs[k + 1] = FromHalf(Get(part, at + k));
  inputs[2] *= .25F;  // log s: of the order of the others
  std::copy(shared_row.begin(), shared_row.end(), inputs.begin() + static_cast<ptrdiff_t>(own_width() + 1));
}

void NetSeries::ReadState(std::span<const char> part, std::span<float> state) const {
  for (size_t i = 0; i < state_floats_; ++i) state[i] = FromHalf(Get(part, state_at_ + i));
}

void NetSeries::WriteState(std::span<char> part, std::span<const float> state) const {
  for (size_t i = 0; i < state_floats_; ++i) Put(part, state_at_ + i, ToHalf(std::isfinite(state[i]) ? state[i] : 0));
}

void NetSeries::Statics(const SeriesCore& core, float scale, std::span<float> statics) const {
  statics[0] = .25F * std::log(scale);
  statics[1] = .25F * std::log1p(static_cast<float>(core.observed));
  statics[2] = core.nonzero_weight > 0 ? core.nonzero_sum / core.nonzero_weight : 0;
}

void NetSeries::Known(const CalendarStep& step, float factor, std::span<const float> covariates, std::span<float> known) const {
  TC_CHECK_EQ(step.features.size(), options_.calendar_features);
  size_t at = 0;
  for (const float feature : step.features) known[at++] = feature;
  for (const float value : covariates) known[at++] = Tame(value);
  known[at] = std::log(factor);
}

void NetSeries::WriteCorrection(std::span<char> part, size_t outer, int64_t origin, std::span<const float> net,
                                std::span<const float> base, float scale) const {
  const int64_t h = outer_[outer];
  const size_t at = outer_at_[outer] + static_cast<size_t>(((origin % h) + h) % h) * kLevelCount;
  for (size_t l = 0; l < kLevelCount; ++l) Put(part, at + l, ToHalf((net[l] - base[l]) / scale));
}

void NetSeries::ReadCorrection(std::span<const char> part, size_t outer, int64_t origin, std::span<float> correction) const {
  const int64_t h = outer_[outer];
  const size_t at = outer_at_[outer] + static_cast<size_t>(((origin % h) + h) % h) * kLevelCount;
  for (size_t l = 0; l < kLevelCount; ++l) correction[l] = FromHalf(Get(part, at + l));
}

}  // namespace tidecast
