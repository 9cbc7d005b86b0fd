#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>

namespace tidecast {

using Duration = std::chrono::microseconds;

/// When something happened, in microseconds since 1970-01-01T00:00:00Z.
/// kMin stands for "nothing seen yet", kMax for "the input has ended".
/// Thread: immutable value.
struct EventTime {
  int64_t us = std::numeric_limits<int64_t>::min();

  static constexpr EventTime Min() { return {std::numeric_limits<int64_t>::min()}; }
  static constexpr EventTime Max() { return {std::numeric_limits<int64_t>::max()}; }
  static constexpr EventTime FromSeconds(int64_t s) { return {s * 1'000'000}; }
  static constexpr EventTime FromMillis(int64_t ms) { return {ms * 1'000}; }

  constexpr bool IsFinite() const { return us != Min().us && us != Max().us; }
  constexpr auto operator<=>(const EventTime&) const = default;
};

/// Adds with saturation, so that Min and Max stay what they are.
constexpr EventTime operator+(EventTime t, Duration d) {
  if (!t.IsFinite()) return t;
  int64_t sum = 0;
  if (__builtin_add_overflow(t.us, d.count(), &sum)) return d.count() > 0 ? EventTime::Max() : EventTime::Min();
  return {sum};
}
constexpr EventTime operator-(EventTime t, Duration d) { return t + Duration(-d.count()); }
/// REQUIRES: both finite.
constexpr Duration operator-(EventTime a, EventTime b) { return Duration(a.us - b.us); }

/// When we saw it, by the clock that was handed in. Microseconds since the epoch.
struct ProcessingTime {
  int64_t us = 0;
  constexpr auto operator<=>(const ProcessingTime&) const = default;
};
constexpr ProcessingTime operator+(ProcessingTime t, Duration d) { return {t.us + d.count()}; }
constexpr Duration operator-(ProcessingTime a, ProcessingTime b) { return Duration(a.us - b.us); }

}  // namespace tidecast
