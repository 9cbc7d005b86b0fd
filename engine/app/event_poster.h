#pragma once

#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "engine/core/clock.h"
#include "engine/io/event_appender.h"
#include "engine/io/input_options.h"

namespace tidecast {

/// Takes bodies of POST /v1/events/{input} into the log: one JSON object, an array of them, or NDJSON. The whole body is
/// looked at before anything is written; the engine sees its events as if a producer had sent them.
/// Thread: safe.
class EventPoster {
 public:
  EventPoster(EventAppender& log, std::vector<InputOptions> inputs, const Clock& clock)
      : log_(&log), inputs_(std::move(inputs)), clock_(clock) {}

  /// Returns JSON: {"accepted": n, "kept_by": "process" | "disk" | "brokers", "positions": [{"topic", "partition",
  /// "offset"}]} (offset of the last event of each partition, plus one). `durable`: on the disk before the answer.
  /// Errors: kNotFound (unknown input), kParse (not JSON, no key; the event's place is named), those of the log.
  Result<std::string> Post(const std::string& input, const std::string& body, bool durable);
  /// Waits for posts under way; later ones are refused (kNotReady). From then on the log may go.
  void Close();

 private:
  std::shared_mutex mutex_;  // posts share it, Close has it alone
  EventAppender* log_;       // under mutex_; null once closed
  std::vector<InputOptions> inputs_;
  const Clock& clock_;
};

}  // namespace tidecast
