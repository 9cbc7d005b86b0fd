#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "engine/core/status.h"
#include "state/key_codec.h"

namespace tidecast {

/// How the target of each task's series was spread over the keys of a rollup that a series does not belong to as a
/// whole (country): sums that fade with the buckets. Only what was above 0 counts. Thread: confined.
class KeySplit {
 public:
  /// What stays of a sum from one bucket to the next: a memory of fifty buckets.
  static constexpr double kMemory = .98;

  void Add(uint16_t partition, std::string_view key, double value);
  /// A bucket is over: all fades; what is next to nothing is forgotten.
  void Fade();
  /// The task's keys with their parts, which add up to 1; nothing while it has none.
  void Visit(uint16_t partition, const std::function<void(std::string_view key, double part)>& visit) const;

  const std::map<uint16_t, std::map<std::string, double, std::less<>>>& sums() const { return sums_; }
  void Clear() { sums_.clear(); }
  /// Of one task (state/FORMAT.md 7, `f7`).
  std::string Encode(uint16_t partition) const;
  Status Decode(uint16_t partition, std::string_view bytes);

 private:
  std::map<uint16_t, std::map<std::string, double, std::less<>>> sums_;
};

}  // namespace tidecast
