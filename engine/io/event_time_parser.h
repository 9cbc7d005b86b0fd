#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/status.h"
#include "engine/core/time.h"
#include "engine/io/input_options.h"

namespace date {
class time_zone;
}

namespace tidecast {

/// Reads event times: RFC 3339 and "YYYY-MM-DD[ HH:MM[:SS[.fraction]]][offset]" (space or T), epoch seconds, milliseconds
/// and microseconds. A time without an offset is local to the zone: an hour that exists twice means the first one, an hour
/// that daylight saving skips is moved on by the length of the gap.
/// kAuto tells epoch units apart by size: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds.
/// Thread: confined (keeps the zone's last offset).
class EventTimeParser {
 public:
  /// Errors: kConfig for an unknown zone.
  static Result<EventTimeParser> Make(TimeFormat format, const std::string& zone);

  /// `text` without quotes; digits alone are epoch time unless the format is kRfc3339. Nothing when it is not a time.
  std::optional<EventTime> Parse(std::string_view text);

 private:
  EventTimeParser(TimeFormat format, const date::time_zone* zone) : format_(format), zone_(zone) {}
  std::optional<EventTime> ParseCivil(std::string_view text);
  std::optional<EventTime> ParseEpoch(std::string_view text) const;
  int64_t LocalToUtcSeconds(int64_t local_seconds);

  TimeFormat format_;
  const date::time_zone* zone_;
  // The zone's offset that held last, and between which local seconds it is the only one.
  int64_t offset_seconds_ = 0;
  int64_t local_begin_ = 1;
  int64_t local_end_ = 0;
};

}  // namespace tidecast
