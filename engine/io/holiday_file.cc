#include "engine/io/holiday_file.h"

#include <fmt/format.h>
#include <libical/ical.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>

#include "engine/io/csv_reader.h"

namespace tidecast {
namespace {

constexpr int64_t kDaySeconds = 86400;
constexpr int kFirstYear = 1990;
constexpr int kLastYear = 2060;
constexpr int64_t kLongestEvent = 366;  ///< days; a longer one is a mistake

Status Bad(const std::string& path, std::string_view words) {
  return Status(Code::kData, fmt::format("a calendar file cannot be used: {}: {}", path, words), Domain::kInput)
      .WithRemedy("CSV with the columns date,name[,country] and dates as 2011-12-26, or an iCalendar file (.ics)");
}

std::optional<int32_t> ParseDay(std::string_view text) {
  int year = 0, month = 0, day = 0;
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto number = [&](size_t at, size_t length, int* to) {
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + length, *to);
    return error == std::errc() && end == text.data() + at + length;
  };
  if (!number(0, 4, &year) || !number(5, 2, &month) || !number(8, 2, &day)) return std::nullopt;
  const std::chrono::year_month_day date = std::chrono::year(year) / month / day;
  if (!date.ok() || (text.size() > 10 && text[10] != ' ' && text[10] != 'T')) return std::nullopt;
  return static_cast<int32_t>(std::chrono::sys_days(date).time_since_epoch().count());
}

Result<std::vector<CalendarDay>> ReadCsvCalendar(const std::string& path) {
  TC_ASSIGN_OR_RETURN(GzipLineSource source, GzipLineSource::Open(path));
  CsvReader reader(std::move(source), ',');
  std::string record, scratch;
  std::vector<std::string_view> fields;
  TC_ASSIGN_OR_RETURN(bool more, reader.Next(&record));
  if (!more || !SplitCsv(record, ',', &scratch, &fields)) return Bad(path, "no header");
  std::optional<size_t> date, name, country;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i] == "date" || fields[i] == "ds") date = i;
    if (fields[i] == "name" || fields[i] == "holiday") name = i;
    if (fields[i] == "country") country = i;
  }
  if (!date) return Bad(path, "no column date");
  const size_t width = fields.size();
  std::vector<CalendarDay> days;
  for (;;) {
    TC_ASSIGN_OR_RETURN(more, reader.Next(&record));
    if (!more) return days;
    if (!SplitCsv(record, ',', &scratch, &fields) || fields.size() != width) {
      return Bad(path, fmt::format("line {}: {} fields, the header has {}", reader.line(), fields.size(), width));
    }
    const auto day = ParseDay(fields[*date]);
    if (!day) return Bad(path, fmt::format("line {}: not a date: {}", reader.line(), fields[*date]));
    days.push_back({*day, name ? std::string(fields[*name]) : std::string(),
                    country ? std::string(fields[*country]) : std::string()});
  }
}

struct ComponentDeleter {
  void operator()(icalcomponent* component) const { icalcomponent_free(component); }
};

/// One event and where its days go.
struct Event {
  std::string name;
  int64_t length_days = 1;
  std::vector<CalendarDay>* days;
};

void TakeRecurrence(icalcomponent* /*component*/, icaltime_span* span, void* data) {
  const auto* event = static_cast<const Event*>(data);
  const int64_t first = static_cast<int64_t>(span->start) / kDaySeconds;
  for (int64_t day = first; day < first + event->length_days; ++day) {
    event->days->push_back({static_cast<int32_t>(day), event->name, ""});
  }
}

/// Local days from the first to the last moment; the end is exclusive and may be missing.
int64_t LengthInDays(icalcomponent* event) {
  const int64_t start = icaltime_as_timet(icalcomponent_get_dtstart(event));
  const icaltimetype until = icalcomponent_get_dtend(event);
  const int64_t end = icaltime_is_null_time(until) ? start : static_cast<int64_t>(icaltime_as_timet(until));
  return std::max(end - 1, start) / kDaySeconds - start / kDaySeconds + 1;
}

/// Its time as it stands: a zone would only move the day.
void DropZone(icalcomponent* event, icalproperty_kind kind) {
  icalproperty* property = icalcomponent_get_first_property(event, kind);
  if (property == nullptr) return;
  icalproperty_remove_parameter_by_kind(property, ICAL_TZID_PARAMETER);
}

Result<std::vector<CalendarDay>> ReadICalendar(const std::string& path) {
  TC_ASSIGN_OR_RETURN(GzipLineSource source, GzipLineSource::Open(path));
  std::string text, line;
  for (;;) {
    TC_ASSIGN_OR_RETURN(const bool more, source.NextLine(&line));
    if (!more) break;
    text += line + "\n";
  }
  icalerror_set_errors_are_fatal(false);
  const std::unique_ptr<icalcomponent, ComponentDeleter> root(icalparser_parse_string(text.c_str()));
  if (!root || icalcomponent_isa(root.get()) != ICAL_VCALENDAR_COMPONENT) return Bad(path, "no VCALENDAR in it");
  std::vector<CalendarDay> days;
  const icaltimetype from = icaltime_from_string(fmt::format("{}0101T000000Z", kFirstYear).c_str());
  const icaltimetype to = icaltime_from_string(fmt::format("{}0101T000000Z", kLastYear + 1).c_str());
  size_t events = 0;
  for (icalcomponent* item = icalcomponent_get_first_component(root.get(), ICAL_VEVENT_COMPONENT); item != nullptr;
       item = icalcomponent_get_next_component(root.get(), ICAL_VEVENT_COMPONENT)) {
    ++events;
    const char* summary = icalcomponent_get_summary(item);
    Event event{summary != nullptr ? summary : "", 1, &days};
    if (icalproperty* error = icalcomponent_get_first_property(item, ICAL_XLICERROR_PROPERTY); error != nullptr) {
      return Bad(path, fmt::format("event {} ({}): {}", events, event.name, icalproperty_get_xlicerror(error)));
    }
    if (icaltime_is_null_time(icalcomponent_get_dtstart(item)))
      return Bad(path, fmt::format("event {} ({}) has no DTSTART", events, event.name));
    DropZone(item, ICAL_DTSTART_PROPERTY);
    DropZone(item, ICAL_DTEND_PROPERTY);
    event.length_days = LengthInDays(item);
    if (event.length_days > kLongestEvent) {
      return Bad(path, fmt::format("event {} ({}) is longer than a year", events, event.name));
    }
    icalcomponent_foreach_recurrence(item, from, to, TakeRecurrence, &event);
  }
  if (events == 0) return Bad(path, "no event in it");
  return days;
}

}  // namespace

Result<std::vector<CalendarDay>> ReadCalendarFile(const std::string& path) {
  const bool icalendar = path.ends_with(".ics") || path.ends_with(".ical");
  return icalendar ? ReadICalendar(path) : ReadCsvCalendar(path);
}

}  // namespace tidecast
