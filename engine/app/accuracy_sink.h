#pragma once

#include <memory>
#include <vector>

#include "engine/core/metrics.h"
#include "engine/runtime/engine_options.h"
#include "engine/runtime/result_sink.h"
#include "operators/forecast_scorer.h"

namespace tidecast {

/// Scores what was published against what came (SEMANTICS.md 8): in the status that the page and the API show, and in
/// the metrics, per view. The account begins with the process: it is no state, after a restart forecasts made before are
/// not scored. With more series than `memory_bytes_max` holds it follows a sample of them.
/// Thread: confined.
class AccuracySink : public ResultSink {
 public:
  /// `metrics` may be null. Errors: kConfig (a calendar).
  static Result<std::unique_ptr<AccuracySink>> Make(const EngineOptions& options, size_t memory_bytes_max, MetricRegistry* metrics);

  bool WantsAll() const override { return false; }
  bool Follows(uint16_t view, std::string_view series) const override { return views_[view].scorer && views_[view].scorer->Follows(series); }
  void OnBucket(const ClosedBucket& bucket) override;
  void OnBucketEnd(uint16_t view, EventTime start, EventTime end, bool open) override;
  void OnForecast(uint16_t view, const SeriesForecast& forecast, const RollupMeans& means, const BucketContext& context) override;
  void AddFigures(LiveStatus& status) const override;

  /// Of the first view that is forecast.
  AccuracyFigures Figures() const;

 private:
  struct View {
    std::string name;
    std::unique_ptr<BucketCalendar> calendar;
    std::unique_ptr<ForecastScorer> scorer;   ///< null when the view is not forecast
  };
  void Publish(const View& view, const AccuracyFigures& figures);

  MetricRegistry* metrics_ = nullptr;
  std::vector<View> views_;
  AccuracyFigures figures_;                   ///< of the first view that is forecast, as of its last bucket's end
  // Steps are the same for all series of a round.
  uint16_t round_view_ = 0;
  EventTime round_start_;
  std::vector<EventTime> steps_;
};

}  // namespace tidecast
