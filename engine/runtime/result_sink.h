#pragma once

#include "engine/core/bucket.h"
#include "engine/core/forecast.h"
#include "engine/core/record.h"
#include "engine/core/rollup_means.h"
#include "engine/runtime/live_status.h"
#include "models/bucket_context.h"
#include "operators/alert_operator.h"
#include "operators/trend.h"

namespace tidecast {

/// Sees results as typed rows, in the engine's order, on the instance's thread: result files, the accuracy scorer.
/// Called when a result is made, before its epoch commits; after a rollback the same rows come again.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  /// Whether it wants all buckets, late records and dead letters; if not, only buckets that it Follows.
  virtual bool WantsAll() const { return true; }
  /// Asked from the tasks' threads, while no other call is under way.
  virtual bool Follows(uint16_t /*view*/, std::string_view /*series*/) const { return true; }
  virtual void OnBucket(const ClosedBucket&) {}
  /// A bucket is over in all tasks of the instance.
  virtual void OnBucketEnd(uint16_t /*view*/, EventTime /*start*/, EventTime /*end*/, bool /*open*/) {}
  virtual void OnForecast(uint16_t /*view*/, const SeriesForecast&, const RollupMeans&, const BucketContext&) {}
  /// Of each series that has one, published or not.
  virtual void OnTrend(uint16_t /*view*/, std::string_view /*series*/, const Trend&, const BucketContext&) {}
  virtual void OnAlert(const Alert&) {}
  virtual void OnLate(const OutputRecord&) {}
  virtual void OnDeadLetter(const OutputRecord&) {}
  /// Adds what it can tell to the status, e.g. accuracy. Called a few times a second: must be cheap.
  virtual void AddFigures(LiveStatus&) const {}
};

}  // namespace tidecast
