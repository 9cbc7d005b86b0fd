#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tidecast {

/// Series to learn from, dense [series, bucket]; NaN = missing or not yet born.
struct PretrainSeries {
  std::vector<std::string> names;
  std::vector<float> actual;
  std::vector<int32_t> phase;  ///< [bucket] of the one season
  int season = 1;
  size_t buckets() const { return phase.size(); }
  float* row(size_t series) { return actual.data() + series * buckets(); }
  const float* row(size_t series) const { return actual.data() + series * buckets(); }
};

/// Invented daily counts: levels from slow to fast sellers, trend, week, promotions that the series itself must show,
/// gaps, level shifts. Counter-based: the same seed, the same series.
PretrainSeries GenerateSeries(uint64_t seed, int series, int buckets);

/// Changes each series in one way drawn by chance: another scale, thinned, a masked span, mixed with its neighbour,
/// born late.
void AugmentSeries(uint64_t seed, PretrainSeries* series);

}  // namespace tidecast
