#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/simulated_broker.h"
#include "tests/simulation/wire.h"

namespace tidecast::simulation {

enum class Fault : uint8_t {
  kCrash,             ///< kill -9; the disk stays
  kCrashDiskLost,     ///< and the disk is gone
  kCrashTailLost,     ///< power loss: the newest writes are gone
  kPaused,            ///< the process stands still where it is, at times for longer than its session lasts
  kIsolated,          ///< no broker is reached for a while
  kBrokerKilled,      ///< the broker is down for a while
  kCoordinatorMoves,  ///< the end of a transaction is not heard of for a while
  kExpired,           ///< the coordinator gives the open transaction up
  kFenced,            ///< the coordinator has given the transactional id to a newer producer
  kZombie,            ///< a second process with the same id is started; this one goes on
  kRebalance,         ///< the group takes back all partitions
  kTornCommit,        ///< a late EndTxn commits what was sent so far, positions included
  kTornAbort,         ///< a late EndTxn aborts what was sent so far to the series' changelog
  kOrphans,           ///< changelog rows without commit record become visible, then the process dies
  kOrphansAlive,      ///< likewise, and the transaction is aborted
  kCompaction,        ///< the log cleaner runs
  kClockJump,         ///< the machine's clock is set
  kDiskFull,          ///< the next write to the disk finds no room
  kCorruptedBlock,    ///< the next read from the disk finds bad bytes
  kSlowFetch,         ///< one partition of the inputs brings nothing for a while, the others do
  // Of positions and commits only:
  kAbortable,        ///< the coordinator wants an abort
  kFatal,            ///< the client is dead
  kUnknownHappened,  ///< the answer is lost, the transaction is committed
  kUnknownLost,      ///< the commit is lost with its answer
  kUnknownLate,      ///< the commit arrives when its client has given it up
  kSlow,             ///< the answer takes seconds
  kSlowThere,        ///< the commit takes seconds to arrive
  kDoubled,          ///< the commit arrives twice, the second time in the next transaction or after it
  kCount_,
};
std::string_view FaultName(Fault fault);

/// (site, fault) -> how often it was met. Faults during a rebalance are counted apart.
using Cells = std::map<std::string, int64_t>;

/// Every (site, fault) that a schedule may set off.
std::vector<std::pair<Site, Fault>> AllCells();
std::string CellName(Site site, Fault fault);

/// A wire with one fault at a time, set off when its site is reached for the n-th time; beside it small mishaps all
/// along. Thread: confined.
class ChaosWire final : public Wire {
 public:
  ChaosWire(SimulatedBroker& broker, const Clock& clock, std::string transactional_id, uint64_t seed,
            Duration clock_offset)
      : broker_(broker),
        clock_(clock),
        transactional_id_(std::move(transactional_id)),
        random_(seed),
        clock_offset_(clock_offset) {}

  void Arm(Site site, Fault fault, int at_count) {
    armed_ = {site, fault};
    left_ = at_count;
  }
  bool armed() const { return armed_.has_value(); }
  void Heal() {
    armed_.reset();
    isolated_until_ = coordinator_back_ = slow_until_ = {};
    disk_is_full_ = disk_is_bad_ = false;
    calm_ = true;
  }
  /// How far the machine's clock may be set, either way.
  Duration clock_jump_max = std::chrono::hours(1);
  /// Called where the process stands still: lets the others go on.
  std::function<void()> freeze;
  /// What was set off and is the scheduler's to do (kZombie, crashes, a killed broker).
  std::optional<Fault> TakeFired() { return std::exchange(fired_, std::nullopt); }
  Cells TakeCells() { return std::exchange(cells_, {}); }
  /// The machine's clock is so far off.
  Duration clock_offset() const { return clock_offset_; }
  /// A read has found bad bytes.
  bool disk_was_bad() const { return disk_was_bad_; }
  /// Outputs may have been committed without the state that they belong to, or the other way round.
  bool torn() const { return torn_; }

  void Reach(Site site) override;
  CommitFate OnCommit() override;
  Duration AbortDelay() override { return Chance(4) ? std::chrono::milliseconds(30) : Duration{}; }
  Outcome OnPositions() override;
  bool SendQueueIsFull() override { return Chance(60); }
  bool IsIsolated() override { return clock_.Now() < isolated_until_; }
  bool CoordinatorIsGone() override { return clock_.Now() < coordinator_back_; }
  Status OnDiskWrite() override;
  Status OnDiskRead() override;
  size_t Fetched(const TopicPartition&, size_t records_max) override;

 private:
  bool Chance(uint64_t one_in) { return !calm_ && random_() % one_in == 0; }
  /// Whether the armed fault's time has come at this site.
  bool Due(Site site);
  void Count(Site site, Fault fault);

  SimulatedBroker& broker_;
  const Clock& clock_;
  const std::string transactional_id_;
  std::mt19937_64 random_;
  std::optional<std::pair<Site, Fault>> armed_;
  int left_ = 0;
  std::optional<Fault> pending_outcome_;  ///< of positions or commit, asked for right after Reach
  std::optional<Fault> fired_;
  ProcessingTime isolated_until_;
  ProcessingTime coordinator_back_;
  ProcessingTime slow_until_;
  int32_t slow_partition_ = 0;
  bool disk_is_full_ = false;
  bool disk_is_bad_ = false;
  bool disk_was_bad_ = false;
  Duration clock_offset_{};
  bool torn_ = false;
  bool calm_ = false;
  Cells cells_;
};

}  // namespace tidecast::simulation
