#pragma once

#include <span>
#include <vector>

#include "engine/core/record.h"
#include "engine/io/log_transport.h"

namespace tidecast {

/// Puts events into input topics as another producer would, outside of the engine's transactions.
/// Thread: safe.
class EventAppender {
 public:
  virtual ~EventAppender() = default;
  /// Waits until the records are in the log and returns, for each touched partition, the position behind its last one.
  /// `sync`: also safe from a power loss where the log does not promise that anyway.
  /// Errors: kNotFound (topic), kInvalidArgument (too large), kWouldBlock (too much is on its way: nothing was taken),
  /// kUnavailable (it is not known that all were written), kNoSpace, kIo.
  virtual Result<std::vector<Position>> Append(std::span<const OutputRecord> records, bool sync) = 0;
  /// How far an answer promises that the events are kept, for the API: "process", "disk", "brokers".
  virtual std::string_view Promise(bool sync) const = 0;
};

}  // namespace tidecast
