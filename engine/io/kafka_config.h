#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/status.h"
#include "engine/io/kafka_handles.h"
#include "engine/io/kafka_log.h"
#include "engine/io/kafka_transport.h"

namespace tidecast {

/// The clients that a transport makes.
enum class KafkaRole : uint8_t {
  kMember,    ///< static group member, read_committed
  kProducer,  ///< transactional
  kEventProducer,  ///< idempotent: events of others into input topics
  kObserver,  ///< read_uncommitted, no group: metadata, topics, high watermarks
  kReader,    ///< one partition apart from the group
};

std::string KafkaGroup(const KafkaTransportOptions& options);
std::string KafkaTransactionalId(const KafkaTransportOptions& options);
/// Of the options' properties; empty when missing.
std::string KafkaBrokers(const KafkaTransportOptions& options);

/// Refuses what cannot work: no brokers, unknown properties, properties that exactly-once stands on.
/// Errors: kConfig, each with the name and what to write instead.
Status CheckKafkaOptions(const KafkaTransportOptions& options);

/// Our defaults, then the user's properties, then what may not differ.
Result<KafkaConf> MakeKafkaConf(const KafkaTransportOptions& options, KafkaRole role, bool read_committed = true);

/// Reads from librdkafka's statistics the bytes in its queues: to be sent (a producer), or fetched. Nothing for text
/// that is none.
std::optional<size_t> ReadQueueBytes(std::string_view statistics, KafkaRole role);

/// As what a smaller record counts in a fetch queue: librdkafka's own note of each takes more than twice this.
inline constexpr size_t kQueuedRecordLeast = 256;

/// Most bytes to read ahead for each partition, so that all together stay within `fetch_bytes_total`.
size_t FetchQueueBytes(const KafkaTransportOptions& options, int64_t partitions);

/// What a transactional producer has to know of its client and librdkafka has no call for. Thread: safe.
struct ProducerSigns {
  std::atomic<uint64_t> connections{0};   ///< that the client has begun
  std::atomic<uint64_t> pids_refused{0};  ///< requests for its identity that the brokers have put off
};

/// What a client calls back. The functions run inside the poll calls of whoever polls the client; log lines come from
/// any thread.
struct KafkaCallbacks {
  std::shared_ptr<KafkaLog> log;  // shared: a client may outlive the transport by its last batch
  std::function<void(rd_kafka_resp_err_t error, std::string_view reason)> on_error;
  std::function<void(rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* partitions)> on_rebalance;
  Metric* queue_bytes = nullptr;          ///< set from the statistics, every few seconds; may be null
  std::shared_ptr<ProducerSigns> signs;   ///< may be null
  KafkaRole role = KafkaRole::kObserver;  ///< set by MakeKafkaClient
};

/// Makes a client that owns its callbacks.  Errors: kConfig.
Result<KafkaClient> MakeKafkaClient(KafkaConf conf, KafkaRole role, KafkaCallbacks callbacks);

}  // namespace tidecast
