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
#include "engine/runtime/changelog_notes.h"

namespace tidecast {

/// Reads back, read_committed, what this instance has committed to its changelogs, one stream at a time, and compares
/// it with the local store: a commit that was said to be ok and is not there in whole was torn. Notes how far all was
/// well, so that a restart reads only the tail. Thread: confined; Step takes a sixteenth of the time since the one
/// before, or a quarter of more than 100 ms, 250 ms at most.
class ChangelogWatch {
 public:
  struct Finding {
    TaskId stream;
    bool torn = false;
    bool unproven = false;  ///< torn, or thinned by compaction: it was not looked at for too long to tell
    std::string why;
    std::vector<ChangelogFold::Orphan> orphans;
  };

  ChangelogWatch(LogTransport& transport, StateStore& store, ChangelogLayout layout, const Clock& clock)
      : transport_(transport), store_(store), layout_(std::move(layout)), clock_(clock) {}

  /// Between two looks, each at one stream.
  Duration interval = std::chrono::seconds(1);

  /// REQUIRES: the streams were restored.
  Status Start(const std::vector<TaskId>& streams);
  void Stop() {
    streams_.clear();
    reader_.reset();
  }
  /// What a look that ended in this step has found; nothing when all was well.
  Result<std::optional<Finding>> Step();
  /// Of any row that was seen: own epochs must be numbered above.
  uint64_t highest_seq() const { return highest_seq_; }
  int64_t looks() const { return looks_; }

 private:
  struct Stream {
    TaskId id;
    ChangelogFold fold;
    int64_t position = 0;
    ProcessingTime noted;
    std::optional<ChangelogHint> proven;  ///< behind a commit record of ours up to which all was well, not noted yet
    bool torn = false;
    std::string why;
    bool told = false;     ///< torn, and not written anew yet
    bool foreign = false;  ///< the newest commit record is not ours: the store does not have it
  };
  Status BeginLook();
  void Take(Stream& stream, const InputRecord& record);
  Status Note(Stream& stream);
  Result<std::optional<Finding>> EndLook(Stream& stream);

  LogTransport& transport_;
  StateStore& store_;
  const ChangelogLayout layout_;
  const Clock& clock_;
  std::vector<std::unique_ptr<Stream>> streams_;
  size_t next_ = 0;
  ProcessingTime next_look_;
  ProcessingTime stepped_;
  std::unique_ptr<LogReader> reader_;
  std::unique_ptr<RecordBatch> batch_;
  uint64_t expected_seq_ = 0;
  bool may_be_thinned_ = false;  ///< what is read now
  uint64_t highest_seq_ = 0;
  int64_t looks_ = 0;
};

}  // namespace tidecast
