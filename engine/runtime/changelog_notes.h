#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "engine/core/time.h"
#include "engine/runtime/changelog_fold.h"

namespace tidecast {

/// What an instance notes about changelogs in its own store, outside of the tasks' ranges; never in a changelog itself.

/// Whether the row is such a note.
bool IsLocalNote(Family family, std::string_view key);

/// How far a stream's changelog is known to be in the local store.
struct ChangelogHint {
  int64_t offset = 0;
  ProcessingTime noted;  ///< what lies behind may be thinned once this is too long ago
  uint64_t tip = 0;      ///< seq of the newest commit record before the offset
};
void PutHint(const TopicPartition& source, const ChangelogHint& hint, StateBatch& out);
void DeleteHint(const TopicPartition& source, StateBatch& out);
Result<std::optional<ChangelogHint>> ReadHint(const StateStore& store, const TopicPartition& source);

/// What must be written to a stream's changelog again.
struct ChangelogDebt {
  bool snapshot = false;                    ///< all of the stream's state, under a new base
  std::set<ChangelogFold::Orphan> orphans;  ///< keys whose newest record may be an orphan's
  bool empty() const { return !snapshot && orphans.empty(); }
};
void PutDebt(TaskId stream, const ChangelogDebt& debt, StateBatch& out);
Result<ChangelogDebt> ReadDebt(const StateStore& store, TaskId stream);

/// Deletes all rows of the stream.
void DropStream(TaskId stream, StateBatch& out);
/// Visits the stream's rows in order, its commit record and base left out, from (family, key) on.
Status ScanStream(const StateStore& store, TaskId stream, Family family, std::string_view from,
                  const std::function<bool(Family, std::string_view key, std::string_view value)>& visit);

}  // namespace tidecast
