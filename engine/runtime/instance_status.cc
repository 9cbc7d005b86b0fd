// What an instance tells of itself: notes, counters, figures, memory, metrics.
#include <algorithm>
#include <array>

#include "engine/runtime/instance.h"
#include "state/rocks_store.h"

namespace tidecast {

std::vector<std::string> Instance::TakeNotes() {
  std::vector<std::string> notes = std::exchange(notes_, {});
  if (!model_) return notes;
  for (std::string& note : model_->TakeNotes()) notes.push_back(std::move(note));
  return notes;
}

EventCounts Instance::counts() const {
  EventCounts sum;
  for (const auto& task : tasks_) {
    if (task->id().stage == Stage::kSeries) sum += task->counts();
  }
  return sum;
}

LiveStatus Instance::Look() const {
  LiveStatus status;
  switch (state_) {
    case State::kJoining:
      status.state = "starting";
      break;
    case State::kRestoring:
      status.state = "restoring";
      break;
    case State::kRunning:
      status.state = stopping_ || revoked_ ? "draining" : "running";
      break;
    case State::kFinished:
      status.state = "finished";
      break;
  }
  if (waits_since_ && state_ != State::kFinished) status.state = "waiting";
  status.ready = state_ == State::kRunning && !waits_since_;
  const EventCounts sum = counts();
  status.events_read = sum.events_read;
  status.events_accepted = sum.events_accepted;
  status.returns = sum.returns;
  status.late_revised = sum.late_revised;
  status.too_late = sum.too_late;
  status.dead_lettered = sum.dead_lettered;
  status.duplicates = sum.duplicates;
  status.forecasts = forecasts_;
  status.alerts = alerts_;
  status.alerts_firing = model_ ? model_->alerts_firing() : 0;
  status.epochs = static_cast<int64_t>(committed_epochs_);
  status.events_per_second = events_per_second_;
  status.watermark = EventTime::Max();
  for (const auto& task : tasks_) {
    for (uint16_t v = 0; v < plan_->views.size(); ++v)
      status.series += static_cast<int64_t>(task->windows().series_count(v));
    if (task->id().stage == Stage::kSeries && !task->idle())
      status.watermark = std::min(status.watermark, task->watermark());
  }
  if (model_ && !plan_->views.empty()) {
    if (const ForecastOperator* forecast = model_->forecast_operator(0)) {
      const ForecasterStats stats = forecast->forecaster().Stats();
      status.figures["rounds"] = static_cast<double>(forecast->rounds());
      status.figures["net_steps"] = static_cast<double>(stats.net_steps);
      status.figures["net_rejected"] = static_cast<double>(stats.net_rejected);
      status.figures["net_loss"] = stats.net_loss;
      status.figures["net_gradient_norm"] = stats.net_gradient_norm;
      status.expert_weights = stats.expert_weights;
      const TrendCalibration::Score trends = forecast->trend_score();
      if (trends.count > 0) {
        status.figures["trend_brier"] = trends.brier;
        status.figures["trend_brier_by_last_growth"] = trends.brier_base;
      }
    }
  }
  if (parts_.sink != nullptr) parts_.sink->AddFigures(status);
  return status;
}

void Instance::PublishMemory() {
  const auto set = [&](const char* part, size_t bytes) {
    parts_.metrics.Gauge("tidecast_memory_bytes", kMemoryHelp, {{"part", part}}).Set(static_cast<double>(bytes));
  };
  const StoreMemory store = MemoryOf(parts_.store);
  set("block_cache", store.block_cache_bytes);
  set("write_buffers", store.write_buffer_bytes);
  size_t windows = 0;
  for (const auto& task : tasks_) windows += task->windows().memory_bytes();
  set("windows", windows);
  // Store, queues and epochs share what is left; the windows alone cannot be made smaller by it.
  const size_t limit = plan_->options.memory_limit_bytes;
  if (!windows_told_ && limit > 0 && windows > limit / 2) {
    windows_told_ = true;
    constexpr double kMiB = 1 << 20;
    notes_.push_back(fmt::format(
        "open windows take {:.1f} MiB, more than half of state.memory_limit ({:.1f} MiB), and stay in memory: the "
        "process can grow beyond the limit; raise it, run more instances, or make hopping windows shorter",
        static_cast<double>(windows) / kMiB, static_cast<double>(limit) / kMiB));
  }
  set("model", model_ ? model_->memory_bytes() : 0);
  set("open_epoch", model_ ? OpenBytes() : 0);
  size_t flying = 0;
  if (committer_ && committer_->busy()) {
    flying = committer_->cut().state.bytes() + committer_->rows_bytes() - committer_->ahead_bytes();
    for (const OutputRecord& record : committer_->cut().outputs) flying += record.Bytes();
  }
  set("epoch_in_flight", flying);
  parts_.metrics.Gauge("tidecast_memory_limit_bytes", "state.memory_limit as it holds")
      .Set(static_cast<double>(plan_->options.memory_limit_bytes));
}

void Instance::PublishStatus(bool force) {
  const ProcessingTime now = parts_.clock.Now();
  const Duration since = now - last_status_;
  if (!force && since < std::chrono::milliseconds(250)) return;
  const int64_t events = counts().events_read;
  if (since.count() > 0) {
    events_per_second_ =
        std::max(0.0, static_cast<double>(events - events_at_last_status_) * 1e6 / static_cast<double>(since.count()));
  }
  events_at_last_status_ = events;
  last_status_ = now;
  const LiveStatus status = Look();
  MetricRegistry& metrics = parts_.metrics;
  const auto set = [&](const char* result, int64_t value) {
    metrics.Counter("tidecast_events_total", "Events by what became of them", {{"result", result}})
        .Set(static_cast<double>(value));
  };
  set("accepted", status.events_accepted);
  set("too_late", status.too_late);
  set("dead_lettered", status.dead_lettered);
  set("duplicate", status.duplicates);
  metrics.Counter("tidecast_events_read_total", "Events read").Set(static_cast<double>(status.events_read));
  metrics.Counter("tidecast_events_late_revised_total", "Accepted events that came after their bucket's close")
      .Set(static_cast<double>(status.late_revised));
  std::array<int64_t, 16> rejects{};
  for (const auto& task : tasks_) {
    for (size_t i = 0; i < rejects.size(); ++i) rejects[i] += task->rejects()[i];
  }
  for (size_t i = 0; i <= static_cast<size_t>(RejectReason::kTooLarge); ++i) {
    metrics
        .Counter("tidecast_dead_letters_total", "Dead letters by reason",
                 {{"reason", std::string(RejectReasonName(static_cast<RejectReason>(i)))}})
        .Set(static_cast<double>(rejects[i]));
  }
  metrics.Counter("tidecast_forecasts_total", "Forecasts made").Set(static_cast<double>(status.forecasts));
  metrics.Counter("tidecast_alerts_total", "Alert events made").Set(static_cast<double>(status.alerts));
  metrics.Gauge("tidecast_alerts_firing", "Alerts firing now").Set(static_cast<double>(status.alerts_firing));
  metrics.Gauge("tidecast_series", "Series known").Set(static_cast<double>(status.series));
  metrics.Gauge("tidecast_partitions_assigned", "Partitions of this instance")
      .Set(static_cast<double>(partitions_.size()));
  if (status.watermark.IsFinite()) {
    metrics.Gauge("tidecast_watermark_timestamp_seconds", "Least watermark of the tasks")
        .Set(static_cast<double>(status.watermark.us) / 1e6);
  }
  PublishMemory();
  if (parts_.observer != nullptr) parts_.observer->OnStatus(status);
}

}  // namespace tidecast
