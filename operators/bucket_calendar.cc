#include "operators/bucket_calendar.h"

#include <date/date.h>
#include <date/tz.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>
#include <set>

// How a time finds its bucket:
//   1. its local date, by the zone's offset at that time;
//   2. the group of days that the date falls into (a day, n days, n weeks from a Monday, n months), whose first local
//      midnight is the start and whose next one's is the end (a midnight that the clock skips: the moment of the jump);
//   3. below a day: the piece of the day, by elapsed time or by the local clock.

namespace tidecast {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kDaySeconds = 86'400;

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

date::sys_time<Duration> ToSys(EventTime t) { return date::sys_time<Duration>(Duration(t.us)); }
EventTime FromSys(date::sys_seconds t) { return EventTime::FromSeconds(t.time_since_epoch().count()); }

Status ConfigError(std::string text, std::string remedy) {
  return Status(Code::kConfig, std::move(text), Domain::kInput).WithRemedy(std::move(remedy));
}

bool ParseDate(std::string_view text, date::local_days* day) {
  int y = 0;
  unsigned m = 0;
  unsigned d = 0;
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const char* p = text.data();
  if (std::from_chars(p, p + 4, y).ptr != p + 4 || std::from_chars(p + 5, p + 7, m).ptr != p + 7 ||
      std::from_chars(p + 8, p + 10, d).ptr != p + 10) {
    return false;
  }
  const date::year_month_day ymd{date::year{y}, date::month{m}, date::day{d}};
  if (!ymd.ok()) return false;
  *day = date::local_days{ymd};
  return true;
}

class ZonedCalendar final : public BucketCalendar {
 public:
  static Result<std::unique_ptr<BucketCalendar>> Make(const CalendarOptions& options) {
    std::unique_ptr<ZonedCalendar> calendar(new ZonedCalendar(options));
    try {
      calendar->zone_ = date::locate_zone(options.zone);
    } catch (const std::exception&) {
      return ConfigError(fmt::format("the time zone is not known: {}", options.zone),
                         "use a name of the IANA database such as Europe/London or UTC; the package tzdata brings it");
    }
    if (options.count < 1) {
      return ConfigError(fmt::format("a bucket must be at least one unit long: count {}", options.count),
                         "set count to 1 or more");
    }
    if (calendar->length_s_ > kDaySeconds) {
      return ConfigError(
          fmt::format("buckets counted in seconds, minutes or hours must fit into a day: {} s", calendar->length_s_),
          "use the unit day for longer buckets");
    }
    for (const int day : options.weekdays) {
      if (day < 1 || day > 7) return ConfigError(fmt::format("no such weekday: {}", day), "1 is Monday, 7 is Sunday");
      calendar->open_weekday_[static_cast<size_t>(day - 1)] = true;
    }
    if (options.open == OpenRule::kWeekdays) {
      if (options.weekdays.empty())
        return ConfigError("the calendar has no open weekday", "name at least one, 1 is Monday");
    } else {
      calendar->open_weekday_.fill(true);
    }
    for (const std::string& text : options.holidays) {
      date::local_days day;
      if (!ParseDate(text, &day))
        return ConfigError(fmt::format("a holiday is not a date: {}", text), "write it as YYYY-MM-DD");
      calendar->holidays_.insert(day.time_since_epoch().count());
    }
    if (options.open_minute < 0 || options.close_minute > 24 * 60 || options.open_minute >= options.close_minute) {
      return ConfigError(
          fmt::format("business hours make no sense: minute {} to {}", options.open_minute, options.close_minute),
          "open before you close, both within the day");
    }
    calendar->ArrangeSeasons();
    return std::unique_ptr<BucketCalendar>(std::move(calendar));
  }

