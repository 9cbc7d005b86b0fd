// One arrival y(t) of a series:
//   1. for each horizon h: residual of what the present weights say at t-h, times the gain of t-h, moves the weights of
//   h
//   2. gain of t from the covariance, covariance forward by one
#include "models/rls_expert.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "engine/core/check.h"

namespace tidecast {
namespace {

constexpr float kErrorMax = 20;    ///< scales
constexpr float kRangeMargin = 3;  ///< scales
constexpr float kWildMax = 3;
constexpr double kCovarianceMax = 20;  ///< of its start, mean of the diagonal
constexpr double kLeverageMax = 1;     ///< of an origin: beyond it the regression extrapolates
constexpr float kBorneOut = .3F;       ///< of the way from the values before: at most so far are the newest two apart
constexpr uint32_t kObservedMin = 8;   ///< values before the scale says something
constexpr size_t kDaysMax = 7;
constexpr float kWave = .3F;    ///< scales: a day's eleven harmonics together are of leverage 1 when nothing is learnt
constexpr size_t kTurning = 4;  ///< waves that a coefficient turns with: two harmonics
constexpr size_t kLanes = 8;

float Dot(const float* a, const float* b, size_t n) {
  std::array<float, kLanes> lanes{};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) lanes[j] += a[i + j] * b[i + j];
  }
  float sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (const float lane : lanes) sum += lane;
  return sum;
}

double Dot(const double* a, const double* b, size_t n) {
  std::array<double, kLanes> lanes{};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) lanes[j] += a[i + j] * b[i + j];
  }
  double sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (const double lane : lanes) sum += lane;
  return sum;
}

size_t DaysOf(const RlsExpert::Shape& shape) {
  if (shape.day <= 0) return 0;
  const int64_t room = (kHistory - shape.horizon) / shape.day;
  const bool one = shape.season == RlsExpert::Season::kHour && !shape.week;
  const int64_t most = one ? 1 : static_cast<int64_t>(kDaysMax);
  return static_cast<size_t>(std::clamp<int64_t>(room, 0, most));
}

/// Of the harmonics 1 ... day / 2 - 1.
std::vector<float> WavesOf(const RlsExpert::Shape& shape) {
  std::vector<float> waves;
  if (shape.season != RlsExpert::Season::kHour) return waves;
  for (int hour = 0; hour < shape.day; ++hour) {
    for (int k = 1; k < shape.day / 2; ++k) {
      const double angle = 2 * std::numbers::pi * k * hour / shape.day;
      waves.push_back(static_cast<float>(std::sin(angle)));
      waves.push_back(static_cast<float>(std::cos(angle)));
    }
  }
  return waves;
}

}  // namespace

struct RlsExpert::Window {
  std::array<float, kHistory> value;     ///< oldest first; a missing one is the one before it, NaN before the first
  std::array<float, kHistory> day_sum;   ///< of the values one, two, ... days apart that end here
  std::array<int, kHistory + 1> absent;  ///< missing ones before here
  std::array<bool, kHistory> observed;
  int64_t index;  ///< of the newest
};

bool RlsExpert::Fits(const Shape& shape) {
  const bool hour = shape.season == Season::kHour;
  const bool day = hour ? shape.day >= 6 && DaysOf(shape) >= 1 : shape.day == 0 || DaysOf(shape) >= 2;
  return shape.lags >= 2 && shape.horizon >= 1 && shape.lags + shape.horizon <= kHistory && day;
}

RlsExpert::RlsExpert(std::string name, ValueDomain domain, const Shape& shape)
    : PointExpert(std::move(name), domain),
      memory_(shape.memory),
      horizon_(static_cast<size_t>(shape.horizon)),
      lags_(static_cast<size_t>(shape.lags)),
      day_(static_cast<size_t>(shape.day)),
      days_(DaysOf(shape)),
      week_(shape.week && shape.season == Season::kHour),
      waves_(WavesOf(shape)),
      reach_(std::max(lags_, days_ * day_)),
      width_(lags_ - 1 + (waves_.empty() ? day_ : waves_.size() / day_ + 2 * kTurning + (week_ ? 1 : 0))) {
  TC_CHECK(Fits(shape), "a history too short for this horizon");
}

size_t RlsExpert::GainSlot(int64_t index) const {
  const int64_t horizon = static_cast<int64_t>(horizon_);
  return static_cast<size_t>(((index % horizon) + horizon) % horizon);
}

void RlsExpert::Read(const float* history, int64_t index, Window* window) const {
  float before = std::numeric_limits<float>::quiet_NaN();
  window->index = index;
  window->absent[0] = 0;
  for (size_t at = 0; at < kHistory; ++at) {
    const float value = history[HistorySlot(index - kHistory + 1 + static_cast<int64_t>(at))];
    window->observed[at] = std::isfinite(value);
    if (window->observed[at]) before = value;
    window->value[at] = before;
    window->absent[at + 1] = window->absent[at] + (window->observed[at] ? 0 : 1);
  }
  const bool days = day_ > 0 && (waves_.empty() || week_);
  for (size_t at = days ? (days_ - 1) * day_ : kHistory; at < kHistory; ++at) {
    float sum = 0;
    for (size_t day = 0; day < days_; ++day) sum += window->value[at - day * day_];
    window->day_sum[at] = sum / static_cast<float>(days_);
  }
}

