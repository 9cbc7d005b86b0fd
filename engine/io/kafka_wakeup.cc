#include "engine/io/kafka_wakeup.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/core/check.h"

namespace tidecast {
namespace {
constexpr uint64_t kOne = 1;
}  // namespace

KafkaWakeup::KafkaWakeup() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  TC_CHECK(descriptor_ >= 0, "no eventfd: too many open files");
}

KafkaWakeup::~KafkaWakeup() { close(descriptor_); }

void KafkaWakeup::Watch(rd_kafka_queue_t* queue) {
  rd_kafka_queue_io_event_enable(queue, descriptor_, &kOne, sizeof kOne);
}

void KafkaWakeup::Forget(rd_kafka_queue_t* queue) { rd_kafka_queue_io_event_enable(queue, -1, nullptr, 0); }

void KafkaWakeup::Wake() {
  // Fails only when the counter is full, and then the waiter wakes anyway.
  [[maybe_unused]] const ssize_t written = write(descriptor_, &kOne, sizeof kOne);
}

void KafkaWakeup::Wait(int wait_ms) {
  pollfd waited{descriptor_, POLLIN, 0};
  if (poll(&waited, 1, wait_ms) <= 0) return;
  uint64_t drained = 0;
  [[maybe_unused]] const ssize_t bytes = read(descriptor_, &drained, sizeof drained);
}

}  // namespace tidecast
