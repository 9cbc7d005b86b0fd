#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/core/stateful.h"
#include "state/state_store.h"

namespace tidecast {

/// Stages of the dataflow, in stored keys. Never renumber.
enum class Stage : uint8_t { kInstance = 0, kSeries = 1, kRollup = 2, kActor = 3, kModel = 4 };

/// Identity of a task: stage and partition. Its keys share a prefix, so that it can be dropped or restored as a range.
struct TaskId {
  Stage stage = Stage::kSeries;
  uint16_t partition = 0;
  auto operator<=>(const TaskId&) const = default;
};

/// The three prefix bytes of a task: stage, partition big-endian.
std::string TaskPrefix(TaskId task);

/// A task's view of the store: adds the prefix on the way in, takes it off on the way out.
/// Thread: as the store.
class TaskStateReader final : public StateReader {
 public:
  TaskStateReader(const StateStore& store, TaskId task) : store_(store), prefix_(TaskPrefix(task)) {}
  Result<bool> Get(Family family, std::string_view key, std::string* value) const override;
  Status Scan(Family family, std::string_view prefix, std::string_view from,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override;

 private:
  const StateStore& store_;
  std::string prefix_;
};

/// Collects a task's changed rows into a batch, with the prefix added.
class TaskDeltaSink final : public DeltaSink {
 public:
  TaskDeltaSink(StateBatch& batch, TaskId task) : batch_(batch), prefix_(TaskPrefix(task)) {}
  void Put(Family family, std::string_view key, std::string_view value) override;
  void Delete(Family family, std::string_view key) override;

 private:
  StateBatch& batch_;
  std::string prefix_;
  std::string key_;
};

}  // namespace tidecast
