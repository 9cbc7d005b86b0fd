#include "engine/io/event_time_parser.h"

#include <date/date.h>
#include <date/tz.h>

#include <exception>

#include "engine/core/decimal.h"
#include "engine/core/plausible_time.h"

namespace tidecast {
namespace {

// Reads exactly `digits` decimal digits at *at; -1 when they are not there.
int ReadDigits(std::string_view text, size_t* at, size_t digits) {
  if (*at + digits > text.size()) return -1;
  int value = 0;
  for (size_t i = 0; i < digits; ++i) {
    const unsigned digit = static_cast<unsigned char>(text[*at + i]) - '0';
    if (digit > 9) return -1;
    value = value * 10 + static_cast<int>(digit);
  }
  *at += digits;
  return value;
}

bool Take(std::string_view text, size_t* at, char wanted) {
  if (*at >= text.size() || text[*at] != wanted) return false;
  ++*at;
  return true;
}

bool IsNumber(std::string_view text) {
  size_t i = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  if (i == text.size()) return false;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if ((c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E') return false;
  }
  return true;
}

}  // namespace

Result<EventTimeParser> EventTimeParser::Make(TimeFormat format, const std::string& zone) {
  try {
    return EventTimeParser(format, date::locate_zone(zone));
  } catch (const std::exception&) {
    return Status(Code::kConfig, fmt::format("unknown time zone: \"{}\"", zone), Domain::kInput)
        .WithRemedy("use a name of the time zone database, e.g. Europe/London or UTC (package tzdata must be installed)");
  }
}

std::optional<EventTime> EventTimeParser::Parse(std::string_view text) {
  if (format_ != TimeFormat::kAuto && format_ != TimeFormat::kRfc3339) return ParseEpoch(text);
  if (auto civil = ParseCivil(text)) return IsPlausible(*civil) ? civil : std::nullopt;
  if (format_ == TimeFormat::kAuto && IsNumber(text)) return ParseEpoch(text);
  return std::nullopt;
}

std::optional<EventTime> EventTimeParser::ParseEpoch(std::string_view text) const {
  // Whole numbers first: they may be larger than a Decimal holds.
  size_t i = !text.empty() && text[0] == '-' ? 1 : 0;
  int64_t whole = 0;
  bool is_whole = i < text.size() && text.size() - i <= 18;
  for (size_t k = i; is_whole && k < text.size(); ++k) {
    if (text[k] < '0' || text[k] > '9') is_whole = false;
    else whole = whole * 10 + (text[k] - '0');
  }
  if (i == 1) whole = -whole;
  TimeFormat unit = format_;
  std::optional<Decimal> fraction;
  if (!is_whole) {
    fraction = ParseDecimal(text);
    if (!fraction) return std::nullopt;
    whole = fraction->micros / Decimal::kOne;
  }
  if (unit == TimeFormat::kAuto) {
    const int64_t size = whole < 0 ? -whole : whole;
    if (size < 100'000'000'000) unit = TimeFormat::kSeconds;
    else if (size < 100'000'000'000'000) unit = TimeFormat::kMillis;
    else if (size < 100'000'000'000'000'000) unit = TimeFormat::kMicros;
    else return std::nullopt;
  }
  const int64_t scale = unit == TimeFormat::kSeconds ? 1'000'000 : unit == TimeFormat::kMillis ? 1'000 : 1;
  int64_t us = 0;
  if (is_whole) {
    if (__builtin_mul_overflow(whole, scale, &us)) return std::nullopt;
  } else {
    us = fraction->micros / (Decimal::kOne / scale);
  }
  const EventTime time{us};
  if (!IsPlausible(time)) return std::nullopt;
  return time;
}

std::optional<EventTime> EventTimeParser::ParseCivil(std::string_view text) {
  size_t at = 0;
  const int year = ReadDigits(text, &at, 4);
  if (year < 0 || !Take(text, &at, '-')) return std::nullopt;
  const int month = ReadDigits(text, &at, 2);
  if (month < 1 || !Take(text, &at, '-')) return std::nullopt;
  const int day = ReadDigits(text, &at, 2);
  if (day < 1) return std::nullopt;
  const date::year_month_day civil{date::year(year), date::month(static_cast<unsigned>(month)),
                                   date::day(static_cast<unsigned>(day))};
  if (!civil.ok()) return std::nullopt;
  int64_t seconds = static_cast<int64_t>(date::sys_days(civil).time_since_epoch().count()) * 86'400;
  int64_t micros = 0;
  if (at == text.size()) return EventTime{LocalToUtcSeconds(seconds) * 1'000'000};

  if (text[at] != 'T' && text[at] != 't' && text[at] != ' ') return std::nullopt;
  ++at;
  const int hour = ReadDigits(text, &at, 2);
  if (hour < 0 || hour > 23 || !Take(text, &at, ':')) return std::nullopt;
  const int minute = ReadDigits(text, &at, 2);
  if (minute < 0 || minute > 59) return std::nullopt;
  int second = 0;
  if (Take(text, &at, ':')) {
    second = ReadDigits(text, &at, 2);
    if (second < 0 || second > 60) return std::nullopt;  // 60: a leap second, the first second of the next minute
    if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
      ++at;
      const size_t begin = at;
      int64_t unit = 100'000;
      for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) micros += (text[at] - '0') * unit;
      if (at == begin) return std::nullopt;
    }
  }
  seconds += hour * 3'600 + minute * 60 + second;
  if (at == text.size()) return EventTime{LocalToUtcSeconds(seconds) * 1'000'000 + micros};

  if (text[at] == 'Z' || text[at] == 'z') {
    if (at + 1 != text.size()) return std::nullopt;
    return EventTime{seconds * 1'000'000 + micros};
  }
  if (text[at] != '+' && text[at] != '-') return std::nullopt;
  const int sign = text[at++] == '-' ? -1 : 1;
  const int offset_hours = ReadDigits(text, &at, 2);
  if (offset_hours < 0 || offset_hours > 23) return std::nullopt;
  Take(text, &at, ':');
  const int offset_minutes = at == text.size() ? 0 : ReadDigits(text, &at, 2);
  if (offset_minutes < 0 || offset_minutes > 59 || at != text.size()) return std::nullopt;
  return EventTime{(seconds - sign * (offset_hours * 3'600 + offset_minutes * 60)) * 1'000'000 + micros};
}

int64_t EventTimeParser::LocalToUtcSeconds(int64_t local_seconds) {
  if (local_seconds >= local_begin_ && local_seconds < local_end_) return local_seconds - offset_seconds_;
  const date::local_info info = zone_->get_info(date::local_seconds(std::chrono::seconds(local_seconds)));
  const int64_t offset = info.first.offset.count();
  if (info.result == date::local_info::unique) {
    // A day away from both changes no other offset can be meant.
    constexpr int64_t kDay = 86'400;
    constexpr int64_t kFar = int64_t{1} << 40;
    const int64_t begin = std::max(-kFar, static_cast<int64_t>(info.first.begin.time_since_epoch().count()));
    const int64_t end = std::min(kFar, static_cast<int64_t>(info.first.end.time_since_epoch().count()));
    local_begin_ = begin + offset + kDay;
    local_end_ = end + offset - kDay;
    offset_seconds_ = offset;
  }
  // Ambiguous: `first` is the earlier one. Nonexistent: by the offset before the gap, which lands behind it.
  return local_seconds - offset;
}

}  // namespace tidecast
