#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"

namespace tidecast {

/// A copy of a net's weights that was kept, and how good they were.
struct NetVersion {
  enum class Origin : uint8_t { kLearned = 0, kImported = 1 };

  int64_t number = 0;  ///< from 1 on, never used again
  Origin origin = Origin::kLearned;
  int64_t rounds = 0;      ///< that the net had seen when they were kept, of this shop
  int64_t steps = 0;       ///< optimiser steps, likewise
  int64_t windows = 0;     ///< of the replay sample, on which they were judged; 0: there were none
  double loss = 0;         ///< mean weighted pinball there, in units of each series's scale
  double base_loss = 0;    ///< the same of the experts
  std::string provenance;  ///< of imported ones, in words
};

/// Which copies of a net's weights are kept: at most kKept, the newest. The copies themselves are rows of their own.
/// Thread: confined.
class NetHistory {
 public:
  static constexpr size_t kKept = 8;

  const std::vector<NetVersion>& kept() const { return kept_; }  ///< oldest first
  int64_t current() const { return current_; }                   ///< what the net goes on from; 0: no version
  /// Whether the net has moved since it stood at its current version.
  bool moved(int64_t steps) const { return current_ == 0 || steps != steps_at_current_; }

  /// Adds a version, which becomes the current one, and gives it its number. Returns the number of the one that is kept
  /// no longer, 0 for none; `spare` is not dropped.
  int64_t Add(NetVersion version, int64_t steps, int64_t spare = 0);
  void GoBackTo(int64_t number, int64_t steps);
  /// The version of that number; without one the newest that is not what the net is now.
  /// Errors: kNotFound, naming those that there are.
  Result<int64_t> Find(std::optional<int64_t> number, int64_t steps) const;

  /// Bytes: models/FORMAT.md 2, `net/versions`.
  std::string Encode() const;
  Status Decode(std::string_view bytes);  ///< kVersion, kCorruption

 private:
  std::string Numbers() const;

  std::vector<NetVersion> kept_;
  int64_t next_ = 1;
  int64_t current_ = 0;
  int64_t steps_at_current_ = 0;
};

}  // namespace tidecast
