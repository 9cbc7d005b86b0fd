#pragma once

#include <cstdint>

#include "engine/io/kafka_handles.h"

namespace tidecast {

/// Lets one thread wait for several queues and for a call at once, by an eventfd.
/// Thread: Wake is safe; the rest is confined.
class KafkaWakeup {
 public:
  KafkaWakeup();
  ~KafkaWakeup();
  KafkaWakeup(const KafkaWakeup&) = delete;
  KafkaWakeup& operator=(const KafkaWakeup&) = delete;

  /// Wakes whenever the queue gets something after it was empty, until Forget.
  void Watch(rd_kafka_queue_t* queue);
  static void Forget(rd_kafka_queue_t* queue);
  void Wake();
  /// Waits until something woke, at most `wait_ms`.
  void Wait(int wait_ms);

 private:
  int descriptor_ = -1;
};

}  // namespace tidecast
