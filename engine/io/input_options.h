#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/event.h"
#include "engine/core/time.h"
#include "engine/core/watermark_options.h"

namespace tidecast {

enum class TimeSource : uint8_t { kField, kCeTime, kRecord };
enum class TimeFormat : uint8_t { kAuto, kRfc3339, kSeconds, kMillis, kMicros };

struct DedupeOptions {
  std::vector<std::string> fields;    ///< names of mapped fields, e.g. order_id, line
  Duration keep{};                    ///< how long an id is remembered, event time
};

/// One input of the config.
struct InputOptions {
  std::string name;                   ///< "orders"; the topic defaults to <ns>.<name>
  InputKind kind = InputKind::kOrders;
  std::string topic;
  /// Our field name -> RFC 6901 JSON Pointer into the value. Defaults by kind: sku -> /sku, quantity -> /quantity, ...
  std::map<std::string, std::string> fields;
  /// Our field name -> column of a CSV file. Missing ones are sniffed from the header.
  std::map<std::string, std::string> columns;
  TimeSource time_source = TimeSource::kField;
  TimeFormat time_format = TimeFormat::kAuto;
  std::string zone = "UTC";           ///< of times without an offset
  WatermarkOptions watermark;
  bool unfed = false;                 ///< replay: no file feeds it, so it does not hold back the watermark
  Duration max_future{};              ///< judged against the record's broker time; 0: no limit
  std::optional<DedupeOptions> dedupe;
  bool key_check = true;              ///< murmur2(key) == partition and key == sku
  size_t value_bytes_max = 1 << 20;
};

}  // namespace tidecast
