#include "engine/app/replay_sink.h"

#include <algorithm>

namespace tidecast {

Result<std::unique_ptr<ReplaySink>> ReplaySink::Make(const EngineOptions& options, std::unique_ptr<ResultFiles> files) {
  auto sink = std::make_unique<ReplaySink>();
  for (const ViewOptions& view_options : options.views) {
    View view;
    view.name = view_options.name;
    TC_ASSIGN_OR_RETURN(view.calendar, BucketCalendar::Make(view_options.calendar));
    if (view_options.forecast && options.model_enabled) {
      ForecastScorer::Options scorer;
      scorer.horizon = view_options.horizon;
      scorer.allowed_lateness = view_options.allowed_lateness;
      const auto target = std::find_if(view_options.features.begin(), view_options.features.end(),
                                       [&](const FeatureOptions& feature) { return feature.name == view_options.target; });
      scorer.target_feature = static_cast<size_t>(target - view_options.features.begin());
      view.scorer = std::make_unique<ForecastScorer>(*view.calendar, scorer);
    }
    sink->views_.push_back(std::move(view));
  }
  sink->encoder_ = std::make_unique<OutputEncoder>(options.name_space, options.views);
  sink->files_ = std::move(files);
  return sink;
}

void ReplaySink::OnBucket(const ClosedBucket& bucket) {
  const View& view = views_[bucket.view];
  if (view.scorer) view.scorer->OnBucket(bucket);
  if (!files_) return;
  if (bucket.start != label_start_ || bucket.view != label_view_) {
    label_start_ = bucket.start;
    label_view_ = bucket.view;
    label_ = view.calendar->Label(bucket.start);
  }
  files_->OnBucket(bucket, label_);
}

void ReplaySink::OnBucketEnd(uint16_t view, EventTime /*start*/, EventTime end, bool /*open*/) {
  if (!views_[view].scorer) return;
  views_[view].scorer->OnBucketEnd(end);
  figures_ = Figures();
}

void ReplaySink::OnForecast(uint16_t v, const SeriesForecast& forecast, const BucketContext& context) {
  const View& view = views_[v];
  if (context.now.start != round_start_ || v != round_view_) {
    round_start_ = context.now.start;
    round_view_ = v;
    cutoff_label_ = view.calendar->Label(context.now.start);
    steps_.clear();
    step_labels_.clear();
    for (const CalendarStep& step : context.ahead) {
      steps_.push_back(step.start);
      step_labels_.push_back(view.calendar->Label(step.start));
    }
  }
  if (view.scorer) view.scorer->OnForecast(forecast, context.now.start, steps_);
  if (files_) files_->OnForecast(v, forecast, context.now.start, cutoff_label_, step_labels_);
}

const BucketCalendar& ReplaySink::CalendarOf(const std::string& view) const {
  const auto at = std::find_if(views_.begin(), views_.end(), [&](const View& v) { return v.name == view; });
  TC_CHECK(at != views_.end(), "an alert of a view that is not there: {}", view);
  return *at->calendar;
}

void ReplaySink::OnAlert(const Alert& alert) {
  if (!files_) return;
  const std::vector<OutputRecord> records = encoder_->AlertRecords(alert, CalendarOf(alert.view));
  files_->OnAlert(alert.id, *records.front().value);
}

void ReplaySink::OnLate(const OutputRecord& record) {
  if (files_) files_->OnLate(record);
}

void ReplaySink::OnDeadLetter(const OutputRecord& record) {
  if (files_) files_->OnDeadLetter(record);
}

void ReplaySink::AddFigures(LiveStatus& status) const {
  if (figures_.forecasts == 0) return;
  status.figures["wql"] = figures_.wql;
  status.figures["wql_seasonal_naive"] = figures_.wql_seasonal_naive;
  status.figures["coverage_80"] = figures_.coverage_80;
}

AccuracyFigures ReplaySink::Figures() const {
  for (const View& view : views_) {
    if (view.scorer) return view.scorer->Figures();
  }
  return {};
}

Status ReplaySink::Finish(const std::string& summary_json) { return files_ ? files_->Finish(summary_json) : Status::Ok(); }

}  // namespace tidecast
