#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/core/record.h"
#include "engine/core/time.h"
#include "state/state_store.h"
#include "state/task_keyspace.h"

namespace tidecast {

/// Whether tasks of the stage own partitions: series, rollup, actor.
constexpr bool IsKeyed(Stage stage) {
  return stage == Stage::kSeries || stage == Stage::kRollup || stage == Stage::kActor;
}

/// Names of the changelog topics and where a row goes. A *stream* is what one commit record speaks for: the rows of a
/// keyed task, in a partition of its own; or those of an instance and its model, in a partition that instances share.
struct ChangelogLayout {
  std::string series_topic;  ///< partition p holds the rows of series task p
  std::string model_topic;   ///< rows of the instances' and the models' tasks
  int32_t model_partition = 0;
  std::string instance;      ///< ours
  std::string rollup_topic;  ///< likewise for the other keyed stages; empty: there is no such stage
  std::string actor_topic;
  Duration compaction_lag = std::chrono::hours(24);  ///< min.compaction.lag.ms and delete.retention.ms of the topics

  /// Null for a stage without a changelog of its own (the instance's and the model's rows).
  const std::string* TopicOf(Stage stage) const;
  TopicPartition SourceOf(TaskId stream) const;
};

/// The stream to which a row of the store belongs, by its key (task prefix included).
TaskId StreamOf(std::string_view key);
/// Whether the key (prefix included) is that of a task's commit record.
bool IsCommitRecordKey(Family family, std::string_view key);
/// The key of a stream's commit record, prefix included.
std::string CommitRecordKey(TaskId stream);
/// The seq that the local store's commit record of the stream names; 0 when it has none.
Result<uint64_t> StoredSeq(const StateStore& store, TaskId stream);
/// Rows with a smaller seq than this are void (a task's state was written anew from it on): a row of the store, and a
/// header of every commit record. 0: none.
Result<uint64_t> StoredBase(const StateStore& store, TaskId stream);
void PutBase(TaskId stream, uint64_t base, StateBatch& out);
/// Folds one row into the hash of its stream's seq.
uint64_t FoldRowHash(uint64_t hash, Family family, std::string_view key, std::string_view value, bool is_delete);

/// Of changelog records, named by each commit record.
inline constexpr uint64_t kChangelogFormat = 2;

/// One record of a changelog (state/FORMAT.md 8).
struct ChangelogRow {
  Family family = Family::kMeta;
  std::string_view key;  ///< with the task's prefix
  std::string_view value;
  bool is_delete = false;
  uint64_t seq = 0;
  uint64_t ordinal = 0;
  std::string_view writer;  ///< instance/life: two lives of a process may use the same seq, one of them in vain
  bool is_commit = false;
  // Of commit records only:
  uint64_t format = 0;       ///< where it is not kChangelogFormat, nothing below is known
  uint64_t prev_seq = 0;     ///< the seq that this one was built on; 0: none
  uint64_t prev_age_us = 0;  ///< how old that one was when this one was made; 0: not known
  uint64_t base = 0;
  uint64_t rows = 0;  ///< how many rows of this seq the stream has
  uint64_t hash = 0;
};
OutputRecord MakeChangelogRecord(const ChangelogLayout& layout, const ChangelogRow& row);
/// False for bytes that are no row of this stream. Views point into the record.
bool ParseChangelogRow(const InputRecord& record, const ChangelogLayout& layout, TaskId stream, ChangelogRow* row);
/// The instance part of a writer.
std::string_view InstanceOf(std::string_view writer);

}  // namespace tidecast
