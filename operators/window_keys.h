#pragma once

#include <cstdint>
#include <string>

#include "engine/core/time.h"
#include "state/key_codec.h"

namespace tidecast {

/// First bytes of the windows' keys in Family::kPanes (state/FORMAT.md). Never renumber.
enum class WindowTable : uint8_t {
  kSeries = 0x01,
  kPane = 0x02,  ///< of old builds: read, then written as blocks
  kDistinct = 0x03,
  kBucket = 0x04,
  kCursor = 0x05,
  kSession = 0x06,  ///< likewise
  kWindowRevision = 0x07,
  kDedupe = 0x08,
  kFact = 0x09,
  kContribution = 0x0B,
  kCategory = 0x0C,
  kBottomUp = 0x0D,
  kPaneBlock = 0x10,
  kSessionBlock = 0x11,
  kPaneDelta = 0x12,
  kSessionDelta = 0x13,
};

inline std::string WindowTablePrefix(WindowTable table) { return KeyWriter().U8(static_cast<uint8_t>(table)).Take(); }

inline std::string PaneKey(uint16_t view, EventTime start, uint32_t id) {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kPane)).U16(view).Time(start).U32(id).Take();
}
inline std::string PaneBlockKey(uint16_t view, EventTime start, uint32_t block) {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kPaneBlock)).U16(view).Time(start).U32(block).Take();
}
inline std::string PaneBlockPrefix(uint16_t view, EventTime start) {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kPaneBlock)).U16(view).Time(start).Take();
}
inline std::string PaneDeltaPrefix(uint16_t view, EventTime start) {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kPaneDelta)).U16(view).Time(start).Take();
}
inline std::string PaneDeltaKey(uint16_t view, EventTime start, uint64_t number) {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kPaneDelta)).U16(view).Time(start).U64(number).Take();
}
inline std::string DistinctPrefix(uint16_t view, EventTime start) {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kDistinct)).U16(view).Time(start).Take();
}
inline std::string DistinctKey(uint16_t view, EventTime start, uint32_t id, uint16_t feature) {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kDistinct)).U16(view).Time(start).U32(id).U16(feature).Take();
}
inline std::string BucketKey(uint16_t view, EventTime start) {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kBucket)).U16(view).Time(start).Take();
}

}  // namespace tidecast
