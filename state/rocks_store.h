#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "engine/core/status.h"
#include "state/state_store.h"

namespace rocksdb {
class Env;
}

namespace tidecast {

/// Format of the store as a whole: families, key layouts, versions of values. A store with a newer one is refused.
inline constexpr uint32_t kStoreFormat = 4;

/// Copies a store as it is now into `directory`, which must not be there yet; where the file system allows, files are
/// shared by links. May run beside Write.  Errors: kInvalidArgument for a store that is in memory alone.
Status CopyStore(StateStore& store, const std::string& directory);

/// Memory of a store by part; of one in memory alone all of it is `block_cache_bytes`.
struct StoreMemory {
  size_t block_cache_bytes = 0;
  size_t write_buffer_bytes = 0;
};
StoreMemory MemoryOf(const StateStore& store);

/// OpenRocksStore on a given file system, which must outlive the store. For tests that fill the disk or cut the log.
Result<std::unique_ptr<StateStore>> OpenRocksStoreOn(const StateStoreOptions& options, rocksdb::Env* env);

}  // namespace tidecast
