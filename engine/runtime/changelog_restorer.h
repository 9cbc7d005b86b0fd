#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/io/log_transport.h"
#include "engine/runtime/epoch_committer.h"
#include "state/state_store.h"

namespace tidecast {

/// Brings local state up to what the changelogs say was committed (EXACTLY_ONCE.md 2). Per stream: read read_committed from
/// a remembered offset (or the beginning) to the high watermark; apply the rows of a seq only together with its commit
/// record, whose count and hash they must match; rows without one are orphans of a torn transaction and are left out.
/// Thread: confined; Step does a bounded piece of work.
class ChangelogRestorer {
 public:
  ChangelogRestorer(LogTransport& transport, StateStore& store, ChangelogLayout layout, std::string instance)
      : transport_(transport), store_(store), layout_(std::move(layout)), instance_(std::move(instance)) {}

  /// Begins anew for these partitions of each keyed stage and the instance's own stream.
  void Start(const std::vector<uint16_t>& partitions);
  /// True when all streams are restored. Errors: kCorruption (a seq whose rows do not match its commit record), kUnavailable.
  Result<bool> Step(int wait_ms);
  /// Remembers how far the changelogs are known to be in the local store, so that a restart reads only their tail.
  /// REQUIRES: nothing of ours is uncommitted.
  Status RememberEnds(const std::vector<uint16_t>& partitions);

  int64_t rows_applied() const { return rows_applied_; }
  int64_t orphan_rows() const { return orphan_rows_; }

 private:
  struct SeqRows {
    StateBatch batch;
    uint64_t count = 0;
    uint64_t hash = 0;
  };
  struct Stream {
    TopicPartition source;
    TaskId task;
    bool whole = false;                    ///< read from its beginning: compaction may have thinned old seqs
    uint64_t local_seq = 0;
    std::unique_ptr<LogReader> reader;
    std::unique_ptr<RecordBatch> batch;
    std::map<uint64_t, SeqRows> waiting;   ///< rows whose commit record was not met yet, by seq
  };
  Status Open(Stream& stream);
  Status Apply(Stream& stream, const InputRecord& record);
  std::vector<Stream> MakeStreams(const std::vector<uint16_t>& partitions) const;
  Result<uint64_t> LocalSeq(const Stream& stream) const;

  LogTransport& transport_;
  StateStore& store_;
  ChangelogLayout layout_;
  std::string instance_;
  std::vector<Stream> streams_;
  size_t next_stream_ = 0;
  int64_t rows_applied_ = 0;
  int64_t orphan_rows_ = 0;
};

}  // namespace tidecast
