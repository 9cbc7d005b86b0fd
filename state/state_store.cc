#include "state/state_store.h"

#include "engine/core/check.h"

namespace tidecast {

Status StateStore::GetMany(Family family, std::span<const std::string> keys, std::span<std::string> values, std::span<uint8_t> found) const {
  TC_CHECK(keys.size() == values.size() && keys.size() == found.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    TC_ASSIGN_OR_RETURN(const bool there, Get(family, keys[i], &values[i]));
    found[i] = there ? 1 : 0;
  }
  return Status::Ok();
}

}  // namespace tidecast
