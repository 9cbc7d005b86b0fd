#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/core/status.h"
#include "engine/io/kafka_config.h"
#include "engine/io/log_transport.h"

namespace tidecast {

/// First and one-past-last offsets of a partition.
struct KafkaBounds {
  int64_t begin = 0;
  int64_t end = 0;
};

/// Looks at topics and makes them, on a read_uncommitted client of its own.
/// Thread: safe. Each call waits, at most the options' request time.
class KafkaAdmin {
 public:
  /// Errors: kUnavailable (brokers named) when none answers within the options' open time, or kPermission and
  /// kUnavailable a few seconds after they refused us; kConfig.
  static Result<std::unique_ptr<KafkaAdmin>> Open(const KafkaTransportOptions& options, std::shared_ptr<KafkaLog> log,
                                                  std::function<void(rd_kafka_resp_err_t, std::string_view)> on_error);

  Result<TopicInfo> DescribeTopic(const std::string& topic);
  Result<std::vector<TopicInfo>> ListTopics();
  Status CreateTopic(const TopicSpec& spec);
  /// From memory when the topic was seen before: partition counts are chosen once.
  Result<int32_t> PartitionCount(const std::string& topic);
  /// The log's begin and its high watermark, aborted and open transactions included.
  Result<KafkaBounds> Bounds(const TopicPartition& source);

  /// The same by another client: a read_committed one answers with the last stable offset as its end.
  Result<KafkaBounds> QueryBounds(rd_kafka_t* client, const TopicPartition& source) const;

  /// From now on nobody may be kept waiting: an answer that takes longer is none, and is asked for again.
  void Hurry() { request_timeout_ms_ = std::min(request_timeout_ms_.load(), kHurryMs); }

  /// Serves the client's callbacks, and tells in the log what was refused of DiscardBelow.
  void Poll();
  /// Has the brokers delete records, without waiting. Passed by while the last such request has no answer yet.
  void DiscardBelow(std::span<const Position> positions);
  /// Asks the brokers for a sign of life, without waiting; TakeProbe tells whether one came.
  void StartProbe();
  /// The same while they are silent: costs next to nothing until one is there again. TakeProbe tells of it, too.
  void Knock();
  enum class Probe : uint8_t { kNone, kWaiting, kAnswered, kSilent };
  Probe TakeProbe();

 private:
  KafkaAdmin(const KafkaTransportOptions& options, std::shared_ptr<KafkaLog> log)
      : options_(options),
        log_(std::move(log)),
        request_timeout_ms_(static_cast<int>(options.request_timeout.count())) {}
  Status AwaitBrokers();
  Result<KafkaMetadata> Metadata(const std::string* topic, int timeout_ms);
  Status CheckExisting(const TopicSpec& spec, const TopicInfo& found);
  Status AwaitTopic(const std::string& topic);
  int request_ms() const { return request_timeout_ms_; }

  const KafkaTransportOptions options_;
  std::shared_ptr<KafkaLog> log_;  // shared with the callbacks of clients that may outlive us
  KafkaClient client_;
  static constexpr int kHurryMs = 2000;
  std::atomic<int> request_timeout_ms_;
  KafkaQueue probe_;
  bool probing_ = false;
  KafkaQueue discarded_;
  bool discarding_ = false;
  std::future<rd_kafka_resp_err_t> knock_;  // after client_: it ends first
  std::mutex mutex_;
  std::map<std::string, int32_t> partition_counts_;  // under mutex_
};

}  // namespace tidecast
