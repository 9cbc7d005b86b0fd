#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "models/series_columns.h"

namespace tidecast {

/// Takes a value into a series's own scale and class figures.
inline void LearnStatistics(ValueDomain domain, float actual, SeriesCore* core) {
  constexpr float kScaleRate = .04F;
  constexpr float kClassDecay = .99F;
  const float magnitude = domain == ValueDomain::kReal
                              ? (core->observed > 0 ? std::fabs(actual - core->last_value) : std::fabs(actual) * .1F)
                              : actual;
  core->scale_sum += kScaleRate * (magnitude - core->scale_sum);
  core->scale_weight += kScaleRate * (1 - core->scale_weight);
  core->nonzero_weight = kClassDecay * core->nonzero_weight + 1;
  core->nonzero_sum = kClassDecay * core->nonzero_sum + (actual != 0 ? 1.0F : 0.0F);
  core->size_sum = kClassDecay * core->size_sum + actual;
  core->size_square = kClassDecay * core->size_square + actual * actual;
  core->last_value = actual;
  ++core->observed;
}

/// Discounted mean of |value| (reals: of |step|), drawn to the pool while young; at least .2 unit (reals: a trifle).
inline float ScaleOf(ValueDomain domain, const SeriesCore& core, float prior_mean) {
  if (domain == ValueDomain::kReal) {
    const float mean = core.scale_weight > 0 ? core.scale_sum / core.scale_weight : 1;
    return std::max(mean, 1e-6F + 1e-5F * std::fabs(core.last_value));
  }
  constexpr float kPriorWeight = .04F;
  const float sum = core.scale_sum + kPriorWeight * (1 - core.scale_weight) * prior_mean;
  return std::max(.2F, sum / (core.scale_weight + kPriorWeight * (1 - core.scale_weight)));
}

/// Up to where a quantile stands for 0: half a unit of a count, half the least value that a series of amounts has had
/// (it may sell in steps of a price); nowhere for reals. `history` [kHistory]; NaN = missing.
inline float HeapOf(ValueDomain domain, std::span<const float> history) {
  if (domain == ValueDomain::kReal) return 0;
  if (domain == ValueDomain::kCount) return .5F;
  constexpr float kNone = 3e38F;
  float least = kNone;
  for (const float value : history) least = std::min(least, value > 0 ? value : kNone);
  return least < kNone ? least / 2 : 0;
}

/// What a value counts for in learning: at most three times the largest of the newest kHistory ones, once eight of them
/// are above 0; reals as they are. So a slip of a key cannot carry the forecasts off, and a new level is learned in a
/// few buckets. `history` [kHistory], before the value; NaN = missing.
inline float Winsorised(ValueDomain domain, float actual, std::span<const float> history) {
  constexpr float kTimes = 3;
  constexpr size_t kJudged = 8;
  if (domain == ValueDomain::kReal || !(actual > 0)) return actual;
  float largest = 0;
  size_t sold = 0;
  for (const float value : history) {
    largest = std::max(largest, value > 0 ? value : 0);
    sold += value > 0 ? 1 : 0;
  }
  return sold < kJudged ? actual : std::min(actual, kTimes * largest);
}

/// Share of the newest buckets that have demand.
inline float SellsOf(const SeriesCore& core) {
  return core.nonzero_weight > 0 ? core.nonzero_sum / core.nonzero_weight : 0;
}

/// 0 smooth, 1 erratic, 2 intermittent, 3 lumpy.  Source: Syntetos & Boylan 2005 (cuts ADI 1.32, CV^2 .49).
inline uint8_t DemandClassOf(ValueDomain domain, const SeriesCore& core) {
  if (domain == ValueDomain::kReal || core.nonzero_sum <= 0) return 0;
  const float interval = core.nonzero_weight / core.nonzero_sum;
  const float mean = core.size_sum / core.nonzero_sum;
  const float variation = core.size_square / core.nonzero_sum / (mean * mean) - 1;
  return static_cast<uint8_t>((interval > 1.32F ? 2 : 0) + (variation > .49F ? 1 : 0));
}

}  // namespace tidecast