  Span BucketOf(EventTime time) const override {
    TC_CHECK(time.IsFinite());
    Span span = Guess(time);
    // Where the clock is set back over midnight, a date comes twice: the second time belongs to the day that has begun.
    for (int i = 0; i < 4 && time >= span.end; ++i) span = GroupFrom(GroupOfDay(LocalDay(time)) + 1 + i, time);
    for (int i = 0; i < 4 && time < span.start; ++i) span = GroupFrom(GroupOfDay(LocalDay(time)) - 1 - i, time);
    TC_CHECK(span.start <= time && time < span.end, "time {} bucket {} {}", time.us, span.start.us, span.end.us);
    return span;
  }
  Span Next(EventTime start) const override { return BucketOf(BucketOf(start).end); }
  Span Previous(EventTime start) const override { return BucketOf(BucketOf(start).start - Duration(1)); }

  bool OpenByRule(EventTime start) const override {
    if (options_.open == OpenRule::kLearned || !UpToADay()) return true;
    if (!open_weekday_[static_cast<size_t>(Weekday(start))] || ClosedByHoliday(start)) return false;
    return InHours(start);
  }
  bool ClosedByHoliday(EventTime start) const override {
    return options_.closed_on_holidays && UpToADay() && holidays_.contains(LocalDay(start));
  }
  int HolidaysIn(EventTime start) const override {
    const int32_t first = LocalDay(start);
    const int32_t last = UpToADay() ? first : LocalDay(BucketOf(start).end - Duration(1));
    return static_cast<int>(std::distance(holidays_.lower_bound(first), holidays_.upper_bound(last)));
  }
  int Weekday(EventTime start) const override { return WeekdayOf(LocalDay(start)); }
  int32_t LocalDay(EventTime start) const override {
    return static_cast<int32_t>(
        FloorDivide(zone_->to_local(ToSys(start)).time_since_epoch().count(), kDaySeconds * kSecondUs));
  }

  std::string Label(EventTime start) const override {
    const date::sys_info info = zone_->get_info(ToSys(start));
    const int64_t local = FloorDivide(start.us, kSecondUs) + info.offset.count();
    const date::year_month_day day{date::local_days{date::days{FloorDivide(local, kDaySeconds)}}};
    const std::string text =
        fmt::format("{:04}-{:02}-{:02}", int{day.year()}, unsigned{day.month()}, unsigned{day.day()});
    if (length_s_ == 0) return text;
    const int64_t second = local - FloorDivide(local, kDaySeconds) * kDaySeconds;
    const int64_t offset = std::abs(info.offset.count()) / 60;
    return fmt::format("{}T{:02}:{:02}:{:02}{}{:02}:{:02}", text, second / 3600, second / 60 % 60, second % 60,
                       info.offset.count() < 0 ? '-' : '+', offset / 60, offset % 60);
  }

  std::vector<int> SeasonLengths() const override { return season_lengths_; }
  size_t FeatureCount() const override {
    return (length_s_ > 0 ? 2U : 0U) + (UpToADay() ? 4U : 0U) + (options_.unit != BucketUnit::kMonth ? 1U : 0U) + 2U;
  }

  CalendarStep StepAt(EventTime start, int64_t index) const override {
    CalendarStep step;
    step.index = index;
    const Span span = BucketOf(start);
    step.start = span.start;
    step.end = span.end;
    const int32_t day = LocalDay(start);
    const int64_t second = SecondOfDay(start);
    const int weekday = WeekdayOf(day);
    const date::year_month_day ymd{date::local_days{date::days{day}}};
    const auto day_of_year =
        static_cast<double>((date::local_days{ymd} - date::local_days{ymd.year() / date::January / 1}).count());
    Phases(day, second, weekday, ymd, static_cast<int>(day_of_year), &step.season_phase);

    const auto cyclic = [&step](double part) {
      const double angle = 2 * std::numbers::pi * part;
      step.features.push_back(static_cast<float>(std::sin(angle)));
      step.features.push_back(static_cast<float>(std::cos(angle)));
    };
    step.features.reserve(FeatureCount());
    if (length_s_ > 0) cyclic(static_cast<double>(second) / kDaySeconds);
    if (UpToADay()) {
      cyclic(weekday / 7.0);
      step.features.push_back(holidays_.contains(day - 1) ? 1.F : 0.F);
      step.features.push_back(holidays_.contains(day + 1) ? 1.F : 0.F);
    }
    if (options_.unit != BucketUnit::kMonth)
      step.features.push_back(static_cast<float>((unsigned{ymd.day()} - 1) / 31.0));
    cyclic(day_of_year / 365.25);
    TC_CHECK_EQ(step.features.size(), FeatureCount());
    return step;
  }

