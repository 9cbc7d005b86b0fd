#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/clock.h"
#include "engine/core/record.h"
#include "engine/runtime/live_status.h"
#include "engine/server/live_event_log.h"
#include "engine/server/live_trends.h"

namespace tidecast {

/// Limits of what the view keeps. Everything in it is bounded.
struct LiveViewOptions {
  std::string name_space = "shop";
  std::map<std::string, std::string> targets;  ///< view name -> name of the feature that is forecast
  size_t series_max = 2000;                    ///< the busiest ones are kept
  size_t actuals_max = 180;                    ///< closed buckets a series
  size_t past_forecasts_max = 21;              ///< a series, the newest one not counted
  size_t past_forecasts_total_max = 20'000;    ///< over all series; shared out evenly
  size_t alerts_max = 500;
  size_t trends_max = 20'000;
  size_t event_bytes_max = 8ULL << 20;  ///< of the stream's ring
  size_t events_max = 20'000;
};

/// The read side of the server: what has been committed, as far as a page or a curl asks for it. Forecasts stay the
/// JSON text of their record and are parsed only when a figure of theirs is needed, so that the instance's thread loses
/// no time here. A series is named by its record's key (SKU, or view/SKU when there are several views). Thread: safe.
/// The observer's side is called by the instance's thread, the reads by the server's; the lock is held for a look-up
/// and copying of pointers or small rows, never for parsing a forecast.
class LiveView final : public CommitObserver {
 public:
  LiveView(LiveViewOptions options, const Clock& clock);

  void OnRows(const PackedRecords& rows) override;
  void OnCommitted(std::span<const OutputRecord> records) override;
  void OnRolledBack() override;
  void OnStatus(const LiveStatus& status) override;
  void OnOpenBucket(const std::string& series, EventTime bucket_start, double value) override;

  /// Publishes what is gathered between ticks: status, open buckets, movers. Called by the server a few times a second.
  void Tick();

  /// JSON of the state, with the counters, figures and the age of the last word from the engine.
  std::string StatusJson() const;
  bool ready() const;
  std::string state() const;
  /// Processing time since the engine last reported.
  Duration status_age() const;

  /// {series, forecast, actuals[history], past[past], open, alerts}; nothing when the series is not kept.
  std::optional<std::string> SeriesJson(const std::string& series, size_t history, size_t past) const;
  /// {items:[{series, forecast}], next}; `after`: the last series of the page before.
  std::string ForecastsJson(const std::string& after, size_t limit) const;
  /// {items, total}, newest first. `status`: "", "firing" or "resolved"; `series`: "" = all.
  std::string AlertsJson(std::string_view status, const std::string& series, size_t limit) const;
  enum class SeriesOrder : uint8_t { kBusiest, kName, kMovers };
  /// {items:[{series, ds, y, expected, surprise, activity}], total}; `search` is matched without regard to case.
  std::string SeriesListJson(const std::string& search, SeriesOrder order, size_t limit) const;

  const LiveTrends& trends() const { return trends_; }
  LiveEventLog& events() { return events_; }
  size_t series_count() const;

 private:
  using Text = std::shared_ptr<const std::string>;  // shared: a reader may hold it while the view replaces it

  struct Actual {
    std::string ds;
    double value = 0;
    uint32_t revision = 1;
  };
  /// The last closed bucket against what was forecast for it.
  struct Surprise {
    double actual = 0, expected = 0, low = 0, high = 0, z = 0;
    std::string ds;
  };
  struct Series {
    std::string view;
    Text forecast;
    std::deque<Text> past;       // oldest first
    std::deque<Actual> actuals;  // oldest first
    double activity = 0;         // decayed mean of |target|
    std::optional<std::pair<std::string, double>> open;
    bool open_changed = false;
    bool surprise_due = false;
    std::optional<Surprise> surprise;
  };
  struct AlertRow {
    std::string episode;  // the id without its revision
    std::string series;
    bool firing = true;
    Text json;
  };

  void OnForecast(const OutputRecord& record);
  void OnFeatures(const std::string& key, std::string_view value);
  void OnAlert(const OutputRecord& record);
  Series* FindOrAdmit(const std::string& key, double activity);
  size_t PastLimit() const;
  void RefreshSurprises();
  std::string MoversJson(size_t limit) const;
  std::string SeriesRowJson(const std::string& key, const Series& row) const;

  bool Wants(std::string_view series);
  void ForgetRows();

  const LiveViewOptions options_;
  const Clock& clock_;
  const std::string forecasts_topic_, features_topic_, alerts_topic_, alerts_state_topic_, trends_topic_;
  LiveTrends trends_;
  LiveEventLog events_;
  // Of the epoch under way, the instance's thread alone: rows of series that are kept, or have room, and some of the others.
  PackedRecords older_rows_, rows_;
  std::set<std::string, std::less<>> newcomers_;
  uint64_t outsiders_seen_ = 0;
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, Series, std::less<>> series_;
  std::map<std::string, double> outsiders_;  // activity of series that found no room
  uint64_t outsider_calls_ = 0;
  double least_activity_ = 0;    // of the series inside, as of the last look
  std::deque<AlertRow> alerts_;  // oldest first
  LiveStatus status_;
  ProcessingTime status_at_;
  bool status_changed_ = false;
  bool movers_changed_ = false;
  uint64_t ticks_ = 0;
};

/// "2011-01-04T00:00:00Z"; empty for a time that is not finite.
std::string UtcText(EventTime time);

}  // namespace tidecast
