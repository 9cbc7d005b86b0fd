#include "engine/app/accuracy_sink.h"

#include <algorithm>
#include <cmath>

namespace tidecast {

Result<std::unique_ptr<AccuracySink>> AccuracySink::Make(const EngineOptions& options, size_t memory_bytes_max,
                                                         MetricRegistry* metrics) {
  auto sink = std::make_unique<AccuracySink>();
  sink->metrics_ = metrics;
  for (const ViewOptions& view_options : options.views) {
    View& view = sink->views_.emplace_back();
    view.name = view_options.name;
    if (!view_options.forecast || !options.model_enabled) continue;
    TC_ASSIGN_OR_RETURN(view.calendar, BucketCalendar::Make(view_options.calendar));
    ForecastScorer::Options scorer;
    scorer.horizon = view_options.horizon;
    scorer.domain = view_options.domain.value_or(ValueDomain::kCount);
    scorer.allowed_lateness = view_options.allowed_lateness;
    scorer.memory_bytes_max = memory_bytes_max / options.views.size();
    const auto target =
        std::find_if(view_options.features.begin(), view_options.features.end(),
                     [&](const FeatureOptions& feature) { return feature.name == view_options.target; });
    scorer.target_feature = static_cast<size_t>(target - view_options.features.begin());
    view.scorer = std::make_unique<ForecastScorer>(*view.calendar, scorer);
  }
  return sink;
}

void AccuracySink::OnBucket(const ClosedBucket& bucket) {
  if (const View& view = views_[bucket.view]; view.scorer) view.scorer->OnBucket(bucket);
}

void AccuracySink::OnBucketEnd(uint16_t v, EventTime /*start*/, EventTime end, bool /*open*/) {
  const View& view = views_[v];
  if (!view.scorer) return;
  view.scorer->OnBucketEnd(end);
  const AccuracyFigures figures = view.scorer->Figures();
  if (std::none_of(views_.begin(), views_.begin() + v, [](const View& other) { return other.scorer != nullptr; }))
    figures_ = figures;
  Publish(view, figures);
}

void AccuracySink::Publish(const View& view, const AccuracyFigures& figures) {
  if (metrics_ == nullptr || figures.forecasts == 0) return;
  const auto set = [&](const char* name, const char* help, double value, MetricRegistry::Labels labels = {}) {
    labels.emplace_back("view", view.name);
    if (std::isfinite(value)) metrics_->Gauge(name, help, labels).Set(value);
  };
  set("tidecast_forecast_wql_ratio", "Weighted quantile loss of published forecasts since the process began",
      figures.wql, {{"model", "tidecast"}});
  set("tidecast_forecast_wql_ratio", "", figures.wql_seasonal_naive, {{"model", "seasonal_naive"}});
  set("tidecast_forecast_wape_ratio", "Weighted absolute error of the median since the process began", figures.wape);
  set("tidecast_forecast_bias_ratio", "Sum of actual - mean over the sum of actuals: above 0, forecasts are too low",
      figures.bias);
  set("tidecast_forecast_coverage_ratio", "Share of actuals inside the central interval", figures.coverage_50,
      {{"interval", "50"}});
  set("tidecast_forecast_coverage_ratio", "", figures.coverage_80, {{"interval", "80"}});
  set("tidecast_forecast_coverage_ratio", "", figures.coverage_95, {{"interval", "95"}});
  set("tidecast_forecast_sample_ratio", "Share of the series that accuracy is taken of", view.scorer->sample_share());
  metrics_->Counter("tidecast_forecasts_scored_total", "Forecast steps whose actual has come", {{"view", view.name}})
      .Set(static_cast<double>(figures.forecasts));
}

void AccuracySink::OnForecast(uint16_t v, const SeriesForecast& forecast, const RollupMeans&,
                              const BucketContext& context) {
  const View& view = views_[v];
  if (!view.scorer) return;
  if (context.now.start != round_start_ || v != round_view_) {
    round_start_ = context.now.start;
    round_view_ = v;
    steps_.clear();
    for (const CalendarStep& step : context.ahead) steps_.push_back(step.start);
  }
  view.scorer->OnForecast(forecast, context.now.start, steps_);
}

void AccuracySink::AddFigures(LiveStatus& status) const {
  if (figures_.forecasts == 0) return;
  status.figures["wql"] = figures_.wql;
  status.figures["wql_seasonal_naive"] = figures_.wql_seasonal_naive;
  status.figures["wape"] = figures_.wape;
  status.figures["bias"] = figures_.bias;
  status.figures["coverage_50"] = figures_.coverage_50;
  status.figures["coverage_80"] = figures_.coverage_80;
  status.figures["coverage_95"] = figures_.coverage_95;
  status.figures["forecasts_scored"] = static_cast<double>(figures_.forecasts);
}

AccuracyFigures AccuracySink::Figures() const {
  for (const View& view : views_) {
    if (view.scorer) return view.scorer->Figures();
  }
  return {};
}

}  // namespace tidecast
