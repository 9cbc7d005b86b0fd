#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/time.h"
#include "operators/view_options.h"

namespace tidecast {

/// "500ms", "30s", "5m", "2h", "1d", "1w", "1h30m"; "0". Nothing for anything else, a number without a unit included.
std::optional<Duration> ParseDuration(std::string_view text);
/// "64KiB", "512MiB", "2GiB", "10MB", "100B"; "0". Nothing for anything else.
std::optional<uint64_t> ParseBytes(std::string_view text);
/// Bucket lengths: "10s", "5m", "1h", "1d", "1w", "1mo".
struct BucketLength {
  BucketUnit unit = BucketUnit::kDay;
  int count = 1;
};
std::optional<BucketLength> ParseBucketLength(std::string_view text);
/// "09:00-17:30" -> minutes of the day; the end is behind the beginning, 24:00 at most.
struct BusinessHours {
  int open_minute = 0;
  int close_minute = 24 * 60;
};
std::optional<BusinessHours> ParseBusinessHours(std::string_view text);
/// mon .. sun (or monday ...) -> 1 .. 7.
std::optional<int> ParseWeekday(std::string_view text);
std::optional<bool> ParseBoolean(std::string_view text);
std::optional<int64_t> ParseInteger(std::string_view text);
std::optional<double> ParseNumber(std::string_view text);

/// The shortest way to write a duration that ParseDuration reads back, e.g. "90s", "2h".
std::string ShowDuration(Duration duration);
/// The same for bytes, e.g. "32MiB".
std::string ShowBytes(uint64_t bytes);

}  // namespace tidecast
