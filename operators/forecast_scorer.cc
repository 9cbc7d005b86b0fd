// Forecasts wait under the bucket that they are about. A bucket is scored from its rows whenever they have changed
// since, and once for all when no revision can come any more:
//   1. OnForecast     files mean and quantiles under each step
//   2. OnBucket       notes the actual, marks the bucket and the one a week later as changed
//   3. OnBucketEnd    settles what is older than the allowed lateness: adds its sums, frees its forecasts; those that
//                     come later still (the model lags behind) are scored and settled in their turn
//   4. Figures        settled sums + those of the buckets that are still open to revision
#include "operators/forecast_scorer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

constexpr size_t kWidth = 1 + kLevelCount;  // mean, quantiles
constexpr size_t kForecastBytes = sizeof(uint32_t) + kWidth * sizeof(float);
constexpr size_t kFirstDecile = 2;  // index of .1 in kLevels
constexpr size_t kDeciles = 9;
static_assert(kLevels[kFirstDecile] == .1F && kLevels[kFirstDecile + kDeciles - 1] == .9F && kLevels[kMedian] == .5F);
constexpr float kNoRow = std::numeric_limits<float>::quiet_NaN();
constexpr Duration kWeek = std::chrono::hours(7 * 24);
constexpr size_t kSeriesBytes = 96;

// The top bits of the name's hash must all be zero, one for each halving.
bool InSample(std::string_view series, int halvings) {
  return halvings == 0 || Hash64(series, 0x73636f7265ULL) >> (64 - halvings) == 0;
}

}  // namespace

void ForecastScorer::Sums::Add(const Sums& other) {
  count += other.count;
  absolute_actual += other.absolute_actual;
  pinball += other.pinball;
  naive_error += other.naive_error;
  median_error += other.median_error;
  residual += other.residual;
  for (size_t b = 0; b < inside.size(); ++b) inside[b] += other.inside[b];
}

AccuracyFigures ForecastScorer::Sums::Figures() const {
  AccuracyFigures figures;
  figures.forecasts = count;
  if (count == 0) return figures;
  const double n = static_cast<double>(count);
  figures.coverage_50 = inside[0] / n;
  figures.coverage_80 = inside[1] / n;
  figures.coverage_95 = inside[3] / n;
  if (absolute_actual <= 0) return figures;
  figures.wql = pinball / absolute_actual;
  figures.wql_seasonal_naive = naive_error / absolute_actual;
  figures.wape = median_error / absolute_actual;
  figures.bias = residual / absolute_actual;
  return figures;
}

ForecastScorer::ForecastScorer(const BucketCalendar& calendar, Options options)
    : calendar_(calendar), options_(options), settled_(static_cast<size_t>(options.horizon)) {
  // Of each series: H (H + 1) / 2 forecasts of a horizon H, those of the buckets that may still be revised, and the
  // rows from a week before the oldest of them on, in vectors that grow by doubling.
  const size_t steps = static_cast<size_t>(options.horizon);
  const BucketCalendar::Span bucket = calendar.BucketOf(EventTime{0});
  const auto buckets = [&](Duration time) { return static_cast<size_t>(time / (bucket.end - bucket.start)) + 1; };
  const size_t revisable = buckets(options.allowed_lateness) + 1;
  const size_t forecasts = steps * (steps + 1) / 2 + steps * revisable;
  const size_t rows = steps + revisable + 2 * buckets(kWeek);
  series_max_ = std::max<size_t>(
      1, options.memory_bytes_max / (kSeriesBytes + forecasts * kForecastBytes + 2 * rows * sizeof(float)));
}

std::optional<uint32_t> ForecastScorer::SeriesId(std::string_view series) {
  if (!InSample(series, halvings_)) return std::nullopt;
  const auto known = ids_.find(series);
  if (known != ids_.end()) return known->second;
  while (ids_.size() >= series_max_) {
    Thin();
    if (!InSample(series, halvings_)) return std::nullopt;
  }
  const auto id = static_cast<uint32_t>(ids_.size());
  ids_.emplace(series, id);
  last_cutoff_.push_back(EventTime::Min());
  return id;
}

