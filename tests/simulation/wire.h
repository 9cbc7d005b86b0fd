#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/core/time.h"
#include "engine/io/log_transport.h"

namespace tidecast::simulation {

/// Points of an instance's way at which a schedule may interfere. The order is that of a commit (EXACTLY_ONCE.md 1).
enum class Site : uint8_t {
  kBegin,         ///< the epoch was cut, nothing was sent
  kOutput,        ///< before an output record is sent
  kChangelogRow,  ///< before a changelog row is sent
  kPositions,     ///< all records are sent, the input positions are not
  kCommit,        ///< before the commit is sent
  kCommitted,     ///< the broker has ended the transaction, the client does not know yet
  kStateWrite,    ///< before the local store is written
  kStateWritten,  ///< after it
  kRestore,       ///< a changelog partition is opened, to restore from or to read back
  kCount_,
};
std::string_view SiteName(Site site);

/// Thrown out of the engine where its process is killed.
struct ProcessDeath {};

/// What becomes of a commit on its way.
struct CommitFate {
  Outcome told = Outcome::kOk;            ///< what the client hears
  bool happens = true;                    ///< whether the broker ever gets it
  Duration delay{};                       ///< how long the answer takes
  Duration end_delay{};                   ///< the broker gets it so much later, also when its client is gone by then
  std::optional<Duration> again_after{};  ///< a copy of it arrives so much later
  std::optional<Code> code{};             ///< under which a failure is told
};

/// What lies between a client and the broker. The base is a wire on which nothing happens.
/// Thread: confined.
class Wire {
 public:
  virtual ~Wire() = default;
  /// May throw: that is how a process dies.
  virtual void Reach(Site) {}
  virtual CommitFate OnCommit() { return {}; }
  /// What the client hears of a commit that has just happened, in place of kOk.
  virtual Outcome OnAnswer() { return Outcome::kOk; }
  virtual Duration AbortDelay() { return {}; }
  /// Outcome of sending input positions, if the broker takes them.
  virtual Outcome OnPositions() { return Outcome::kOk; }
  virtual bool SendQueueIsFull() { return false; }
  /// No broker is reached from here.
  virtual bool IsIsolated() { return false; }
  /// The transaction coordinator moves: nothing of a transaction's end is heard until it is back.
  virtual bool CoordinatorIsGone() { return false; }
  /// What the disk says to the next write or read.
  virtual Status OnDiskWrite() { return Status::Ok(); }
  virtual Status OnDiskRead() { return Status::Ok(); }
  /// How many records a fetch has brought; 0: none yet, though there are some.
  virtual size_t Fetched(const TopicPartition&, size_t records_max) { return records_max; }
};

}  // namespace tidecast::simulation
