#pragma once

#include <cstdint>
#include <string_view>

#include "state/state_store.h"

namespace tidecast {

/// How many records of a file are in its topic of a state directory's embedded log (state/FORMAT.md 8). Written with the
/// records themselves, so that feeding the same file again goes on where it stopped and no record goes in twice.
/// Errors: those of the store; kVersion, kCorruption.
Result<int64_t> RecordsFed(const StateStore& store, std::string_view topic, uint64_t fingerprint);
void PutRecordsFed(std::string_view topic, uint64_t fingerprint, int64_t records, StateBatch* rows);

}  // namespace tidecast