bool RlsExpert::Regressors(const Window& window, size_t back, float scale, float* out) const {
  const size_t end = kHistory - back;  // one after the origin
  if (end < reach_ || !std::isfinite(window.value[end - reach_])) return false;
  if (4 * static_cast<size_t>(window.absent[end] - window.absent[end - reach_]) > reach_) return false;
  const float last = window.value[end - 1];
  const float* lags = window.value.data() + end - lags_;
  for (size_t a = 0; a + 1 < lags_; ++a) out[a] = lags[a] - last;
  if (!waves_.empty()) {
    TellHour(window, end, scale, out + lags_ - 1);
    return true;
  }
  const float* profile = window.day_sum.data() + end - day_;
  for (size_t a = 0; a < day_; ++a) out[lags_ - 1 + a] = profile[a] - last;
  return true;
}

void RlsExpert::TellHour(const Window& window, size_t end, float scale, float* out) const {
  const int64_t day = static_cast<int64_t>(day_);
  const int64_t origin = window.index - static_cast<int64_t>(kHistory - end);
  const size_t count = waves_.size() / day_;
  const float* waves = waves_.data() + static_cast<size_t>(((origin % day) + day) % day) * count;
  const float last = window.value[end - 1];
  float mean = 0;  // of the newest day, less the newest value
  for (size_t at = end - day_; at + 1 < end; ++at) mean += window.value[at] - last;
  mean /= static_cast<float>(day_);
  const float step = window.value[end - 2] - last;
  for (size_t a = 0; a < count; ++a) out[a] = kWave * scale * waves[a];
  for (size_t a = 0; a < kTurning; ++a) {
    out[count + a] = mean * waves[a];
    out[count + kTurning + a] = step * waves[a];
  }
  if (!week_) return;
  float level = 0;
  for (size_t at = end - day_; at < end; ++at) level += window.day_sum[at] - last;
  out[count + 2 * kTurning] = level / static_cast<float>(day_);
}

void RlsExpert::Restart(float scale, float* state) const {
  const double start = 1 / (static_cast<double>(scale) * scale);
  float* packed = state + kHead;
  for (size_t i = 0, at = 0; i < width_; ++i) {
    for (size_t j = 0; j <= i; ++j, ++at) {
      const double value = i == j ? start : 0;
      std::memcpy(packed + 2 * at, &value, sizeof value);
    }
  }
}

bool RlsExpert::LearnWeights(const Window& window, float actual, float scale, int64_t index, float* state) const {
  std::array<float, kHistory> x;
  float* weights = state + kHead + 2 * Triangle();
  const float* gains = weights + horizon_ * width_;
  for (size_t h = 1; h <= horizon_; ++h) {
    // An origin that was missing has left no gain.
    if (!window.observed[kHistory - 1 - h]) continue;
    const size_t slot = GainSlot(index - static_cast<int64_t>(h));
    if (!Regressors(window, h, waves_.empty() ? scale : state[ScalesAt() + slot], x.data())) continue;
    float* w = weights + (h - 1) * width_;
    const float error = actual - window.value[kHistory - 1 - h] - Dot(w, x.data(), width_);
    if (h == 1) {
      state[2] = std::fabs(error) <= kErrorMax * scale ? 0 : state[2] + 1;
      if (state[2] >= kWildMax) return false;
    }
    if (!std::isfinite(error)) continue;
    const float bounded = std::clamp(error, -kErrorMax * scale, kErrorMax * scale);
    const float* gain = gains + slot * width_;
    for (size_t a = 0; a < width_; ++a) w[a] += gain[a] * bounded;
  }
  return true;
}

void RlsExpert::LearnCovariance(const float* x, float scale, int64_t index, float* state) const {
  std::array<double, kHistory> wide, along;
  std::vector<double> packed(Triangle());
  std::memcpy(packed.data(), state + kHead, Triangle() * sizeof(double));
  for (size_t a = 0; a < width_; ++a) wide[a] = static_cast<double>(x[a]);
  double trace = 0;
  const double* row = packed.data();
  for (size_t a = 0; a < width_; row += ++a) {
    along[a] = Dot(row, wide.data(), a + 1);
    for (size_t b = 0; b < a; ++b) along[b] += row[b] * wide[a];
    trace += row[a];
  }
  const double most = kCovarianceMax * static_cast<double>(width_) / (static_cast<double>(scale) * scale);
  const double memory = trace > most ? 1 : memory_;
  const double leverage = Dot(along.data(), wide.data(), width_);
  state[4] = static_cast<float>(leverage);
  // An origin unlike all before counts as far as the largest of them could.
  const double influence = leverage > kLeverageMax ? kLeverageMax / leverage : 1;
  const double spread = memory + influence * leverage;
  float* gain = state + kHead + 2 * Triangle() + (horizon_ + GainSlot(index)) * width_;
  bool sound = std::isfinite(spread) && spread > 0;
  double* to = packed.data();
  for (size_t a = 0; a < width_ && sound; to += ++a) {
    const double share = influence * along[a] / spread;
    gain[a] = static_cast<float>(share);
    for (size_t b = 0; b <= a; ++b) to[b] = (to[b] - share * along[b]) / memory;
    sound = to[a] > 0 && std::isfinite(to[a]);
  }
  if (!sound) {
    std::fill_n(gain, width_, 0.0F);
    Restart(scale, state);
    return;
  }
  std::memcpy(state + kHead, packed.data(), Triangle() * sizeof(double));
}

