#include "engine/runtime/stored_task.h"

namespace tidecast {
Result<StoredTask> ReadCommitRecordHead(TaskId id, ByteReader& bytes) {
  if (const uint8_t version = bytes.U8(); version == 0 || version > kCommitRecordVersion) {
    return Status(Code::kVersion, fmt::format("a commit record has format {}, this build reads up to {}: partition {}",
                                              version, kCommitRecordVersion, id.partition));
  }
  StoredTask task;
  task.id = id;
  task.seq = bytes.U64();
  const size_t count = bytes.Count(9);
  for (size_t i = 0; i < count; ++i) {
    const std::string topic(bytes.Bytes());
    task.positions.push_back({{topic, id.partition}, bytes.I64()});
  }
  if (!bytes.ok())
    return Status(Code::kCorruption, fmt::format("a commit record is cut short: partition {}", id.partition));
  return task;
}

Result<std::vector<StoredTask>> ListStoredTasks(const StateStore& store) {
  std::vector<StoredTask> tasks;
  // From commit record to commit record: what lies between is passed over.
  for (uint32_t partition = 0; partition <= UINT16_MAX;) {
    const TaskId first{Stage::kSeries, static_cast<uint16_t>(partition)};
    std::string key;
    TC_RETURN_IF_ERROR(store.Scan(Family::kMeta, TaskPrefix(first), TaskPrefix({Stage::kRollup, 0}),
                                  [&](std::string_view found, std::string_view) {
                                    key = found;
                                    return false;
                                  }));
    if (key.empty()) break;
    KeyReader reader(key);
    reader.U8();
    const TaskId id{Stage::kSeries, reader.U16()};
    std::string value;
    TC_ASSIGN_OR_RETURN(const bool found, TaskStateReader(store, id).Get(Family::kMeta, kCommitRecordKey, &value));
    if (found) {
      ByteReader bytes(value);
      TC_ASSIGN_OR_RETURN(StoredTask task, ReadCommitRecordHead(id, bytes));
      tasks.push_back(std::move(task));
    }
    partition = id.partition + 1U;
  }
  return tasks;
}

}  // namespace tidecast
