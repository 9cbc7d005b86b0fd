#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "engine/io/event_appender.h"
#include "engine/io/kafka_config.h"

namespace tidecast {

struct KafkaEventLimits {
  std::chrono::milliseconds delivery_timeout{10'000};
  size_t in_flight_bytes_max = 32ULL << 20;
};

/// EventAppender on Kafka: an idempotent producer of its own (acks=all, murmur2 as the Java client's), apart from the
/// engine's transactional one. A batch is refused whole before anything of it is sent, when what is on its way would
/// exceed `in_flight_bytes_max` or a record is larger than the client's message.max.bytes. One that was sent and is not
/// acknowledged within `delivery_timeout` ends in kUnavailable, which says how many were; the others may still be written.
/// Connects by itself, and again, in the background.  Thread: safe; one of its own serves delivery reports.
class KafkaEventProducer final : public EventAppender {
 public:
  /// Errors: kConfig.
  static Result<std::unique_ptr<KafkaEventProducer>> Make(const KafkaTransportOptions& options, KafkaEventLimits limits = {});
  ~KafkaEventProducer() override;

  Result<std::vector<Position>> Append(std::span<const OutputRecord> records, bool sync) override;
  std::string_view Promise(bool) const override { return "brokers"; }

 private:
  struct Delivery;
  KafkaEventProducer(const KafkaTransportOptions& options, KafkaEventLimits limits);
  Status CheckSizes(std::span<const OutputRecord> records) const;
  Status Enqueue(const OutputRecord& record, Delivery* delivery);
  Status Undelivered(const Delivery& delivery, size_t records) const;
  static void OnDelivered(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque);

  const KafkaTransportOptions options_;
  const KafkaEventLimits limits_;
  const std::shared_ptr<KafkaLog> log_;  // shared with the client's callbacks
  size_t message_bytes_max_ = 0;
  KafkaClient client_;
  std::atomic<size_t> in_flight_bytes_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread poller_;
};

}  // namespace tidecast
