#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "engine/core/time.h"
#include "models/bucket_context.h"
#include "operators/view_options.h"

namespace tidecast {

/// Buckets on a time zone's calendar: days of 23, 24 or 25 hours, weeks from Monday, months; open days and business hours.
/// Thread: immutable, but for the learned rule, which is confined to its owner.
class BucketCalendar {
 public:
  virtual ~BucketCalendar() = default;
  struct Span {
    EventTime start;
    EventTime end;
  };
  /// The bucket that holds `time` (also when that bucket is closed by the calendar).
  virtual Span BucketOf(EventTime time) const = 0;
  virtual Span Next(EventTime start) const = 0;
  virtual Span Previous(EventTime start) const = 0;
  /// Whether the fixed rules (weekdays, holidays, hours) leave this bucket open. Learned calendars: always true here.
  virtual bool OpenByRule(EventTime start) const = 0;
  /// `ds` as it is published: 2011-03-27 for days and longer, 2011-03-27T14:00:00+01:00 below a day.
  virtual std::string Label(EventTime start) const = 0;
  /// Lengths of the seasons of open buckets (SEMANTICS.md 8), e.g. {6} for six trading days a week.
  virtual std::vector<int> SeasonLengths() const = 0;
  virtual size_t FeatureCount() const = 0;

  static Result<std::unique_ptr<BucketCalendar>> Make(const CalendarOptions& options);
};

/// What a view's model knows of open buckets: numbers them, learns the open weekdays, looks ahead. State of the model stage.
/// A weekday counts as open when it was open in at least half of the last 8 weeks (all open in the first two).
class OpenBuckets {
 public:
  virtual ~OpenBuckets() = default;
  /// Takes note that the bucket is over; `open` as it turned out. In order of start.
  virtual void OnBucketEnd(EventTime start, bool open) = 0;
  /// The context after the last open bucket: its step and the next `horizon` open ones by rule or as learned.
  virtual BucketContext Context(int horizon) const = 0;
  virtual int64_t open_count() const = 0;
  virtual void Encode(std::string* out) const = 0;
  virtual Status Decode(std::string_view bytes) = 0;

  static std::unique_ptr<OpenBuckets> Make(const BucketCalendar& calendar, const CalendarOptions& options);
};

}  // namespace tidecast