 private:
  explicit ZonedCalendar(const CalendarOptions& options) : options_(options) {
    if (options.unit == BucketUnit::kSecond) length_s_ = options.count;
    if (options.unit == BucketUnit::kMinute) length_s_ = options.count * 60LL;
    if (options.unit == BucketUnit::kHour) length_s_ = options.count * 3600LL;
  }

  static int WeekdayOf(int32_t day) { return static_cast<int>(((day + 3) % 7 + 7) % 7); }  // 1970-01-01 was a Thursday
  bool UpToADay() const { return length_s_ > 0 || (options_.unit == BucketUnit::kDay && options_.count == 1); }
  int64_t SecondOfDay(EventTime t) const {
    const int64_t local = FloorDivide(zone_->to_local(ToSys(t)).time_since_epoch().count(), kSecondUs);
    return local - FloorDivide(local, kDaySeconds) * kDaySeconds;
  }

  EventTime AtLocal(int64_t day, int64_t second) const {
    const date::local_seconds local{date::days{day} + std::chrono::seconds{second}};
    return FromSys(zone_->to_sys(local, date::choose::earliest));
  }

  // Groups of days: a day, several, weeks, months; numbered from the one that holds (or follows) 1970-01-01.
  int64_t GroupOfDay(int64_t day) const {
    switch (options_.unit) {
      case BucketUnit::kWeek:
        return FloorDivide(day + 3, 7LL * options_.count);
      case BucketUnit::kMonth: {
        const date::year_month_day ymd{date::local_days{date::days{day}}};
        return FloorDivide((int{ymd.year()} - 1970) * 12LL + unsigned{ymd.month()} - 1, options_.count);
      }
      case BucketUnit::kDay:
        return FloorDivide(day, options_.count);
      default:
        return day;
    }
  }
  int64_t FirstDayOf(int64_t group) const {
    switch (options_.unit) {
      case BucketUnit::kWeek:
        return group * 7 * options_.count - 3;
      case BucketUnit::kMonth: {
        const int64_t month = group * options_.count;
        const date::year_month_day ymd{date::year{static_cast<int>(1970 + FloorDivide(month, 12))},
                                       date::month{static_cast<unsigned>(month - FloorDivide(month, 12) * 12 + 1)},
                                       date::day{1}};
        return date::local_days{ymd}.time_since_epoch().count();
      }
      case BucketUnit::kDay:
        return group * options_.count;
      default:
        return group;
    }
  }

  Span GroupFrom(int64_t group, EventTime time) const {
    const Span days{AtLocal(FirstDayOf(group), 0), AtLocal(FirstDayOf(group + 1), 0)};
    if (length_s_ == 0 || time < days.start || time >= days.end) return days;
    if (length_s_ <= 3600) {
      const int64_t length_us = length_s_ * kSecondUs;
      const int64_t start = days.start.us + (time.us - days.start.us) / length_us * length_us;
      return {{start}, std::min(EventTime{start + length_us}, days.end)};
    }
    const int64_t day = FirstDayOf(group);
    Span span{days.start, days.end};
    for (int64_t second = length_s_; second < kDaySeconds; second += length_s_) {
      const EventTime border = AtLocal(day, second);
      if (border <= time) span.start = std::max(span.start, border);
      if (border > time) {
        span.end = std::min(span.end, border);
        break;
      }
    }
    return span;
  }
  Span Guess(EventTime time) const { return GroupFrom(GroupOfDay(LocalDay(time)), time); }

  bool InHours(EventTime start) const {
    if (length_s_ == 0) return true;
    const int64_t from = SecondOfDay(start);
    return from < options_.close_minute * 60LL && from + length_s_ > options_.open_minute * 60LL;
  }

