#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/event.h"
#include "engine/core/forecast.h"
#include "engine/core/time.h"

namespace tidecast {

enum class Aggregate : uint8_t { kCount, kSum, kMax, kMin, kMean, kLast, kDistinct };

/// Which events of the input a feature takes, by the sign of the quantity.
enum class SignFilter : uint8_t { kAll, kPositive, kNegative };

enum class DistinctOf : uint8_t { kCustomer, kSession, kCategory, kCountry };

/// One column of a view: an aggregate over a bucket's events of one input.
struct FeatureOptions {
  std::string name;
  std::string input;                 ///< name of an input of the config
  Aggregate aggregate = Aggregate::kCount;
  NumberField field = NumberField::kQuantity;  ///< not for count and distinct
  bool absolute = false;             ///< take |value|
  SignFilter sign = SignFilter::kAll;
  std::optional<ClickAction> action; ///< clicks only
  DistinctOf distinct = DistinctOf::kCustomer;
  bool operator==(const FeatureOptions&) const = default;
};

enum class BucketUnit : uint8_t { kSecond, kMinute, kHour, kDay, kWeek, kMonth };

/// Which buckets exist. kAll: every one. kLearned: SEMANTICS.md 2. kWeekdays: an explicit set. Each minus `holidays`, unless open on them.
enum class OpenRule : uint8_t { kAll, kLearned, kWeekdays };

struct CalendarOptions {
  BucketUnit unit = BucketUnit::kDay;
  int count = 1;                     ///< buckets are `count` units long, aligned to the zone's midnight (weeks: Monday, months: the 1st)
  std::string zone = "UTC";
  OpenRule open = OpenRule::kAll;
  std::vector<int> weekdays;         ///< 1 = Monday .. 7 = Sunday, for kWeekdays
  std::vector<std::string> holidays; ///< YYYY-MM-DD
  bool closed_on_holidays = true;    ///< false: buckets as on other days; the model hears that it is one
  int open_minute = 0;               ///< business hours within the day, local time; sub-daily buckets outside are closed
  int close_minute = 24 * 60;
  bool operator==(const CalendarOptions&) const = default;
};

enum class RowTimes : uint8_t { kText, kMillis };
enum class RowHeaders : uint8_t { kCloudEvents, kId, kNone };

/// How rows of closed buckets or of a window are written.
struct RowOptions {
  std::string topic;                 ///< empty: <ns>.features[.<window>]
  /// Name in the JSON object and what stands there: series, view, window, start, end, last (sessions: time of the last
  /// event), revision, events, a feature, or a number as it is. Empty: the form of config/schemas/features.schema.json.
  std::vector<std::pair<std::string, std::string>> fields;
  RowTimes times = RowTimes::kText;  ///< kMillis: milliseconds since 1970
  RowHeaders headers = RowHeaders::kCloudEvents;  ///< kId: the content id alone; kNone: no header
};

enum class WindowKind : uint8_t { kHopping, kSession };

/// A further window over the same features, published to its own topic.
struct WindowOptions {
  WindowKind kind = WindowKind::kHopping;
  std::string name;                  ///< e.g. "hour"; topic <ns>.features.<name>
  int size_buckets = 60;             ///< hopping: combined from this many panes, moving by one bucket
  Duration gap{};                    ///< session
  RowOptions rows;
};

/// What makes a series, and so which stage makes its rows: series (kKey), rollup (kCategory, kCountry, kAll), actor
/// (kCustomer).
enum class GroupBy : uint8_t { kKey, kCategory, kCountry, kAll, kCustomer };

/// A view: how events become series (SEMANTICS.md 1).
struct ViewOptions {
  std::string name = "sku";
  GroupBy group_by = GroupBy::kKey;
  CalendarOptions calendar;
  std::vector<FeatureOptions> features;
  std::vector<WindowOptions> windows;
  std::string target = "units";      ///< name of a feature
  int horizon = 14;
  std::optional<ValueDomain> domain; ///< nothing: inferred in the warm-up
  Duration allowed_lateness{};       ///< after a bucket's close an event may still revise it
  int dormant_after = 90;            ///< zero buckets in a row after which a series is forecast from the prior; 0: never
  Duration retire_after{};           ///< without an event for so long a series is over; 0: never
  bool emit_empty = true;            ///< a row for every known series and open bucket; false: only for buckets with events
  std::vector<std::string> past_covariates;   ///< features handed to the model as seen
  bool publish_features = true;
  RowOptions rows;                   ///< of closed buckets
  bool forecast = true;
};

}  // namespace tidecast