void ForecastScorer::Thin() {
  constexpr uint32_t kGone = UINT32_MAX;
  ++halvings_;
  std::vector<uint32_t> moved(last_cutoff_.size(), kGone);
  std::vector<EventTime> cutoffs;
  for (auto row = ids_.begin(); row != ids_.end();) {
    if (!InSample(row->first, halvings_)) {
      row = ids_.erase(row);
      continue;
    }
    moved[row->second] = static_cast<uint32_t>(cutoffs.size());
    cutoffs.push_back(last_cutoff_[row->second]);
    row->second = moved[row->second];
    ++row;
  }
  last_cutoff_ = std::move(cutoffs);
  for (auto& [start, actuals] : actuals_) {
    Actuals kept(last_cutoff_.size(), kNoRow);
    for (size_t id = 0; id < actuals.size(); ++id) {
      if (moved[id] != kGone) kept[moved[id]] = actuals[id];
    }
    actuals = std::move(kept);
  }
  for (auto& [start, target] : targets_) {
    target.changed = true;
    for (Made& made : target.made) {
      size_t kept = 0;
      for (size_t i = 0; i < made.series.size(); ++i) {
        const uint32_t id = moved[made.series[i]];
        if (id == kGone) continue;
        made.series[kept] = id;
        std::copy_n(made.values.begin() + static_cast<std::ptrdiff_t>(i * kWidth), kWidth,
                    made.values.begin() + static_cast<std::ptrdiff_t>(kept * kWidth));
        ++kept;
      }
      forecast_bytes_ -= (made.series.size() - kept) * kForecastBytes;
      made.series.resize(kept);
      made.values.resize(kept * kWidth);
      made.series.shrink_to_fit();
      made.values.shrink_to_fit();
    }
  }
}

bool ForecastScorer::Follows(std::string_view series) const { return InSample(series, halvings_); }

double ForecastScorer::sample_share() const { return std::ldexp(1.0, -halvings_); }

EventTime ForecastScorer::WeekEarlier(EventTime start) const {
  // From the middle of the bucket, so that a clock change moves it to no neighbour. Buckets of a week and longer: the
  // one before.
  const EventTime end = calendar_.BucketOf(start).end;
  const EventTime earlier = calendar_.BucketOf(start + (end - start) / 2 - kWeek).start;
  return earlier < start ? earlier : calendar_.Previous(start).start;
}

void ForecastScorer::OnForecast(const SeriesForecast& forecast, EventTime cutoff, std::span<const EventTime> steps) {
  const size_t horizon = forecast.mean.size();
  TC_CHECK_EQ(forecast.quantiles.size(), horizon * kLevelCount);
  TC_CHECK_LE(horizon, steps.size());
  TC_CHECK_LE(horizon, settled_.size());
  newest_cutoff_ = std::max(newest_cutoff_, cutoff);
  if (forecast.age_buckets < options_.age_buckets_min) return;
  const std::optional<uint32_t> id = SeriesId(forecast.series);
  if (!id || cutoff <= last_cutoff_[*id]) return;
  last_cutoff_[*id] = cutoff;
  for (size_t h = 0; h < horizon; ++h) {
    Target& target = targets_[steps[h]];
    if (target.made.empty() || target.made.back().cutoff != cutoff) {
      target.made.push_back({cutoff, static_cast<int>(h) + 1, {}, {}});
    }
    target.changed = true;  // its rows may be there already: the rounds may lag behind the windows
    Made& made = target.made.back();
    made.series.push_back(*id);
    made.values.push_back(forecast.mean[h]);
    const std::span<const float> quantiles = forecast.quantiles.subspan(h * kLevelCount, kLevelCount);
    made.values.insert(made.values.end(), quantiles.begin(), quantiles.end());
    forecast_bytes_ += kForecastBytes;
  }
}

void ForecastScorer::OnBucket(const ClosedBucket& bucket) {
  TC_CHECK_LT(options_.target_feature, bucket.features.size());
  const std::optional<uint32_t> id = SeriesId(bucket.series);
  if (!id) return;
  Actuals& actuals = actuals_[bucket.start];
  if (actuals.size() <= *id) actuals.resize(std::max<size_t>(*id + 1, ids_.size()), kNoRow);
  actuals[*id] = static_cast<float>(bucket.features[options_.target_feature]);
  const auto own = targets_.find(bucket.start);
  if (own != targets_.end()) own->second.changed = true;
  if (bucket.revision > 1) {
    // Also the buckets that take this one as their value of a week earlier.
    for (auto later = targets_.lower_bound(bucket.start);
         later != targets_.end() && later->first <= bucket.start + kWeek * 2; ++later) {
      later->second.changed = true;
    }
  }
}

