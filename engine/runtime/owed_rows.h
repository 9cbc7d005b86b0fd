#pragma once

#include <cstdint>

#include "engine/core/status.h"
#include "state/state_store.h"
#include "state/task_keyspace.h"

namespace tidecast {

/// Adds to `rows`, which somebody is about to write to a store that no engine has, that they are owed to the stream's
/// changelog, and on which seq they were built. REQUIRES: all are rows of the stream, none its commit record.
Status OweRows(const StateStore& store, TaskId stream, StateBatch& rows);
/// What became of such rows. Forgets that there were any. REQUIRES: the stream was restored.
enum class OwedRows : uint8_t { kNone, kStand, kUndone /* the stream had gone on elsewhere, or was restored anew */ };
Result<OwedRows> TakeOwedRows(StateStore& store, TaskId stream);

}  // namespace tidecast
