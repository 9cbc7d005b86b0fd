#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/time.h"

namespace tidecast {

struct TopicPartition {
  std::string topic;
  int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

struct HeaderView {
  std::string_view name;
  std::string_view value;
};

/// One record as it was read. Views live as long as the RecordBatch that holds it.
struct InputRecord {
  int64_t offset = 0;
  EventTime record_time;        ///< the log's own time of the record (Kafka: create or append time)
  bool has_key = false;
  std::string_view key;
  std::string_view value;       ///< for a tombstone: empty and is_null
  bool is_null = false;
  std::span<const HeaderView> headers;
};

struct Header {
  std::string name;
  std::string value;
};

/// One record to be written. `topic` is the full name.
struct OutputRecord {
  std::string topic;
  int32_t partition = -1;             ///< -1: murmur2 of the key
  std::string key;
  std::optional<std::string> value;   ///< nullopt: tombstone
  std::vector<Header> headers;
  EventTime record_time;              ///< Min(): the log's choice

  /// Memory that it takes, about.
  size_t Bytes() const {
    size_t n = sizeof(OutputRecord) + topic.size() + key.size() + (value ? value->size() : 0);
    for (const Header& h : headers) n += sizeof(Header) + h.name.size() + h.value.size();
    return n;
  }
};

/// One record to be written, seen where it lies.
struct RecordView {
  std::string_view topic;
  int32_t partition = -1;             ///< -1: murmur2 of the key
  std::string_view key;
  std::string_view value;
  bool is_null = false;               ///< a tombstone; `value` is empty
  std::span<const HeaderView> headers;
  EventTime record_time;              ///< Min(): the log's choice
};

/// `headers` holds what the view's headers point to.
inline RecordView ViewOf(const OutputRecord& record, std::vector<HeaderView>* headers) {
  headers->clear();
  for (const Header& header : record.headers) headers->push_back({header.name, header.value});
  const std::string_view value = record.value ? std::string_view(*record.value) : std::string_view();
  return {record.topic, record.partition, record.key, value, !record.value, *headers, record.record_time};
}

/// A copy with its own memory.
inline OutputRecord ToOutputRecord(const RecordView& view) {
  OutputRecord record;
  record.topic = view.topic;
  record.partition = view.partition;
  record.key = view.key;
  if (!view.is_null) record.value.emplace(view.value);
  for (const HeaderView& header : view.headers) record.headers.push_back({std::string(header.name), std::string(header.value)});
  record.record_time = view.record_time;
  return record;
}

}  // namespace tidecast
