#pragma once

#include <memory>
#include <span>

#include "engine/core/event.h"
#include "engine/core/record.h"
#include "engine/core/status.h"
#include "engine/io/input_options.h"

namespace tidecast {

/// Turns raw records of one input into typed events, or dead letters with their reason (SEMANTICS.md 2, DESIGN.md 7).
/// JSON by simdjson on demand; field mapping by JSON Pointer; no allocation an event once warm.
/// Thread: confined.
class EventDecoder {
 public:
  virtual ~EventDecoder() = default;
  /// Appends to `out`. `partitions`: of the topic, for the key check. Events' texts are kept in `out`'s arena or point into
  /// the records, which must outlive the batch. Order is kept; Event::record is the index into `records` plus `record_base`.
  virtual void Decode(std::span<const InputRecord> records, const TopicPartition& source, int32_t partitions, uint32_t record_base,
                      EventBatch& out) = 0;
  /// Whether it looks at records' headers.
  virtual bool reads_headers() const = 0;

  /// Errors: kConfig (bad pointer, unknown field, unknown zone).
  static Result<std::unique_ptr<EventDecoder>> Make(const InputOptions& options, uint16_t input_index, std::string_view pseudonym_key);
};

}  // namespace tidecast
