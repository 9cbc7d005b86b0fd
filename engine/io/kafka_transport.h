#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "engine/core/metrics.h"
#include "engine/io/kafka_log.h"
#include "engine/io/log_transport.h"

namespace tidecast {

struct KafkaTransportOptions {
  /// librdkafka's own property names; "bootstrap.servers" is needed. What exactly-once stands on cannot be set.
  std::map<std::string, std::string> properties;
  std::string name_space;
  std::string instance;                            ///< static member id; transactional.id = <ns>.<instance>
  std::string group;                               ///< empty: "tidecast.<ns>"
  std::chrono::milliseconds open_timeout{10'000};  ///< how long Open waits for the brokers
  std::chrono::milliseconds request_timeout{10'000};
  size_t send_queue_bytes_max = 64ULL << 20;  ///< produced and not yet taken by the brokers
  int32_t send_queue_records_max = 500'000;
  size_t fetch_queue_bytes_max = 4ULL << 20;  ///< read ahead, for each partition at most
  size_t fetch_bytes_total = 256ULL << 20;    ///< read ahead, for all input partitions together
  Metric* send_queue_bytes = nullptr;         ///< kept up to date, a few seconds old; may be null, as the next
  Metric* fetch_queue_bytes = nullptr;
  KafkaLogSink log;
};

/// LogTransport on Apache Kafka by librdkafka's C API: one static group member, one transactional producer.
/// Partitions are read from their own queues; the blocking transactional calls run on one thread that the transport
/// owns, and end in events. Bounded waits remain in Open, RenewProducer, StartAt, topic calls and the first Produce to
/// a topic (its metadata).  Errors: kConfig for properties that librdkafka does not know or that may not be set.
Result<std::unique_ptr<LogTransport>> MakeKafkaTransport(KafkaTransportOptions options);

}  // namespace tidecast
