#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/packed_records.h"
#include "engine/core/record.h"
#include "engine/core/stateful.h"
#include "engine/io/log_transport.h"
#include "engine/runtime/fault_points.h"
#include "state/state_store.h"
#include "state/task_keyspace.h"

namespace tidecast {

/// One atomic cut of the whole instance: what epoch `epoch` will have done once it is committed.
struct EpochCut {
  Epoch epoch = 0;
  uint64_t seq = 0;                        ///< of all task's rows of this cut; never used again
  std::vector<OutputRecord> outputs;
  std::vector<PackedRecords> rows;         ///< more outputs: rows of closed buckets and windows, by task
  StateBatch state;                        ///< rows of all tasks, commit records included
  std::vector<Position> positions;         ///< input positions of the tasks that changed
};

/// Names of the changelog topics and where a row goes.
struct ChangelogLayout {
  std::string series_topic;                ///< partition p holds the rows of series task p
  std::string model_topic;                 ///< rows of the instance's and the model's tasks
  int32_t model_partition = 0;
  std::string rollup_topic;                ///< likewise for the other keyed stages; empty: there is no such stage
  std::string actor_topic;

  /// Null for a stage without a changelog of its own (the instance's and the model's rows).
  const std::string* TopicOf(Stage stage) const;
};
/// Whether tasks of the stage own partitions: series, rollup, actor.
constexpr bool IsKeyed(Stage stage) { return stage == Stage::kSeries || stage == Stage::kRollup || stage == Stage::kActor; }

/// Brings a cut through the commit protocol (EXACTLY_ONCE.md 1, steps 1 to 5): outputs, changelog, offsets, commit, local
/// state. A state machine: Step moves on as far as it can without waiting.
///   1. begin; produce outputs            2. produce changelog rows, then one commit record a task
///   3. send offsets                      4. commit (outcome by event)          5. write the local store
/// Thread: confined.
class EpochCommitter {
 public:
  EpochCommitter(LogTransport& transport, StateStore& store, ChangelogLayout layout, std::string instance, FaultPoints& faults)
      : transport_(transport), store_(store), layout_(std::move(layout)), instance_(std::move(instance)), faults_(faults) {}

  enum class State : uint8_t { kIdle, kProducing, kCommitting, kCommitted, kAborting, kFailed };

  State state() const { return state_; }
  bool busy() const { return state_ == State::kProducing || state_ == State::kCommitting || state_ == State::kAborting; }
  /// REQUIRES: idle.
  void Start(EpochCut cut);
  /// Moves on. Errors end in state kFailed with `outcome` and `status`.
  void Step();
  void OnTransaction(const TransportEvent& event);
  /// Gives up what is under way (revoked in a hurry, lost): ends in kFailed, kAbortable.
  void Abort();

  /// After kCommitted or kFailed: hands back the cut and is idle again.
  EpochCut Take();
  Outcome outcome() const { return outcome_; }
  const Status& status() const { return status_; }
  const EpochCut& cut() const { return cut_; }

 private:
  bool ProduceMore();
  struct CommitSums;
  bool Produced(Status status);
  bool ProducePacked();
  bool ProduceRow(const StateBatch::Row& row, uint64_t ordinal, const CommitSums* sums);
  void Fail(Outcome outcome, Status status);

  LogTransport& transport_;
  StateStore& store_;
  ChangelogLayout layout_;
  std::string instance_;
  FaultPoints& faults_;

  State state_ = State::kIdle;
  EpochCut cut_;
  size_t next_output_ = 0;
  size_t next_packed_ = 0;                 ///< in cut_.rows
  size_t next_packed_row_ = 0;             ///< in that one
  size_t next_row_ = 0;
  std::string key_;                        ///< of a changelog row
  std::vector<HeaderView> headers_;
  std::vector<size_t> commit_rows_;        ///< rows that are commit records: last of all
  size_t next_commit_row_ = 0;
  bool outputs_reported_ = false;
  Outcome outcome_ = Outcome::kOk;
  Status status_;
};

/// How a row travels in a changelog: key = family byte + the row's key without the prefix's partition ambiguity
/// (the prefix is kept), headers "seq" and, on commit records, "rows" (how many rows of this seq the task has) and "hash".
struct ChangelogRow {
  Family family = Family::kMeta;
  std::string_view key;       ///< with the task's prefix
  bool is_commit = false;
  uint64_t seq = 0;
  uint64_t rows = 0;          ///< commit records only
  uint64_t hash = 0;
};
/// False for bytes that are no changelog row.
bool ParseChangelogRow(const InputRecord& record, ChangelogRow* row);
/// Whether the key (prefix included) is that of a task's commit record.
bool IsCommitRecordKey(Family family, std::string_view key);
/// Folds one row into the hash of its task's seq.
uint64_t FoldRowHash(uint64_t hash, Family family, std::string_view key, std::string_view value, bool is_delete);

}  // namespace tidecast
