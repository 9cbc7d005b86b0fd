#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/event.h"
#include "engine/core/record.h"
#include "engine/core/status.h"
#include "operators/bottom_up.h"
#include "operators/contribution.h"

namespace tidecast {

/// What the internal topics <ns>.rekey.<stage> hold (REKEY.md).
enum class RekeyKind : uint8_t { kContribution = 0, kEvent = 1, kWatermarks = 2, kBottomUp = 3 };

/// How far a task of the series stage has come; Max(): its input has ended.
struct UpstreamWatermark {
  uint16_t upstream = 0;
  EventTime watermark;
  bool idle = false;
  EventTime newest_event;  ///< once its input has ended: buckets are closed up to that of the newest event anywhere
  bool operator==(const UpstreamWatermark&) const = default;
};

/// A record of a rekey topic. Views into the record that it was read from.
struct RekeyRecord {
  RekeyKind kind = RekeyKind::kContribution;
  Contribution contribution;
  Event event;                    ///< its key is the customer's pseudonym in hex
  EventTime judged_by;            ///< by what the event was judged late or not
  std::string_view source_topic;  ///< of the event, as its content id says; its offset is the event's
  uint16_t source_partition = 0;
  std::vector<UpstreamWatermark> watermarks;
  BottomUpShare bottom_up;
};

OutputRecord ContributionRecord(const std::string& topic, const Contribution& contribution);
/// `missed`: of a share without steps, the first series that was missed.
OutputRecord BottomUpRecord(const std::string& topic, const BottomUpShare& share, std::string_view missed = {});
/// `source`: where the event was read, for the content id.
OutputRecord ForwardedEventRecord(const std::string& topic, const Event& event, EventTime judged_by,
                                  const TopicPartition& source);
OutputRecord WatermarksRecord(const std::string& topic, int32_t partition,
                              std::span<const UpstreamWatermark> watermarks);
/// Errors: kVersion, kCorruption.
Status ParseRekeyRecord(const InputRecord& record, RekeyRecord* out);

}  // namespace tidecast
