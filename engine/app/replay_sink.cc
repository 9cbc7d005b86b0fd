#include "engine/app/replay_sink.h"

#include <algorithm>
#include <array>

namespace tidecast {
namespace {

constexpr size_t kScorerBytes = 512ULL << 20;

}  // namespace

Result<std::unique_ptr<ReplaySink>> ReplaySink::Make(const EngineOptions& options, MetricRegistry& metrics) {
  auto sink = std::make_unique<ReplaySink>();
  TC_ASSIGN_OR_RETURN(sink->accuracy_, AccuracySink::Make(options, kScorerBytes, &metrics));
  for (const ViewOptions& view_options : options.views) {
    View& view = sink->views_.emplace_back();
    view.name = view_options.name;
    TC_ASSIGN_OR_RETURN(view.calendar, BucketCalendar::Make(view_options.calendar));
  }
  sink->encoder_ = std::make_unique<OutputEncoder>(options.name_space, options.views);
  return sink;
}

void ReplaySink::OnBucket(const ClosedBucket& bucket) {
  accuracy_->OnBucket(bucket);
  if (!files_) return;
  if (bucket.start != label_start_ || bucket.view != label_view_) {
    label_start_ = bucket.start;
    label_view_ = bucket.view;
    label_ = views_[bucket.view].calendar->Label(bucket.start);
  }
  files_->OnBucket(bucket, label_);
}

void ReplaySink::OnForecast(uint16_t v, const SeriesForecast& forecast, const RollupMeans& means,
                            const BucketContext& context) {
  accuracy_->OnForecast(v, forecast, means, context);
  if (!files_) return;
  const View& view = views_[v];
  if (context.now.start != round_start_ || v != round_view_) {
    round_start_ = context.now.start;
    round_view_ = v;
    cutoff_label_ = view.calendar->Label(context.now.start);
    step_labels_.clear();
    for (const CalendarStep& step : context.ahead) step_labels_.push_back(view.calendar->Label(step.start));
  }
  files_->OnForecast(v, forecast, context.now.start, cutoff_label_, step_labels_, means);
}

void ReplaySink::OnTrend(uint16_t v, std::string_view series, const Trend& trend, const BucketContext& context) {
  if (!files_) return;
  // The label is that of the forecast, which came just before.
  const std::array<double, ResultFiles::kTrendColumns.size()> numbers = {
      trend.rise, trend.last, trend.before, trend.expected, trend.next[0], trend.next[1], trend.next[2], trend.acceleration};
  files_->OnTrend(v, series, context.now.start, cutoff_label_, NameOf(trend.phase), numbers);
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

Status ReplaySink::Finish(const std::string& summary_json) { return files_ ? files_->Finish(summary_json) : Status::Ok(); }

}  // namespace tidecast
