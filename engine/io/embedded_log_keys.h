#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "state/key_codec.h"

namespace tidecast::embedded {

/// Keys of the embedded log (state/FORMAT.md 3 to 5). In kMeta all begin with f0, above every task's prefix.
inline constexpr uint8_t kMetaPrefix = 0xf0;
enum class MetaKind : uint8_t { kTopicCounter = 'N', kTopic = 'T', kPartition = 'P', kSegment = 'S', kPosition = 'G' };

inline KeyWriter MetaKey(MetaKind kind) {
  KeyWriter key;
  key.U8(kMetaPrefix).U8(static_cast<uint8_t>(kind));
  return key;
}
inline std::string TopicKey(std::string_view name) { return MetaKey(MetaKind::kTopic).Raw(name).Take(); }
inline std::string PartitionKey(MetaKind kind, uint32_t topic, int32_t partition) {
  return MetaKey(kind).U32(topic).U16(static_cast<uint16_t>(partition)).Take();
}
inline std::string SegmentKey(uint32_t topic, int32_t partition, int64_t base_offset) {
  KeyWriter key = MetaKey(MetaKind::kSegment);
  return key.U32(topic).U16(static_cast<uint16_t>(partition)).U64(static_cast<uint64_t>(base_offset)).Take();
}
/// In kLog.
inline std::string RecordKey(uint32_t topic, int32_t partition, int64_t offset) {
  KeyWriter key;
  return key.U32(topic).U16(static_cast<uint16_t>(partition)).U64(static_cast<uint64_t>(offset)).Take();
}
/// In kLatest; with an empty `key` the prefix of the partition.
inline std::string LatestKey(uint32_t topic, int32_t partition, std::string_view record_key) {
  KeyWriter key;
  return key.U32(topic).U16(static_cast<uint16_t>(partition)).Raw(record_key).Take();
}
inline constexpr size_t kLatestPrefixBytes = 6;
inline constexpr size_t kRecordPrefixBytes = 6;

}  // namespace tidecast::embedded
