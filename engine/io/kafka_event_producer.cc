#include "engine/io/kafka_event_producer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <mutex>

#include "engine/io/kafka_errors.h"

// A batch is sent in these steps:
//   1. its size is added to what is on its way, or it is refused;
//   2. each record is given to librdkafka with the batch's Delivery as its opaque;
//   3. the poller's thread counts reports; the caller waits for the last one, which librdkafka gives within the delivery
//      timeout whatever happens.

namespace tidecast {
namespace {

constexpr int kPollMs = 100;
// What a record takes beside key and value (librdkafka counts it against message.max.bytes).
constexpr size_t kOverheadBytes = 512;

size_t SizeOf(const OutputRecord& record) { return record.key.size() + (record.value ? record.value->size() : 0) + kOverheadBytes; }

}  // namespace

/// What became of a batch. Lives on the caller's stack until the last report.
struct KafkaEventProducer::Delivery {
  std::mutex mutex;
  std::condition_variable all_reported;
  // Under mutex:
  size_t open = 0;
  size_t written = 0;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;  ///< the first one
  std::vector<Position> ends;
};

KafkaEventProducer::KafkaEventProducer(const KafkaTransportOptions& options, KafkaEventLimits limits)
    : options_(options), limits_(limits), log_(std::make_shared<KafkaLog>(options.log)) {}

Result<std::unique_ptr<KafkaEventProducer>> KafkaEventProducer::Make(const KafkaTransportOptions& options, KafkaEventLimits limits) {
  std::unique_ptr<KafkaEventProducer> producer(new KafkaEventProducer(options, limits));
  TC_ASSIGN_OR_RETURN(KafkaConf conf, MakeKafkaConf(options, KafkaRole::kEventProducer));
  std::array<char, 256> why{};
  const std::string timeout = std::to_string(limits.delivery_timeout.count());
  if (rd_kafka_conf_set(conf.get(), "message.timeout.ms", timeout.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) {
    return Status(Code::kConfig, fmt::format("librdkafka refuses a delivery timeout of {} ms: {}", timeout, why.data()), Domain::kInput);
  }
  std::array<char, 32> text{};
  size_t size = text.size();
  TC_CHECK(rd_kafka_conf_get(conf.get(), "message.max.bytes", text.data(), &size) == RD_KAFKA_CONF_OK);
  std::from_chars(text.data(), text.data() + std::char_traits<char>::length(text.data()), producer->message_bytes_max_);
  rd_kafka_conf_set_dr_msg_cb(conf.get(), OnDelivered);
  TC_ASSIGN_OR_RETURN(producer->client_, MakeKafkaClient(std::move(conf), KafkaRole::kEventProducer, {producer->log_, [](auto, auto) {}, {}}));
  producer->poller_ = std::thread([at = producer.get()] {
    while (!at->stopping_.load()) rd_kafka_poll(at->client_.get(), kPollMs);
  });
  return producer;
}

KafkaEventProducer::~KafkaEventProducer() {
  stopping_ = true;
  if (poller_.joinable()) poller_.join();
  if (client_) rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

void KafkaEventProducer::OnDelivered(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  auto& delivery = *static_cast<Delivery*>(message->_private);
  const std::lock_guard lock(delivery.mutex);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (delivery.error == RD_KAFKA_RESP_ERR_NO_ERROR) delivery.error = message->err;
  } else {
    ++delivery.written;
    const TopicPartition source{rd_kafka_topic_name(message->rkt), message->partition};
    const auto known = std::find_if(delivery.ends.begin(), delivery.ends.end(), [&](const Position& end) { return end.source == source; });
    if (known == delivery.ends.end()) delivery.ends.push_back({source, message->offset + 1});
    else known->next_offset = std::max(known->next_offset, message->offset + 1);
  }
  if (--delivery.open == 0) delivery.all_reported.notify_all();
}

Status KafkaEventProducer::CheckSizes(std::span<const OutputRecord> records) const {
  for (size_t i = 0; i < records.size(); ++i) {
    if (SizeOf(records[i]) <= message_bytes_max_) continue;
    return Status(Code::kInvalidArgument, fmt::format("an event is too large for Kafka: event {}, {} bytes, limit {}", i + 1, SizeOf(records[i]), message_bytes_max_),
                  Domain::kInput)
        .WithRemedy("make it smaller, or raise kafka.message.max.bytes and the topic's max.message.bytes");
  }
  return Status::Ok();
}

Status KafkaEventProducer::Enqueue(const OutputRecord& record, Delivery* delivery) {
  std::array<rd_kafka_vu_t, 7> parts{};
  size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    parts[count].vtype = type;
    return parts[count++];
  };
  add(RD_KAFKA_VTYPE_TOPIC).u.cstr = record.topic.c_str();
  add(RD_KAFKA_VTYPE_PARTITION).u.i32 = RD_KAFKA_PARTITION_UA;
  add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
  if (record.value) add(RD_KAFKA_VTYPE_VALUE).u.mem = {const_cast<char*>(record.value->data()), record.value->size()};
  add(RD_KAFKA_VTYPE_KEY).u.mem = {const_cast<char*>(record.key.data()), record.key.size()};
  if (record.record_time.IsFinite()) add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = record.record_time.us / 1000;
  add(RD_KAFKA_VTYPE_OPAQUE).u.ptr = delivery;
  const KafkaError error(rd_kafka_produceva(client_.get(), parts.data(), count));
  return error ? KafkaStatus(*error, "an event cannot be produced") : Status::Ok();
}

Status KafkaEventProducer::Undelivered(const Delivery& delivery, size_t records) const {
  const std::string written = delivery.written == 0 ? "none of them is known to be written" : fmt::format("{} of {} were written", delivery.written, records);
  if (delivery.error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || delivery.error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
    return Status(Code::kUnavailable, "the input's topic is not there any more", Domain::kExternal).WithRemedy("create it with the partitions that it had");
  }
  const std::string trouble = log_->last_trouble();
  return Status(Code::kUnavailable, fmt::format("the brokers did not acknowledge the events in time ({}{}); {}", rd_kafka_err2str(delivery.error),
                                                trouble.empty() ? "" : ": " + trouble, written),
                Domain::kExternal, Retry::kBackoff)
      .WithRemedy("send the same body again later; with inputs.NAME.dedupe an event that was written after all counts once");
}

Result<std::vector<Position>> KafkaEventProducer::Append(std::span<const OutputRecord> records, bool /*sync*/) {
  TC_RETURN_IF_ERROR(CheckSizes(records));
  size_t bytes = 0;
  for (const OutputRecord& record : records) bytes += SizeOf(record);
  if (in_flight_bytes_.fetch_add(bytes) + bytes > limits_.in_flight_bytes_max) {
    in_flight_bytes_ -= bytes;
    return Status(Code::kWouldBlock, fmt::format("too many events are on their way to the brokers: limit {} MiB; none of these was taken",
                                                 limits_.in_flight_bytes_max >> 20),
                  Domain::kExternal, Retry::kBackoff)
        .WithRemedy("send them again in a moment");
  }
  Delivery delivery;
  delivery.open = 1;  // ours, until all are given to librdkafka
  Status refused;
  for (const OutputRecord& record : records) {
    {
      const std::lock_guard lock(delivery.mutex);
      ++delivery.open;
    }
    refused = Enqueue(record, &delivery);
    if (refused.ok()) continue;
    const std::lock_guard lock(delivery.mutex);
    --delivery.open;
    break;
  }
  std::unique_lock lock(delivery.mutex);
  --delivery.open;
  delivery.all_reported.wait(lock, [&] { return delivery.open == 0; });
  in_flight_bytes_ -= bytes;
  if (!refused.ok()) {
    return Status(Code::kUnavailable, fmt::format("{} of {} events were written: {}", delivery.written, records.size(), refused.message()), Domain::kExternal,
                  Retry::kBackoff)
        .WithRemedy("send the same body again later; with inputs.NAME.dedupe an event that was written counts once");
  }
  if (delivery.error != RD_KAFKA_RESP_ERR_NO_ERROR) return Undelivered(delivery, records.size());
  return std::move(delivery.ends);
}

}  // namespace tidecast