  // Slots: the open buckets of a day, numbered from the first one in business hours.
  int64_t FirstSlot() const { return options_.open_minute * 60LL / length_s_; }
  int64_t SlotsADay() const { return (options_.close_minute * 60LL + length_s_ - 1) / length_s_ - FirstSlot(); }
  int OpenWeekdays() const { return static_cast<int>(std::count(open_weekday_.begin(), open_weekday_.end(), true)); }
  int WeekdayRank(int weekday) const {
    return static_cast<int>(std::count(open_weekday_.begin(), open_weekday_.begin() + weekday, true));
  }

  void ArrangeSeasons() {
    constexpr int64_t kSteps = 10'080;  // a longer season costs more memory a series than it tells
    const auto add = [this](int64_t length) {
      season_lengths_.push_back(static_cast<int>(std::max<int64_t>(length, 1)));
    };
    if (options_.unit == BucketUnit::kMonth) return add(12 / options_.count);
    if (options_.unit == BucketUnit::kWeek) return add(52 / options_.count);
    if (length_s_ == 0) return add(options_.count == 1 ? OpenWeekdays() : std::max(2, 364 / options_.count));
    for (const Season season : {Season::kMinute, Season::kHour, Season::kDay, Season::kWeek}) {
      const int64_t length = LengthOf(season);
      if (length >= 2 && length <= kSteps) seasons_.push_back(season);
    }
    if (seasons_.size() > 2) seasons_.erase(seasons_.begin(), seasons_.end() - 2);
    for (const Season season : seasons_) add(LengthOf(season));
    if (season_lengths_.empty()) {
      seasons_.push_back(Season::kDay);
      add(SlotsADay());
    }
  }

  enum class Season : uint8_t { kMinute, kHour, kDay, kWeek };
  int64_t LengthOf(Season season) const {
    switch (season) {
      case Season::kMinute:
        return 60 % length_s_ == 0 ? 60 / length_s_ : 0;
      case Season::kHour:
        return 3600 % length_s_ == 0 ? 3600 / length_s_ : 0;
      case Season::kDay:
        return SlotsADay();
      case Season::kWeek:
        return SlotsADay() * OpenWeekdays();
    }
    return 0;
  }

  void Phases(int64_t day, int64_t second, int weekday, const date::year_month_day& ymd, int day_of_year,
              std::vector<int32_t>* out) const {
    const auto add = [this, out](int64_t phase) {
      const int length = season_lengths_[out->size()];
      out->push_back(static_cast<int32_t>(std::clamp<int64_t>(phase, 0, length - 1)));
    };
    if (options_.unit == BucketUnit::kMonth)
      return add((unsigned{ymd.month()} - 1) / static_cast<unsigned>(options_.count));
    if (options_.unit == BucketUnit::kWeek) return add(day_of_year / 7 / options_.count);
    if (length_s_ == 0) {
      if (options_.count == 1) return add(WeekdayRank(weekday));
      const int64_t group = GroupOfDay(day);
      return add(group - FloorDivide(group, season_lengths_[0]) * season_lengths_[0]);
    }
    const int64_t slot = std::clamp<int64_t>(second / length_s_ - FirstSlot(), 0, SlotsADay() - 1);
    for (const Season season : seasons_) {
      if (season == Season::kMinute) add(second % 60 / length_s_);
      if (season == Season::kHour) add(second % 3600 / length_s_);
      if (season == Season::kDay) add(slot);
      if (season == Season::kWeek) add(WeekdayRank(weekday) * SlotsADay() + slot);
    }
  }

  CalendarOptions options_;
  int64_t length_s_ = 0;  ///< below a day; 0: days and longer
  const date::time_zone* zone_ = nullptr;
  std::array<bool, 7> open_weekday_{};
  std::set<int64_t> holidays_;  ///< days since 1970-01-01
  std::vector<Season> seasons_;
  std::vector<int> season_lengths_;
};

}  // namespace

Result<std::unique_ptr<BucketCalendar>> BucketCalendar::Make(const CalendarOptions& options) {
  return ZonedCalendar::Make(options);
}

}  // namespace tidecast
