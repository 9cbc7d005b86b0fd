#pragma once

#include <memory>
#include <vector>

#include "engine/app/summary.h"
#include "engine/io/result_files.h"
#include "engine/runtime/result_sink.h"
#include "engine/runtime/task_plan.h"
#include "operators/forecast_scorer.h"

namespace tidecast {

/// What a replay keeps of its results: the accuracy of what was published, and the result files when they are wanted.
/// Thread: confined.
class ReplaySink final : public ResultSink {
 public:
  /// `files` may be null.
  static Result<std::unique_ptr<ReplaySink>> Make(const EngineOptions& options, std::unique_ptr<ResultFiles> files);

  void OnBucket(const ClosedBucket& bucket) override;
  void OnBucketEnd(uint16_t view, EventTime start, EventTime end, bool open) override;
  void OnForecast(uint16_t view, const SeriesForecast& forecast, const BucketContext& context) override;
  void OnAlert(const Alert& alert) override;
  void OnLate(const OutputRecord& record) override;
  void OnDeadLetter(const OutputRecord& record) override;
  void AddFigures(LiveStatus& status) const override;

  /// Of the first view that is forecast.
  AccuracyFigures Figures() const;
  /// Writes what is left and the summary. Errors: kNoSpace, kIo.
  Status Finish(const std::string& summary_json);

 private:
  struct View {
    std::string name;
    std::unique_ptr<BucketCalendar> calendar;
    std::unique_ptr<ForecastScorer> scorer;   ///< null when the view is not forecast
  };
  const BucketCalendar& CalendarOf(const std::string& view) const;

  std::vector<View> views_;
  std::unique_ptr<OutputEncoder> encoder_;
  std::unique_ptr<ResultFiles> files_;
  AccuracyFigures figures_;                   ///< as of the last bucket's end
  // Labels are the same for all series of a bucket and of a round.
  uint16_t label_view_ = 0;
  EventTime label_start_;
  std::string label_;
  uint16_t round_view_ = 0;
  EventTime round_start_;
  std::string cutoff_label_;
  std::vector<EventTime> steps_;
  std::vector<std::string> step_labels_;
};

}  // namespace tidecast
