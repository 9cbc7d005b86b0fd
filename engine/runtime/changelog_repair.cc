#include "engine/runtime/changelog_repair.h"

namespace tidecast {

Status ChangelogRepair::Note(TaskId stream, const Debt& debt) {
  StateBatch batch;
  PutDebt(stream, debt.owed, batch);
  return store_.Write(batch);
}

Status ChangelogRepair::Load(const std::vector<TaskId>& streams) {
  debts_.clear();
  for (const TaskId stream : streams) {
    TC_ASSIGN_OR_RETURN(ChangelogDebt owed, ReadDebt(store_, stream));
    if (!owed.empty()) debts_[stream].owed = std::move(owed);
  }
  return Status::Ok();
}

Status ChangelogRepair::Owe(TaskId stream, std::vector<ChangelogFold::Orphan> orphans) {
  if (orphans.empty()) return Status::Ok();
  Debt& debt = debts_[stream];
  for (ChangelogFold::Orphan& orphan : orphans) debt.owed.orphans.insert(std::move(orphan));
  return Note(stream, debt);
}

Status ChangelogRepair::OweSnapshot(TaskId stream) {
  Debt& debt = debts_[stream];
  debt.owed.snapshot = true;
  return Note(stream, debt);
}

Status ChangelogRepair::SaveSnapshot(TaskId stream, Debt& debt, uint64_t seq, size_t bytes_max, StateBatch& out,
                                     std::map<TaskId, uint64_t>& bases) {
  Walk walk = debt.walk.value_or(Walk{.base = seq});
  size_t bytes = 0;
  bool ends = true;
  TC_RETURN_IF_ERROR(ScanStream(store_, stream, walk.family, walk.from,
                                [&](Family family, std::string_view key, std::string_view value) {
                                  if (bytes >= bytes_max) {
                                    walk.family = family;
                                    walk.from = key;
                                    ends = false;
                                    return false;
                                  }
                                  bytes += key.size() + value.size();
                                  out.Put(family, key, value);
                                  ++rows_written_;
                                  return true;
                                }));
  if (ends) {
    PutBase(stream, walk.base, out);
    bases[stream] = walk.base;
  }
  debt.snapshot_ends_in_cut = ends;
  debt.walk_in_cut = std::move(walk);
  return Status::Ok();
}

Status ChangelogRepair::Save(uint64_t seq, size_t bytes_max, StateBatch& out, std::map<TaskId, uint64_t>& bases) {
  for (auto& [stream, debt] : debts_) {
    for (const ChangelogFold::Orphan& orphan : debt.owed.orphans) {
      if (IsCommitRecordKey(orphan.family, orphan.key)) {
        // Written by every epoch that has a row of the stream: this is one.
        TC_ASSIGN_OR_RETURN(const uint64_t base, StoredBase(store_, stream));
        PutBase(stream, base, out);
        continue;
      }
      std::string value;
      TC_ASSIGN_OR_RETURN(const bool found, store_.Get(orphan.family, orphan.key, &value));
      if (found) {
        out.Put(orphan.family, orphan.key, value);
      } else {
        out.Delete(orphan.family, orphan.key);
      }
      ++rows_written_;
    }
    debt.orphans_in_cut = debt.owed.orphans;
    if (debt.owed.snapshot) TC_RETURN_IF_ERROR(SaveSnapshot(stream, debt, seq, bytes_max, out, bases));
  }
  return Status::Ok();
}

Status ChangelogRepair::OnCommitted() {
  for (auto at = debts_.begin(); at != debts_.end();) {
    Debt& debt = at->second;
    for (const ChangelogFold::Orphan& orphan : debt.orphans_in_cut) debt.owed.orphans.erase(orphan);
    bool changed = !debt.orphans_in_cut.empty();
    debt.orphans_in_cut.clear();
    if (debt.walk_in_cut) debt.walk = std::move(debt.walk_in_cut);
    debt.walk_in_cut.reset();
    if (debt.snapshot_ends_in_cut) {
      debt.owed.snapshot = debt.snapshot_ends_in_cut = false;
      debt.walk.reset();
      changed = true;
    }
    if (changed) TC_RETURN_IF_ERROR(Note(at->first, debt));
    at = debt.owed.empty() ? debts_.erase(at) : std::next(at);
  }
  return Status::Ok();
}

void ChangelogRepair::OnRolledBack() {
  for (auto& [stream, debt] : debts_) {
    debt.walk_in_cut.reset();
    debt.snapshot_ends_in_cut = false;
    debt.orphans_in_cut.clear();
  }
}

}  // namespace tidecast
