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

/// Buckets on a time zone's calendar: days of 23, 24 or 25 hours, weeks from Monday, months; open days and business
/// hours.
///   Up to an hour long: elapsed time since local midnight, so that each hour of a 25-hour day has its own bucket.
///   Longer than an hour, below a day: by the local clock (6 h: 00, 06, 12, 18), 5 or 7 hours long where the clock
///   moves. Several days, weeks, months: counted from 1970 in local dates.
/// Thread: immutable.
class BucketCalendar {
 public:
  virtual ~BucketCalendar() = default;
  struct Span {
    EventTime start;
    EventTime end;
  };
  /// The bucket that holds `time` (also when that bucket is closed by the calendar). Asks the time zone: about a
  /// microsecond; who has many events keeps the last span. REQUIRES: a finite time.
  virtual Span BucketOf(EventTime time) const = 0;
  virtual Span Next(EventTime start) const = 0;
  virtual Span Previous(EventTime start) const = 0;
  /// Whether the fixed rules (weekdays, holidays, hours) leave this bucket open. Learned calendars: always true here.
  /// Rules speak of days: buckets longer than a day are open.
  virtual bool OpenByRule(EventTime start) const = 0;
  /// Whether the bucket is closed since its local date is a holiday; false for buckets longer than a day, and where
  /// holidays are open.
  virtual bool ClosedByHoliday(EventTime start) const = 0;
  /// How many holidays the bucket's local dates hold (0 or 1 up to a day).
  virtual int HolidaysIn(EventTime start) const = 0;
  /// 0 = Monday .. 6 = Sunday, of the bucket's local start.
  virtual int Weekday(EventTime start) const = 0;
  /// Days since 1970-01-01 of the bucket's local start.
  virtual int32_t LocalDay(EventTime start) const = 0;
  /// `ds` as it is published: 2011-03-27 for days and longer, 2011-03-27T14:00:00+01:00 below a day.
  virtual std::string Label(EventTime start) const = 0;
  /// Lengths of the seasons of open buckets (SEMANTICS.md 8), e.g. {6} for an explicit week of six days. Learned days:
  /// {7}, since which days are open turns out later; the phase is then the weekday, and closed days are phases never
  /// met.
  virtual std::vector<int> SeasonLengths() const = 0;
  /// Season phases and features of a bucket: [time of day sin, cos] below a day, [weekday sin, cos, holiday the day
  /// before, the day after] up to a day, [position in the month] below a month, [time of year sin, cos].
  virtual CalendarStep StepAt(EventTime start, int64_t index) const = 0;
  virtual size_t FeatureCount() const = 0;

  /// Errors: kConfig: unknown zone, bad count, weekday, holiday or hours.
  static Result<std::unique_ptr<BucketCalendar>> Make(const CalendarOptions& options);
};

/// What a view's model knows of open buckets: numbers them, learns the open weekdays, looks ahead. State of the model
/// stage. A weekday counts as open when it was open in at least half of the last 8 weeks (all open in the first two);
/// should every weekday fall below that, all count as open. Holidays are closed ahead under every rule. Thread:
/// confined. REQUIRES: the calendar outlives it.
class OpenBuckets {
 public:
  virtual ~OpenBuckets() = default;
  /// Takes note that the bucket is over; `open` as it turned out. In order of start.
  virtual void OnBucketEnd(EventTime start, bool open) = 0;
  /// The context after the last open bucket: its step and the next `horizon` open ones by rule or as learned.
  /// REQUIRES: open_count() > 0.
  virtual BucketContext Context(int horizon) const = 0;
  virtual int64_t open_count() const = 0;
  virtual void Encode(std::string* out) const = 0;
  /// Errors: kCorruption, kVersion.
  virtual Status Decode(std::string_view bytes) = 0;

  static std::unique_ptr<OpenBuckets> Make(const BucketCalendar& calendar, const CalendarOptions& options);
};

}  // namespace tidecast