void RlsExpert::Step(const ExpertBlock& block, std::span<float> states, std::span<const double>) const {
  Window window;
  std::array<float, kHistory> x;
  for (size_t i = 0; i < block.series; ++i) {
    const float actual = block.actual[i];
    if (!std::isfinite(actual)) continue;
    float* state = states.data() + i * state_floats();
    const float scale = block.scale[i];
    const bool first = block.observed[i] <= 1;
    state[0] = first ? actual : std::min(state[0], actual);
    state[1] = first ? actual : std::max(state[1], actual);
    if (block.observed[i] < kObservedMin) continue;
    Read(block.history.data() + i * kHistory, block.index, &window);
    if (state[3] == 0) Restart(scale, state);
    if (!LearnWeights(window, actual, scale, block.index, state)) {
      std::fill(state + kHead + 2 * Triangle(), state + state_floats(), 0.0F);
      Restart(scale, state);
      state[2] = 0;
      state[3] = 1;
    }
    if (!Regressors(window, 0, scale, x.data())) continue;
    if (!waves_.empty()) state[ScalesAt() + GainSlot(block.index)] = scale;
    LearnCovariance(x.data(), scale, block.index, state);
    state[3] += 1;
  }
}

bool RlsExpert::HasNewLevel(const Window& window) const {
  if (lags_ <= 2) return false;  // nothing before the newest two
  const float last = window.value[kHistory - 1];
  const float* before = window.value.data() + kHistory - lags_;
  float mean = 0;
  for (size_t a = 0; a + 2 < lags_; ++a) mean += before[a];
  mean /= static_cast<float>(lags_ - 2);
  return std::fabs(last - window.value[kHistory - 2]) <= kBorneOut * std::fabs(last - mean);
}

void RlsExpert::Summarise(const ExpertBlock& block, std::span<const float> states, std::span<const double>,
                          std::span<float> summaries) const {
  Window window;
  std::array<float, kHistory> x;
  for (size_t i = 0; i < block.series; ++i) {
    const float* state = states.data() + i * state_floats();
    float* out = summaries.data() + i * summary_floats();
    std::fill_n(out, summary_floats(), 0.0F);
    if (state[3] < static_cast<float>(width_)) continue;
    Read(block.history.data() + i * kHistory, block.index, &window);
    const bool wild = !(state[4] <= static_cast<float>(kLeverageMax));
    if (wild && !HasNewLevel(window)) continue;
    const float share = wild ? 1 / std::sqrt(state[4]) : 1;
    const float scale = block.scale[i];
    if (!Regressors(window, 0, scale, x.data())) continue;
    out[horizon_] = 1;  // awake
    const float last = window.value[kHistory - 1];
    const float least = state[0] - kRangeMargin * scale, most = state[1] + kRangeMargin * scale;
    const float* weights = state + kHead + 2 * Triangle();
    for (size_t h = 0; h < horizon_; ++h) {
      const float change = share * Dot(weights + h * width_, x.data(), width_);
      const float value = std::isfinite(change) ? last + change : last;
      out[h] = (std::clamp(value, least, most) - last) / scale;
    }
  }
}

PointExpert::Point RlsExpert::PointOf(const ExpertBlock& block, size_t series, const ForecastTarget& target,
                                      float scale, const float* summary, std::span<const double>) const {
  float last = 0;
  if (summary[horizon_] <= 0 || !NewestAt(block, series, target.origin, &last)) return {};
  return {last + summary[target.horizon - 1] * scale, scale, true};
}

float RlsExpert::PresentLevel(const OneForecast& one) const {
  if (day_ == 0) return one.mean;
  Window window;
  std::array<float, kHistory> x;
  Read(one.block.history.data(), one.block.index, &window);
  if (!Regressors(window, 0, one.block.scale[0], x.data())) return one.mean;
  const float* weights =
      one.state.data() + kHead + 2 * Triangle() + static_cast<size_t>(one.target.horizon - 1) * width_;
  const float change = Dot(weights, x.data(), width_);
  if (!std::isfinite(change) || change == 0) return one.mean;
  // What the range took off is taken off both alike.
  const float last = window.value[kHistory - 1];
  const float kept = (one.mean - last) / change;
  const float week = week_ ? weights[width_ - 1] * x[width_ - 1] : 0;
  return last + kept * (Dot(weights, x.data(), lags_ - 1) + week);
}

}  // namespace tidecast
