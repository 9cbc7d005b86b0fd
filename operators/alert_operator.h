#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/core/forecast.h"
#include "engine/core/time.h"
#include "models/explanation.h"
#include "operators/alert_options.h"

namespace tidecast {

/// One lifecycle event of an alert (ALERTING.md 3), as plain values; operators/output_encoder.h turns it into JSON.
struct Alert {
  std::string id;           ///< fingerprint/episode/revision
  std::string fingerprint;  ///< 16 hex digits; hashes name, use case, series, direction: never a changing value
  uint32_t episode = 0;
  uint32_t revision = 1;
  std::string name;  ///< "DemandAboveForecast" | "DemandBelowForecast"
  std::string use_case;
  std::string series;
  std::string view;
  bool high = true;
  bool firing = true;        ///< false: resolved
  int severity_number = 13;  ///< OpenTelemetry: info 9, warning 13, error 17, critical 21
  EventTime bucket_start;
  EventTime bucket_end;
  EventTime starts_at;
  EventTime ends_at;  ///< Min() while firing
  double observed = 0;
  double expected = 0;
  std::vector<float> quantiles;  ///< at kLevels
  double tail_probability = 1;
  double effect_ratio = 1;  ///< observed / expected; NaN where expected <= 0
  double effect_absolute = 0;
  Explanation explanation;  ///< of `expected`; AlertOperator leaves it to its caller
};

/// Turns scores of closed buckets into alerts with a lifecycle. Stateless itself: a series's alert state is a blob that
/// the caller keeps beside the model's (empty = nothing ever fired).
///
///   idle   -> firing    tail <= tail_probability, effect >= both minima, series old enough: revision 1 of a new
///   episode firing -> firing    silent, unless the severity rises or the effect at least doubles: revision + 1 firing
///   -> resolved  surprise or effect below exit_factor of its entry: revision + 1, with ends_at firing -> the other
///   direction: resolved, and a new episode of the other fingerprint, in the same call
///
/// A bucket without an actual or without a forecast changes nothing: no data is not the end of an alert.
/// Ids and times come from the data alone, so that a replay gives the same bytes.
/// Thread: safe (const).
class AlertOperator {
 public:
  AlertOperator(AlertOptions options, std::string view) : options_(std::move(options)), view_(std::move(view)) {}
  /// `age_buckets`: of each series. Appends at most one alert a series (two when it turns over), in the order of
  /// `scores`. States that it cannot have written are our own bug: TC_CHECK.
  void OnScores(EventTime bucket_start, EventTime bucket_end, std::span<const BucketScore> scores,
                std::span<const uint32_t> age_buckets, std::span<std::string> states, std::vector<Alert>* out) const;

  /// What a series's state says, for who looks from outside. REQUIRES: not empty.
  struct StateView {
    bool firing = false;
    bool high = false;
    uint32_t episodes_high = 0;
    uint32_t episodes_low = 0;
    uint32_t revision = 0;
    EventTime starts_at;
  };
  static StateView Look(std::string_view state);

  /// Surprise of a tail probability: -log10, at most 300.
  static double Surprise(double tail_probability);

 private:
  AlertOptions options_;
  std::string view_;
};

}  // namespace tidecast
