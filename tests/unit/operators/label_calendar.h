#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "operators/bucket_calendar.h"

namespace tidecast {

/// Days in UTC, numbered from 1970; a calendar for tests that need nothing of time zones.
class LabelCalendar final : public BucketCalendar {
 public:
  static constexpr int64_t kDay = 86'400'000'000;
  static EventTime Day(int64_t number) { return {number * kDay}; }

  Span BucketOf(EventTime time) const override {
    const int64_t day = time.us >= 0 ? time.us / kDay : -((-time.us + kDay - 1) / kDay);
    return {Day(day), Day(day + 1)};
  }
  Span Next(EventTime start) const override { return {start + Duration(kDay), start + Duration(2 * kDay)}; }
  Span Previous(EventTime start) const override { return {start - Duration(kDay), start}; }
  bool OpenByRule(EventTime) const override { return true; }
  bool ClosedByHoliday(EventTime) const override { return false; }
  int HolidaysIn(EventTime) const override { return 0; }
  int Weekday(EventTime start) const override { return static_cast<int>((LocalDay(start) + 3) % 7); }
  int32_t LocalDay(EventTime start) const override { return static_cast<int32_t>(start.us / kDay); }
  CalendarStep StepAt(EventTime start, int64_t index) const override {
    CalendarStep step;
    step.index = index;
    step.start = start;
    step.end = start + Duration(kDay);
    return step;
  }
  std::string Label(EventTime start) const override {
    ++labels_made;
    const std::time_t seconds = start.us / 1'000'000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[16];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &parts)};
  }
  std::vector<int> SeasonLengths() const override { return {7}; }
  size_t FeatureCount() const override { return 0; }

  mutable int labels_made = 0;
};

}  // namespace tidecast
