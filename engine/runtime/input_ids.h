#pragma once

#include <map>
#include <string>

#include "state/state_store.h"
#include "state/task_keyspace.h"

namespace tidecast {

/// The ids of a task's input topics: what its positions count in. A row of the task, so that it moves with it.
using InputIds = std::map<std::string, std::string>;  ///< by topic; an empty id where the log has none

/// Whether the task stands in the same topics as before. Errors: kConfig, naming a topic that was made anew.
Status CheckInputIds(const StateStore& store, TaskId task, const InputIds& ids);
/// Adds the row unless the store has it.
Status PutInputIds(const StateStore& store, TaskId task, const InputIds& ids, StateBatch& out);

}  // namespace tidecast
