#pragma once

#include <memory>
#include <vector>

#include "engine/app/accuracy_sink.h"
#include "engine/io/result_files.h"
#include "engine/runtime/task_plan.h"

namespace tidecast {

/// What a replay keeps of its results: the accuracy of what was published, and the result files when they are wanted.
/// Thread: confined.
class ReplaySink final : public ResultSink {
 public:
  static Result<std::unique_ptr<ReplaySink>> Make(const EngineOptions& options, MetricRegistry& metrics);
  /// Writes what comes from now on to files, too.
  void WriteTo(std::unique_ptr<ResultFiles> files) { files_ = std::move(files); }

  void OnBucket(const ClosedBucket& bucket) override;
  void OnBucketEnd(uint16_t view, EventTime start, EventTime end, bool open) override { accuracy_->OnBucketEnd(view, start, end, open); }
  void OnForecast(uint16_t view, const SeriesForecast& forecast, const RollupMeans& means, const BucketContext& context) override;
  void OnTrend(uint16_t view, std::string_view series, const Trend& trend, const BucketContext& context) override;
  void OnAlert(const Alert& alert) override;
  void OnLate(const OutputRecord& record) override;
  void OnDeadLetter(const OutputRecord& record) override;
  void AddFigures(LiveStatus& status) const override { accuracy_->AddFigures(status); }

  /// Of the first view that is forecast.
  AccuracyFigures Figures() const { return accuracy_->Figures(); }
  /// Writes what is left and the summary. Errors: kNoSpace, kIo.
  Status Finish(const std::string& summary_json);

 private:
  struct View {
    std::string name;
    std::unique_ptr<BucketCalendar> calendar;
  };
  const BucketCalendar& CalendarOf(const std::string& view) const;

  std::unique_ptr<AccuracySink> accuracy_;
  std::vector<View> views_;
  std::unique_ptr<OutputEncoder> encoder_;
  std::unique_ptr<ResultFiles> files_;        ///< null when none are wanted
  // Labels are the same for all series of a bucket and of a round.
  uint16_t label_view_ = 0;
  EventTime label_start_;
  std::string label_;
  uint16_t round_view_ = 0;
  EventTime round_start_;
  std::string cutoff_label_;
  std::vector<std::string> step_labels_;
};

}  // namespace tidecast
