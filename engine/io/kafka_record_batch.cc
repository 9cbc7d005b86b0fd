#include "engine/io/kafka_record_batch.h"

#include <algorithm>
#include <array>

namespace tidecast {
namespace {

constexpr int64_t kMillisMax = EventTime::Max().us / 1'000 - 1;

// Brokers that do not bound a record's time pass on whatever its producer wrote.
EventTime TimeOf(const rd_kafka_message_t& message) {
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const int64_t ms = rd_kafka_message_timestamp(&message, &type);
  return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0 || ms > kMillisMax ? EventTime::Min()
                                                                               : EventTime::FromMillis(ms);
}

void AppendHeaders(const rd_kafka_message_t& message, std::vector<HeaderView>& out) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    out.push_back(
        {name, value == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(value), size)});
  }
}

std::string_view View(const void* bytes, size_t size) {
  return bytes == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(bytes), size);
}

}  // namespace

std::span<const InputRecord> KafkaRecordBatch::records() const {
  if (records_.size() == messages_.size()) return records_;
  records_.clear();
  headers_.clear();
  records_.reserve(messages_.size());
  // Headers move while they are collected, so records are pointed at them once all are there.
  std::vector<size_t> header_ends;
  for (size_t i = 0; i < messages_.size(); ++i) {
    const rd_kafka_message_t& message = *messages_[i];
    const size_t before = headers_.size();
    if (with_headers_) AppendHeaders(message, headers_);
    if (headers_.size() > before && header_ends.empty()) header_ends.assign(i, 0);
    if (!headers_.empty()) header_ends.push_back(headers_.size());
    records_.push_back({.offset = message.offset,
                        .record_time = TimeOf(message),
                        .has_key = message.key != nullptr,
                        .key = View(message.key, message.key_len),
                        .value = View(message.payload, message.len),
                        .is_null = message.payload == nullptr});
  }
  size_t begin = 0;
  for (size_t i = 0; i < header_ends.size(); ++i) {
    records_[i].headers = std::span(headers_).subspan(begin, header_ends[i] - begin);
    begin = header_ends[i];
  }
  return records_;
}

void KafkaRecordBatch::Clear() {
  records_.clear();
  headers_.clear();
  messages_.clear();
  client_.reset();
}

void KafkaRecordBatch::Reset(const KafkaClient& client) {
  Clear();
  client_ = client;
}

void KafkaRecordBatch::Add(KafkaMessage message) { messages_.push_back(std::move(message)); }

void TakeKafkaMessages(rd_kafka_queue_t* queue, size_t count_max, int wait_ms, std::vector<KafkaMessage>* out) {
  std::array<rd_kafka_message_t*, 1024> raw;
  count_max = std::clamp<size_t>(count_max, 1, raw.size());
  // librdkafka waits until the array is full or the time is over; so only for the first one is time given.
  ssize_t taken = rd_kafka_consume_batch_queue(queue, 0, raw.data(), count_max);
  if (taken <= 0 && wait_ms > 0) taken = rd_kafka_consume_batch_queue(queue, wait_ms, raw.data(), 1);
  for (ssize_t i = 0; i < taken; ++i) out->emplace_back(raw[static_cast<size_t>(i)]);
}

// Given no time, so that the answer is dropped when it comes.
void WakeKafkaFetching(rd_kafka_t* client, KafkaPartitionList partitions) {
  for (int i = 0; i < partitions->cnt; ++i) partitions->elems[i].offset = RD_KAFKA_OFFSET_END;
  rd_kafka_offsets_for_times(client, partitions.get(), 0);
}

}  // namespace tidecast
