#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/core/status.h"

namespace tidecast {

/// Column family of a stored value (DESIGN.md 4).
enum class Family : uint8_t { kPanes, kSeries, kModels, kMeta, kLog, kLatest };
inline constexpr size_t kFamilies = 6;

/// Number of an epoch: 1 is the first one of this process.
using Epoch = uint64_t;

/// Reads the committed state of one task. Keys are the task's own (the prefix of stage and partition is added below).
/// Thread: safe for concurrent readers.
class StateReader {
 public:
  virtual ~StateReader() = default;
  /// Copies the value into `*value`; false when there is none. Errors: kIo, kCorruption.
  virtual Result<bool> Get(Family family, std::string_view key, std::string* value) const = 0;
  /// Calls `visit` in key order for keys that begin with `prefix` and are >= `from` (both the task's own); stops when it returns false.
  virtual Status Scan(Family family, std::string_view prefix, std::string_view from,
                      const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;
};

/// Takes the rows that an epoch changed.
class DeltaSink {
 public:
  virtual ~DeltaSink() = default;
  virtual void Put(Family family, std::string_view key, std::string_view value) = 0;
  virtual void Delete(Family family, std::string_view key) = 0;
};

/// A part that holds state of a task. The rule of all of them:
///   - changes are made in memory and marked with the epoch that is open;
///   - `Save(e)` writes every row changed since the last Save, and nothing else;
///   - after `OnCommitted(e)` rows changed at or before e are clean and may be evicted; dirty ones must not be,
///     since until then the store does not have them;
///   - `Reload` forgets everything in memory, clean and dirty, and stands where the store stands. That is how an
///     aborted epoch, and the one built on it, are dropped.
/// Thread: confined to its task's step.
class Stateful {
 public:
  virtual ~Stateful() = default;
  virtual void Save(Epoch epoch, DeltaSink& out) = 0;
  virtual void OnCommitted(Epoch epoch) = 0;
  virtual Status Reload(const StateReader& store) = 0;
};

}  // namespace tidecast
