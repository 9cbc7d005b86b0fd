#pragma once

#include <string>
#include <vector>

#include "engine/core/status.h"
#include "engine/core/time.h"
#include "engine/runtime/stored_task.h"
#include "state/state_owner.h"

namespace tidecast {

/// What a savepoint says of itself, in its file savepoint.json (format 1).
struct SavepointHead {
  std::string name;
  ProcessingTime made_at;
  StateOwner owner;
  uint32_t store_format = 0;
  std::vector<StoredTask> tasks;  ///< one seq a task
  uint64_t bytes = 0;             ///< of its files
};

/// An exported copy of an instance's local state: DIRECTORY/NAME/{savepoint.json, state/}. The local store always
/// equals some committed seq of each task, so a copy of it is one too; what was committed since is taken from the
/// changelog at the next start, or, with the embedded log, is not in it. Writes into NAME.half first, so that a
/// savepoint is there whole or not at all. The store may be written to meanwhile. Errors: kInvalidArgument (a name that
/// is no file name, one that is there), kConfig (state without an owner), kNoSpace, kIo.
Result<SavepointHead> CreateSavepoint(StateStore& store, const std::string& directory, const std::string& name,
                                      ProcessingTime now);

/// As it stands in savepoint.json.
std::string SavepointJson(const SavepointHead& head);
/// Where savepoints of a state directory are unless somebody says otherwise: STATE.savepoints.
std::string SavepointsBeside(const std::string& state_directory);
/// A savepoint without a name is called by its time.
std::string SavepointNameOf(ProcessingTime now);

/// By name; half ones are left out.  Errors: kIo; of a damaged head: kCorruption, kVersion.
Result<std::vector<SavepointHead>> ListSavepoints(const std::string& directory);

/// Puts a savepoint in the place of a state directory that does not exist, or is moved to STATE.before-NAME with
/// `replace`. Errors: kNotFound, kConfig (of another instance or namespace: both named), kVersion (formats named),
/// kInvalidArgument (state is there), kNoSpace, kIo.
Result<SavepointHead> RestoreSavepoint(const std::string& directory, const std::string& name, const StateOwner& owner,
                                       const std::string& state_directory, bool replace);

}  // namespace tidecast
