#pragma once

#include <rocksdb/status.h>

#include <string_view>

#include "engine/core/status.h"

namespace tidecast {

/// RocksDB's status as ours. `doing` says what was tried ("cannot write state"), `directory` where; the remedy says
/// what a person can do about it. Errors: kNoSpace, kFenced, kPermission, kCorruption, kNotFound, kIo.
Status FromRocks(const rocksdb::Status& status, std::string_view doing, std::string_view directory);

}  // namespace tidecast