const std::vector<ForecastScorer::Sums>& ForecastScorer::ScoreOf(EventTime start, const Target& target) const {
  if (!target.changed) return target.by_horizon;
  target.changed = false;
  target.by_horizon.assign(settled_.size(), {});
  const auto now = actuals_.find(start);
  const auto week = actuals_.find(WeekEarlier(start));
  if (now == actuals_.end() || week == actuals_.end()) return target.by_horizon;
  const auto value = [](const Actuals& actuals, uint32_t id) { return id < actuals.size() ? actuals[id] : kNoRow; };
  for (const Made& made : target.made) {
    Sums& sums = target.by_horizon[static_cast<size_t>(made.horizon) - 1];
    for (size_t i = 0; i < made.series.size(); ++i) {
      const double actual = value(now->second, made.series[i]);
      const double naive = value(week->second, made.series[i]);
      if (!std::isfinite(actual) || !std::isfinite(naive)) continue;
      const float* values = made.values.data() + i * kWidth;
      const float* quantiles = values + 1;
      double pinball = 0;
      for (size_t d = kFirstDecile; d < kFirstDecile + kDeciles; ++d) {
        const double residual = actual - quantiles[d];
        const double level = static_cast<double>(d - kFirstDecile + 1) / 10;
        pinball += residual >= 0 ? level * residual : (level - 1) * residual;
      }
      const auto inside = BandCoverage(options_.domain, static_cast<float>(actual), {quantiles, kLevelCount});
      ++sums.count;
      sums.absolute_actual += std::abs(actual);
      sums.pinball += 2 * pinball / kDeciles;
      sums.naive_error += std::abs(actual - naive);
      sums.median_error += std::abs(actual - quantiles[kMedian]);
      sums.residual += actual - values[0];
      for (size_t b = 0; b < inside.size(); ++b) sums.inside[b] += inside[b];
    }
  }
  return target.by_horizon;
}

void ForecastScorer::OnBucketEnd(EventTime end) {
  // A row may be revised up to the very end of its time: where there is lateness, a bucket waits one bucket longer.
  const EventTime settled = end - options_.allowed_lateness;
  const bool revisable = options_.allowed_lateness.count() > 0;
  while (!targets_.empty()) {
    const auto first = targets_.begin();
    const BucketCalendar::Span next = calendar_.Next(first->first);
    if ((revisable ? next.end : next.start) > settled) break;
    const std::vector<Sums>& sums = ScoreOf(first->first, first->second);
    for (size_t h = 0; h < sums.size(); ++h) settled_[h].Add(sums[h]);
    for (const Made& made : first->second.made) forecast_bytes_ -= made.series.size() * kForecastBytes;
    targets_.erase(first);
  }
  // Rows that a bucket yet to be forecast or scored may need: its own and that of a week earlier, a day to spare.
  if (!newest_cutoff_.IsFinite()) return;
  EventTime oldest = std::min(newest_cutoff_, calendar_.BucketOf(settled).start);
  if (!targets_.empty()) oldest = std::min(oldest, targets_.begin()->first);
  actuals_.erase(actuals_.begin(), actuals_.lower_bound(WeekEarlier(oldest) - std::chrono::hours(24)));
}

AccuracyFigures ForecastScorer::Figures() const {
  Sums total;
  for (const Sums& sums : settled_) total.Add(sums);
  for (const auto& [start, target] : targets_) {
    for (const Sums& sums : ScoreOf(start, target)) total.Add(sums);
  }
  return total.Figures();
}

std::vector<AccuracyFigures> ForecastScorer::FiguresByHorizon() const {
  std::vector<Sums> total = settled_;
  for (const auto& [start, target] : targets_) {
    const std::vector<Sums>& sums = ScoreOf(start, target);
    for (size_t h = 0; h < sums.size(); ++h) total[h].Add(sums[h]);
  }
  std::vector<AccuracyFigures> figures;
  for (const Sums& sums : total) figures.push_back(sums.Figures());
  return figures;
}

size_t ForecastScorer::memory_bytes() const {
  size_t bytes = forecast_bytes_ + ids_.size() * kSeriesBytes;
  for (const auto& [start, actuals] : actuals_) bytes += actuals.capacity() * sizeof(float) + 64;
  return bytes;
}

}  // namespace tidecast
