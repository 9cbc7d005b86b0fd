#pragma once

#include <optional>
#include <string>

#include "engine/core/status.h"
#include "state/state_store.h"

namespace tidecast {

/// Whose state a store holds. Of one namespace and one instance, for ever: another one's positions and transactional id
/// do not belong to it.
struct StateOwner {
  std::string name_space;
  std::string instance;
  bool operator==(const StateOwner&) const = default;
};

/// Nothing for a store that was never used, or by a version that kept no owner.  Errors: kVersion, kCorruption.
Result<std::optional<StateOwner>> ReadStateOwner(const StateStore& store);

/// Makes `owner` the owner of a store without one; refuses that of somebody else.  Errors: kConfig, both named.
Status BindStateOwner(StateStore& store, const StateOwner& owner);

/// The refusal, for who only looks. Ok when `found` is nobody.
Status CheckStateOwner(const std::optional<StateOwner>& found, const StateOwner& wanted, std::string_view place);

}  // namespace tidecast
