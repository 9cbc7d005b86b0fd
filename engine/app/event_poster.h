#pragma once

#include <string>
#include <vector>

#include "engine/core/clock.h"
#include "engine/io/embedded_transport.h"
#include "engine/io/input_options.h"

namespace tidecast {

/// Takes bodies of POST /v1/events/{input} into the embedded log: one JSON object, an array of them, or NDJSON. All events
/// of a body become durable in one write or none does; the engine sees them as if a producer had sent them.
/// Thread: safe.
class EventPoster {
 public:
  EventPoster(EmbeddedTransport& log, std::vector<InputOptions> inputs, const Clock& clock)
      : log_(log), inputs_(std::move(inputs)), clock_(clock) {}

  /// Returns JSON: {"accepted": n, "positions": [{"topic", "partition", "offset"}]} (offset of the last event of each
  /// partition, plus one). Errors: kNotFound (unknown input), kParse (not JSON, no key; the event's place is named).
  Result<std::string> Post(const std::string& input, const std::string& body);

 private:
  EmbeddedTransport& log_;
  std::vector<InputOptions> inputs_;
  const Clock& clock_;
};

}  // namespace tidecast
