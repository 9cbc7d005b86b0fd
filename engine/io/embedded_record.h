#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/record.h"
#include "engine/core/status.h"
#include "engine/io/log_transport.h"

namespace tidecast {

/// Bytes of a record as they stand in Family::kLog (state/FORMAT.md 4). An empty key is no key.
/// `record_time` is written as given: the log's choice is made by the caller.
std::string EncodeLogRecord(const RecordView& record, EventTime record_time);

/// Records of the embedded log. Copies the stored bytes into blocks that are reused after Clear().
/// Thread: confined.
class EmbeddedBatch final : public RecordBatch {
 public:
  std::span<const InputRecord> records() const override { return records_; }
  void Clear() override;
  /// Copies and reads one stored record; false (and nothing added) when the bytes are no record.
  bool Add(int64_t offset, std::string_view encoded);

 private:
  char* Allocate(size_t size, size_t alignment);

  static constexpr size_t kBlockBytes = 256 << 10;
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
  };
  std::vector<InputRecord> records_;
  std::vector<Block> blocks_;
  size_t block_ = 0;  ///< the one that is being filled
  size_t used_ = 0;   ///< bytes of it
};

}  // namespace tidecast
