#pragma once

#include "engine/io/embedded_transport.h"
#include "engine/io/event_appender.h"

namespace tidecast {

/// EventAppender on the embedded log: a batch is one write of the store. Thread: safe.
class EmbeddedAppender final : public EventAppender {
 public:
  /// `log` must outlive it.
  explicit EmbeddedAppender(EmbeddedTransport& log) : log_(log) {}
  Result<std::vector<Position>> Append(std::span<const OutputRecord> records, bool sync) override {
    return log_.Append(records, sync);
  }
  std::string_view Promise(bool sync) const override { return sync ? "disk" : "process"; }

 private:
  EmbeddedTransport& log_;
};

}  // namespace tidecast
