#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/clock.h"
#include "engine/core/packed_records.h"
#include "engine/core/record.h"
#include "engine/core/stateful.h"
#include "engine/io/log_transport.h"
#include "engine/runtime/changelog_format.h"
#include "engine/runtime/fault_points.h"
#include "state/state_store.h"
#include "state/task_keyspace.h"

namespace tidecast {

/// One atomic cut of the whole instance: what epoch `epoch` will have done once it is committed.
struct EpochCut {
  Epoch epoch = 0;
  uint64_t seq = 0;  ///< of all task's rows of this cut; never used again
  std::vector<OutputRecord> outputs;
  std::vector<PackedRecords> rows;   ///< more outputs: rows of closed buckets and windows, by task
  StateBatch state;                  ///< rows of all tasks, commit records included
  std::vector<Position> positions;   ///< input positions of the tasks that changed
  std::map<TaskId, uint64_t> bases;  ///< of streams whose state was written anew up to this cut
};

/// Brings a cut through the commit protocol (EXACTLY_ONCE.md 1, steps 1 to 5): outputs, changelog, offsets, commit,
/// local state. A state machine: Step moves on as far as it can without waiting.
///   1. begin; produce outputs            2. produce changelog rows, then one commit record a task
///   3. send offsets                      4. commit (outcome by event)          5. write the local store
/// Rows may go ahead of their cut: they are final, and a transaction that ends without its cut is aborted, so that
/// nobody ever sees them. Once handed over they are the transport's: memory is given back then, not at the commit.
/// Thread: confined.
class EpochCommitter {
 public:
  /// `writer`: names the instance and this life of it, "<instance>/<life>".
  EpochCommitter(LogTransport& transport, StateStore& store, ChangelogLayout layout, std::string writer,
                 FaultPoints& faults, const Clock& clock)
      : transport_(transport),
        store_(store),
        layout_(std::move(layout)),
        writer_(std::move(writer)),
        faults_(faults),
        clock_(clock) {}

  enum class State : uint8_t { kIdle, kAhead, kProducing, kCommitting, kCommitted, kAborting, kFailed };

  State state() const { return state_; }
  /// Something is on its way that must be brought to its end, or given up, before the instance may go elsewhere.
  bool busy() const {
    return state_ == State::kAhead || state_ == State::kProducing || state_ == State::kCommitting ||
           state_ == State::kAborting;
  }
  bool ready() const { return state_ == State::kIdle || state_ == State::kAhead; }
  /// Since when rows are ahead of their cut. REQUIRES: state kAhead.
  ProcessingTime ahead_since() const { return ahead_since_; }
  /// Memory of the rows that are ahead of their cut and not yet handed over.
  size_t ahead_bytes() const;
  /// Memory of the rows of the cut under way that are not yet handed over.
  size_t rows_bytes() const;
  /// Rows of the transaction under way that were handed over since the last call: their memory may be filled again.
  std::vector<PackedRecords> TakeSpent() { return std::exchange(spent_, {}); }
  /// Sends rows of the next cut ahead of it, under its transaction. REQUIRES: ready.
  void SendAhead(PackedRecords rows);
  /// REQUIRES: ready, or rows ahead of this cut have just failed: the cut shares their fate.
  void Start(EpochCut cut);
  /// Moves on. Errors end in state kFailed with `outcome` and `status`.
  void Step();
  void OnTransaction(const TransportEvent& event);
  /// What was committed last may be somebody else's: called before a restore.
  void Forget() { committed_at_.clear(); }
  /// The stream's newest commit record is not older than this, as far as a restore has found out.
  void NoteCommittedAt(TaskId stream, ProcessingTime at) { committed_at_[stream] = at; }
  /// Gives up what is under way (revoked in a hurry, lost): ends in kFailed, kAbortable.
  void Abort();

  /// After kCommitted or kFailed: hands back the cut and is idle again.
  EpochCut Take();
  Outcome outcome() const { return outcome_; }
  const Status& status() const { return status_; }
  /// It was the local store that failed: nobody else can mend that.
  bool store_failed() const { return store_failed_; }
  const EpochCut& cut() const { return cut_; }

 private:
  /// Forgets what came of the cut before, and begins a transaction.
  void Begin();
  bool Produced(Status status);
  bool ProducePacked();
  bool ProduceMore();
  ChangelogRow RowOf(size_t index) const;
  /// The commit records, each with what a restore will ask of it.
  Status MakeCommitRecords();
  void Fail(Outcome outcome, Status status);

  LogTransport& transport_;
  StateStore& store_;
  ChangelogLayout layout_;
  std::string writer_;
  FaultPoints& faults_;
  const Clock& clock_;

  State state_ = State::kIdle;
  EpochCut cut_;
  ProcessingTime ahead_since_;
  size_t next_output_ = 0;
  size_t next_packed_ = 0;      ///< in cut_.rows
  size_t next_packed_row_ = 0;  ///< in that one
  std::vector<PackedRecords> spent_;
  size_t next_row_ = 0;
  std::vector<OutputRecord> commit_records_;  ///< one a stream, produced last of all
  size_t next_commit_record_ = 0;
  std::map<TaskId, ProcessingTime> committed_at_;  ///< when the newest commit record of a stream was made, in this life
  std::vector<TaskId> streams_in_cut_;
  ProcessingTime recorded_at_;  ///< when those of the cut were made: a process may have stood still since then
  bool outputs_reported_ = false;
  Outcome outcome_ = Outcome::kOk;
  Status status_;
  bool store_failed_ = false;
};

}  // namespace tidecast
