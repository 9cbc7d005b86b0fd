#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/clock.h"
#include "engine/io/log_transport.h"
#include "engine/runtime/changelog_fold.h"
#include "engine/runtime/changelog_format.h"
#include "state/state_store.h"

namespace tidecast {

/// Brings local state up to what the changelogs say was committed (EXACTLY_ONCE.md 2). Per stream: read read_committed
/// from a noted offset (or the beginning) to the high watermark; apply what ChangelogFold believes.
///   - Local state that is too old to be continued from a changelog (others have committed since), or that was built on
///   what others do not know of, is dropped and
///     restored from the beginning.
///   - Local state that is ahead of its changelog (a torn transaction took the commit record) is kept: the changelog
///     owes a snapshot.
///   - A gap that neither local state nor a later base bridges stops the stream: its state is kept as it is.
/// Thread: confined; Step does a bounded piece of work.
class ChangelogRestorer {
 public:
  /// What a stream's restore came upon.
  struct Finding {
    TaskId stream;
    Status stopped;         ///< not ok: a gap. The task must not run
    bool ahead = false;     ///< local state knows more than the changelog
    bool unproven = false;  ///< its changelog was thinned since: it is written anew, to be sure
    bool dropped = false;   ///< local state was dropped and restored from the beginning
    std::string why;        ///< of ahead and dropped
    int64_t orphan_rows = 0;
  };

  ChangelogRestorer(LogTransport& transport, StateStore& store, ChangelogLayout layout, const Clock& clock)
      : transport_(transport), store_(store), layout_(std::move(layout)), clock_(clock) {}

  /// Begins anew for these partitions of each keyed stage and the instance's own stream.
  void Start(const std::vector<uint16_t>& partitions);
  /// True when all streams are restored, or stopped. Errors: kUnavailable, kIo, kNotFound (a changelog was made anew).
  Result<bool> Step(int wait_ms);

  /// What is being read, and how far: changes as long as the restore goes on.
  std::string place() const;
  /// Of the last restore; debts to the changelogs are in the store (ChangelogDebt).
  const std::vector<Finding>& findings() const { return findings_; }
  /// Of any row that was seen in the last restore: own epochs must be numbered above.
  uint64_t highest_seq() const { return highest_seq_; }
  int64_t rows_applied() const { return rows_applied_; }
  /// Grows with each record read and each stream done: where it does not, the restore waits.
  int64_t work_done() const { return work_done_; }
  int64_t orphan_rows() const { return orphan_rows_; }

 private:
  struct Stream {
    TaskId id;
    TopicPartition source;
    uint64_t local_seq = 0;
    uint64_t base = 0;
    bool gap_is_open = false;  ///< nothing more is applied
    std::string probing;       ///< why local state may be too old; kept if nobody has committed since
    std::unique_ptr<LogReader> reader;
    std::unique_ptr<RecordBatch> batch;
    std::optional<ChangelogFold> fold;
    int64_t read_to = -1;
    Finding finding;
  };
  Status Open(Stream& stream);
  Status Apply(Stream& stream, ChangelogFold::Found found);
  /// Drops the stream's local state; it is read from the beginning next.
  Status BeginAgain(Stream& stream, uint64_t base, std::string why);
  Status Finish(Stream& stream);

  LogTransport& transport_;
  StateStore& store_;
  const ChangelogLayout layout_;
  const Clock& clock_;
  std::vector<Stream> streams_;
  size_t next_stream_ = 0;
  std::vector<Finding> findings_;
  uint64_t highest_seq_ = 0;
  int64_t rows_applied_ = 0;
  int64_t work_done_ = 0;
  int64_t orphan_rows_ = 0;
};

/// The streams of these partitions: one a keyed stage and partition, and the instance's own.
std::vector<TaskId> StreamsOf(const ChangelogLayout& layout, const std::vector<uint16_t>& partitions);

}  // namespace tidecast
