#pragma once

#include <vector>

#include "engine/io/kafka_handles.h"
#include "engine/io/log_transport.h"

namespace tidecast {

/// Messages of one partition as librdkafka holds them: nothing is copied.
/// Thread: confined.
class KafkaRecordBatch final : public RecordBatch {
 public:
  std::span<const InputRecord> records() const override;
  void Clear() override;
  /// librdkafka unpacks them where they are asked for, with an allocation or two even for a message that has none.
  void LeaveOutHeaders() override { with_headers_ = false; }

  /// Empties it for messages of this client, which it keeps alive as long as it holds them.
  void Reset(const KafkaClient& client);
  void Add(KafkaMessage message);
  size_t size() const { return messages_.size(); }

 private:
  KafkaClient client_;  // shared: messages point into it, and a batch may outlive its transport
  std::vector<KafkaMessage> messages_;
  bool with_headers_ = true;
  // Built on demand, once: headers move while they are collected.
  mutable std::vector<InputRecord> records_;
  mutable std::vector<HeaderView> headers_;
};

/// Bytes of key and value.
inline size_t KafkaMessageBytes(const rd_kafka_message_t& message) { return message.len + message.key_len; }

/// Appends up to `count_max` messages that are there (a thousand at most), errors and ends of partition among them;
/// waits at most `wait_ms` for a first one. REQUIRES: `queue` is a partition's own.
void TakeKafkaMessages(rd_kafka_queue_t* queue, size_t count_max, int wait_ms, std::vector<KafkaMessage>* out);

/// Lets partitions whose queues have room again be fetched on at once. Once all its queues have been full, librdkafka's
/// thread looks up to a second later (its issue 2879); a request to their leaders wakes it. Does not wait.
void WakeKafkaFetching(rd_kafka_t* client, KafkaPartitionList partitions);

}  // namespace tidecast
