#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/core/stateful.h"
#include "models/net_history.h"

namespace tidecast {

/// What a Forecaster can do with its net's weights beside learning: a second face of those that may have a net, reached
/// by dynamic_cast. REQUIRES, of both changes: Forecaster::Ready, and no phase of a round under way.
/// Thread: confined.
class NetKeeper {
 public:
  virtual ~NetKeeper() = default;
  /// The versions of the weights that are kept.
  virtual NetHistory NetVersions() const = 0;
  /// Lets the net go on from weights that ExportNet gave, as a new version.
  /// Errors: kNotFound without a net, kCorruption, kVersion, kInvalidShape; nothing has changed then.
  virtual Status ImportNet(std::string_view weights, std::string provenance) = 0;
  /// Meets the weights that another instance's net has learnt for the same view (NetTrainer::Meet). Returns whether
  /// they were taken in. Errors: as ImportNet.
  virtual Result<bool> MeetNet(std::string_view weights) = 0;
  /// Lets the net go on from a version that is kept (NetHistory::Find). `store`: as of the last SaveShared.
  /// Errors: kNotFound, without a net or naming the versions that there are; nothing has changed then.
  virtual Status RollBackNet(std::optional<int64_t> version, const StateReader& store) = 0;
};

}  // namespace tidecast
