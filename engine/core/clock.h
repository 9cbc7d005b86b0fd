#pragma once

#include <atomic>

#include "engine/core/time.h"

namespace tidecast {

/// Hands out processing time. The one place where a part may learn what time it is.
/// Thread: safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual ProcessingTime Now() const = 0;
};

/// The machine's clock.
class SystemClock final : public Clock {
 public:
  ProcessingTime Now() const override {
    return {std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()).count()};
  }
};

/// A clock that a test or a simulation moves by hand.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(ProcessingTime start = {}) : now_us_(start.us) {}
  ProcessingTime Now() const override { return {now_us_.load(std::memory_order_relaxed)}; }
  void Advance(Duration by) { now_us_.fetch_add(by.count(), std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> now_us_;
};

}  // namespace tidecast
