#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/forecast.h"
#include "engine/core/status.h"
#include "operators/trend.h"
#include "operators/trend_calibration.h"

namespace tidecast {

/// The trend of one series (SEMANTICS.md 10): its newest two horizons of values, one trend that waits for its outcome,
/// and what was said last. A round calls OnActual while scoring and Next while forecasting, so that an outcome is
/// scored before it teaches, and a trend knows nothing after its bucket. 8 bytes a step of the horizon, and some fifty.
/// Thread: confined.
class SeriesTrend {
 public:
  /// `state`: what Encode gave; empty or made for another horizon: a series never seen.
  /// Errors: kVersion, kCorruption.
  static Result<SeriesTrend> Decode(std::string_view state, int horizon);
  std::string Encode() const;

  /// The closed bucket; NaN: missing. `between`: what buckets that were left out had; NaN: missing too. Returns the
  /// trend of `horizon` buckets ago, when one was waiting and both its sums are known. An index that does not go on
  /// (another instance numbered the buckets before) begins anew.
  std::optional<MaturedTrend> OnActual(int64_t index, float value, float between);

  /// The trend as of the newest bucket; nothing while the last horizon is not known. `turn`: a trend
  /// may begin to wait for its outcome where the bucket's index equals it modulo the horizon, so that series take turns.
  std::optional<Trend> Next(ValueDomain domain, const SumMoments& moments, const TrendCalibration& calibration,
                            uint64_t turn);

  /// Whether it is news: another phase, a tenth of probability, or nothing said for a horizon. If so it counts as said.
  bool IsNews(const Trend& trend);

 private:
  struct Waiting {
    int64_t from = 0;  ///< index of the bucket that it was made after
    float log_odds = 0;
    float rise = 0;
    float expected = 0;
    float variance = 0;
    float last = 0;
    int8_t growth = 0;
    uint8_t cell = 0;
  };
  explicit SeriesTrend(int horizon);
  int horizon() const { return static_cast<int>(values_.size() / 2); }
  /// NaN where a value of it is missing. `back` 0: the newest horizon; 1: the one before.
  double Sum(int back) const;
  TrendPhase PhaseOf(const Trend& trend) const;

  std::vector<float> values_;  ///< by index mod 2 horizons
  int64_t newest_ = 0;
  uint32_t seen_ = 0;  ///< buckets since the first one, at most two horizons
  float top_ = 0;      ///< greatest sum of a horizon, fading by half in eight horizons
  std::optional<Waiting> waiting_;
  bool has_said_ = false;
  TrendPhase said_phase_ = TrendPhase::kNew;
  float said_rise_ = 0;
  int64_t said_at_ = 0;
};

}  // namespace tidecast
