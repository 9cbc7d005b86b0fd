#pragma once

#include <vector>

#include "engine/core/time.h"
#include "engine/io/log_transport.h"
#include "state/key_codec.h"
#include "state/task_keyspace.h"

namespace tidecast {

/// Where a task of the series stage stands, as its commit record in the local store says.
struct StoredTask {
  TaskId id;
  uint64_t seq = 0;
  std::vector<Position> positions;
};

/// 2: panes and sessions are stored in blocks (state/FORMAT.md 6). Rows of 1 are read, and written as blocks.
inline constexpr uint8_t kCommitRecordVersion = 2;
inline constexpr std::string_view kCommitRecordKey = "commit";

/// Takes the head of a commit record: version, seq, positions.  Errors: kVersion, kCorruption.
Result<StoredTask> ReadCommitRecordHead(TaskId id, ByteReader& bytes);

/// All series tasks of a store, by partition.  Errors: kVersion, kCorruption, kIo.
Result<std::vector<StoredTask>> ListStoredTasks(const StateStore& store);

}  // namespace tidecast
