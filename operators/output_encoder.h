#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/bucket.h"
#include "engine/core/event.h"
#include "engine/core/forecast.h"
#include "engine/core/record.h"
#include "operators/alert_operator.h"
#include "operators/bucket_calendar.h"
#include "operators/view_options.h"

namespace tidecast {

/// Makes the records of the output topics (DESIGN.md 7, config/schemas/*.json): JSON values, text keys, CloudEvents and
/// content-id headers. A pure function of its arguments, so that a redo gives the same bytes.
/// Thread: immutable.
class OutputEncoder {
 public:
  OutputEncoder(std::string name_space, std::vector<ViewOptions> views);

  /// <ns>.forecasts, key = series (view/key when there are several views). `ahead`: the horizon's steps.
  OutputRecord Forecast(uint16_t view, const SeriesForecast& forecast, const BucketCalendar& calendar, const BucketContext& context,
                        int64_t model_version, uint32_t revision) const;
  /// <ns>.features
  OutputRecord Features(const ClosedBucket& bucket, const BucketCalendar& calendar) const;
  /// <ns>.features.<window>
  OutputRecord Window(const ClosedBucket& window, uint16_t window_index) const;
  /// <ns>.alerts and, compacted by fingerprint, <ns>.alerts.state
  std::vector<OutputRecord> AlertRecords(const Alert& alert, const BucketCalendar& calendar) const;
  /// <ns>.late: original bytes, position in the headers.
  OutputRecord Late(const std::string& topic, int32_t partition, const InputRecord& record, EventTime event_time, EventTime watermark) const;
  /// <ns>.dlq, with Connect's __connect.errors.* headers.
  OutputRecord Dead(const DeadLetter& letter) const;

 private:
  std::string name_space_;
  std::vector<ViewOptions> views_;
};

}  // namespace tidecast
