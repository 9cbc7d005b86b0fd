#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>

namespace tidecast {

/// Owners of librdkafka's things. A client is shared: batches hold messages that point into it, so that it must outlive
/// them, and the thread that ends transactions looks at the consumer's membership.
struct KafkaDelete {
  void operator()(rd_kafka_conf_t* p) const { rd_kafka_conf_destroy(p); }
  void operator()(rd_kafka_topic_t* p) const { rd_kafka_topic_destroy(p); }
  void operator()(rd_kafka_DeleteRecords_t* p) const { rd_kafka_DeleteRecords_destroy(p); }
  void operator()(rd_kafka_topic_partition_list_t* p) const { rd_kafka_topic_partition_list_destroy(p); }
  void operator()(rd_kafka_queue_t* p) const { rd_kafka_queue_destroy(p); }
  void operator()(rd_kafka_event_t* p) const { rd_kafka_event_destroy(p); }
  void operator()(rd_kafka_error_t* p) const { rd_kafka_error_destroy(p); }
  void operator()(rd_kafka_message_t* p) const { rd_kafka_message_destroy(p); }
  void operator()(rd_kafka_headers_t* p) const { rd_kafka_headers_destroy(p); }
  void operator()(rd_kafka_consumer_group_metadata_t* p) const { rd_kafka_consumer_group_metadata_destroy(p); }
  void operator()(rd_kafka_NewTopic_t* p) const { rd_kafka_NewTopic_destroy(p); }
  void operator()(rd_kafka_AdminOptions_t* p) const { rd_kafka_AdminOptions_destroy(p); }
  void operator()(rd_kafka_ConfigResource_t* p) const { rd_kafka_ConfigResource_destroy(p); }
  void operator()(const rd_kafka_metadata_t* p) const { rd_kafka_metadata_destroy(p); }
};

template <typename T>
using KafkaOwner = std::unique_ptr<T, KafkaDelete>;

using KafkaConf = KafkaOwner<rd_kafka_conf_t>;
using KafkaTopic = KafkaOwner<rd_kafka_topic_t>;
using KafkaPartitionList = KafkaOwner<rd_kafka_topic_partition_list_t>;
using KafkaQueue = KafkaOwner<rd_kafka_queue_t>;
using KafkaEvent = KafkaOwner<rd_kafka_event_t>;
using KafkaError = KafkaOwner<rd_kafka_error_t>;
using KafkaMessage = KafkaOwner<rd_kafka_message_t>;
using KafkaHeaders = KafkaOwner<rd_kafka_headers_t>;
using KafkaGroupMetadata = std::shared_ptr<rd_kafka_consumer_group_metadata_t>;
using KafkaMetadata = std::unique_ptr<const rd_kafka_metadata_t, KafkaDelete>;
using KafkaClient = std::shared_ptr<rd_kafka_t>;

}  // namespace tidecast
