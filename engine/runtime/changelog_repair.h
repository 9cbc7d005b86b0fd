#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/runtime/changelog_notes.h"

namespace tidecast {

/// Pays what is owed to changelogs (ChangelogDebt) out of the local store, as rows of ordinary epochs:
///   - orphan keys: their true values, or tombstones;
///   - a snapshot: every row of the stream, over as many epochs as it takes; with the last one the seq of the first
///     becomes the stream's base, so that a restore passes over everything older.
/// Debts lie in the store until they are paid: a restart begins again.
/// Thread: confined.
class ChangelogRepair {
 public:
  explicit ChangelogRepair(StateStore& store) : store_(store) {}

  /// Takes up the debts of these streams that lie in the store.
  Status Load(const std::vector<TaskId>& streams);
  Status Owe(TaskId stream, std::vector<ChangelogFold::Orphan> orphans);
  Status OweSnapshot(TaskId stream);
  bool due() const { return !debts_.empty(); }

  /// Adds about `bytes_max` bytes of rows to the cut of `seq`, before its own rows, whose word is the last.
  /// REQUIRES: the store is what was committed last.
  /// `bases`: of streams whose snapshot is whole with this cut.
  Status Save(uint64_t seq, size_t bytes_max, StateBatch& out, std::map<TaskId, uint64_t>& bases);
  Status OnCommitted();
  void OnRolledBack();

  int64_t rows_written() const { return rows_written_; }

 private:
  struct Walk {
    uint64_t base = 0;
    Family family = Family::kPanes;
    std::string from;
  };
  struct Debt {
    ChangelogDebt owed;
    std::optional<Walk> walk;         ///< of the snapshot; as far as it is committed
    std::optional<Walk> walk_in_cut;  ///< as far as the cut under way goes
    bool snapshot_ends_in_cut = false;
    std::set<ChangelogFold::Orphan> orphans_in_cut;
  };
  Status SaveSnapshot(TaskId stream, Debt& debt, uint64_t seq, size_t bytes_max, StateBatch& out,
                      std::map<TaskId, uint64_t>& bases);
  Status Note(TaskId stream, const Debt& debt);

  StateStore& store_;
  std::map<TaskId, Debt> debts_;
  int64_t rows_written_ = 0;
};

}  // namespace tidecast
