#pragma once

#include <memory>

#include "engine/core/status.h"
#include "state/state_store.h"

namespace rocksdb {
class Env;
}

namespace tidecast {

/// Format of the store as a whole: families, key layouts, versions of values. A store with a newer one is refused.
inline constexpr uint32_t kStoreFormat = 1;

/// OpenRocksStore on a given file system, which must outlive the store. For tests that fill the disk or cut the log.
Result<std::unique_ptr<StateStore>> OpenRocksStoreOn(const StateStoreOptions& options, rocksdb::Env* env);

}  // namespace tidecast
