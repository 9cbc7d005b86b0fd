#include "state/task_keyspace.h"

namespace tidecast {

std::string TaskPrefix(TaskId task) {
  return {static_cast<char>(task.stage), static_cast<char>(task.partition >> 8),
          static_cast<char>(task.partition & 0xff)};
}

Result<bool> TaskStateReader::Get(Family family, std::string_view key, std::string* value) const {
  return store_.Get(family, prefix_ + std::string(key), value);
}

Status TaskStateReader::Scan(Family family, std::string_view prefix, std::string_view from,
                             const std::function<bool(std::string_view, std::string_view)>& visit) const {
  const std::string first = prefix_ + std::string(prefix > from ? prefix : from);
  const std::string stem = prefix_ + std::string(prefix);
  return store_.Scan(family, first, {}, [&](std::string_view key, std::string_view value) {
    if (!key.starts_with(stem)) return false;
    return visit(key.substr(prefix_.size()), value);
  });
}

void TaskDeltaSink::Put(Family family, std::string_view key, std::string_view value) {
  key_.assign(prefix_).append(key);
  batch_.Put(family, key_, value);
}

void TaskDeltaSink::Delete(Family family, std::string_view key) {
  key_.assign(prefix_).append(key);
  batch_.Delete(family, key_);
}

}  // namespace tidecast
