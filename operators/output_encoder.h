#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/bucket.h"
#include "engine/core/event.h"
#include "engine/core/forecast.h"
#include "engine/core/packed_records.h"
#include "engine/core/record.h"
#include "engine/core/rollup_means.h"
#include "operators/alert_operator.h"
#include "operators/bucket_calendar.h"
#include "operators/trend.h"
#include "operators/view_options.h"

namespace tidecast {

/// Makes the records of the output topics (DESIGN.md 7, config/schemas/*.json): JSON values, text keys, CloudEvents and
/// content-id headers. A pure function of its arguments, so that a redo gives the same bytes.
/// The calendar handed in with a view must always be the one of that view's options: labels are kept by view and start.
/// Thread: immutable.
class OutputEncoder {
 public:
  /// REQUIRES: feature names are none of unique_id, view, window, ds, end, revision; `rows` name what there is.
  OutputEncoder(std::string name_space, std::vector<ViewOptions> views);
  ~OutputEncoder();

  /// <ns>.forecasts, key = series (view/key when there are several views). `ahead`: the horizon's steps.
  OutputRecord Forecast(uint16_t view, const SeriesForecast& forecast, const BucketCalendar& calendar,
                        const BucketContext& context, int64_t model_version, uint32_t revision, const RollupMeans& means = {}) const;
  /// Deletes the series's forecast: a tombstone on <ns>.forecasts.
  OutputRecord ForecastTombstone(uint16_t view, std::string_view series, const BucketCalendar& calendar,
                                 const BucketContext& context) const;
  /// <ns>.trends, key and tombstone as those of forecasts.
  OutputRecord TrendRecord(uint16_t view, std::string_view series, const Trend& trend, const BucketCalendar& calendar,
                           const BucketContext& context) const;
  OutputRecord TrendTombstone(uint16_t view, std::string_view series, const BucketCalendar& calendar,
                              const BucketContext& context) const;
  /// <ns>.features, or as the view's `rows` say; added to `out`.
  void Features(const ClosedBucket& bucket, const BucketCalendar& calendar, PackedRecords* out) const;
  /// <ns>.features.<window>, or as the window's `rows` say.
  void Window(const ClosedBucket& window, uint16_t window_index, PackedRecords* out) const;
  /// <ns>.alerts, and <ns>.alerts.state, compacted by fingerprint: the same value while firing, a tombstone once
  /// resolved.
  std::vector<OutputRecord> AlertRecords(const Alert& alert, const BucketCalendar& calendar) const;
  /// The members of a JSON object, without its braces: level, recent, season, known, net, experts.
  static void AppendExplanation(const Explanation& explanation, std::string* json);
  /// <ns>.late: original bytes and headers, then position and reason as in Dead, event time and watermark.
  OutputRecord Late(const std::string& topic, int32_t partition, const InputRecord& record, EventTime event_time,
                    EventTime watermark) const;
  /// <ns>.dlq, with Connect's __connect.errors.* headers.
  OutputRecord Dead(const DeadLetter& letter) const;

 private:
  struct RowText;
  struct Scratch;
  struct ViewText;
  OutputRecord Retired(std::string_view topic, std::string_view type, std::string_view kind, uint16_t view,
                       std::string_view series, const BucketCalendar& calendar, const BucketContext& context) const;
  std::string SeriesId(uint16_t view, std::string_view series) const;
  std::string_view Label(uint16_t view, EventTime start, const BucketCalendar& calendar) const;
  void AddHeaders(std::string_view type, std::string content_id, std::string_view content_type, EventTime time,
                  OutputRecord* record) const;
  RowText MakeRowText(const ViewOptions& view, const WindowOptions* window) const;
  void Row(const ClosedBucket& row, const RowText& text, std::string_view start, std::string_view end,
           Scratch& scratch, PackedRecords* out) const;

  std::string name_space_;
  std::vector<ViewOptions> views_;
  std::string source_;           ///< ce_source
  std::vector<ViewText> texts_;  ///< what is the same in every record of a view, ready made
  uint64_t number_;              ///< of this encoder in the process: tells the kept labels of several apart
};

}  // namespace tidecast
