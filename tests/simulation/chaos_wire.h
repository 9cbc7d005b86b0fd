#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "tests/simulation/simulated_broker.h"
#include "tests/simulation/wire.h"

namespace tidecast::simulation {

/// Thrown out of the engine where its process is killed.
struct ProcessDeath {};

enum class Fault : uint8_t {
  kCrash,            ///< kill -9; the disk stays
  kCrashDiskLost,    ///< and the disk is gone
  kCrashTailLost,    ///< power loss: the newest writes are gone
  kAbortable,        ///< the coordinator wants an abort
  kFatal,            ///< the client is dead
  kUnknownHappened,  ///< the answer is lost, the transaction is committed
  kUnknownLost,      ///< the commit is lost with its answer
  kUnknownLate,      ///< the commit arrives when its client has given it up
  kSlow,             ///< the answer takes seconds
  kSlowThere,        ///< the commit takes seconds to arrive
  kFenced,           ///< the coordinator has given the transactional id to a newer producer
  kZombie,           ///< a second process with the same id is started; this one goes on
  kRebalance,        ///< the group takes back all partitions
  kPaused,           ///< the process stands still where it is, at times for longer than its session lasts
  kCount_,
};
std::string_view FaultName(Fault fault);

/// (site, fault) -> how often it was met. Faults during a rebalance are counted apart.
using Cells = std::map<std::string, int64_t>;

/// A wire with one fault at a time, set off when its site is reached for the n-th time; beside it small mishaps all
/// along. Thread: confined.
class ChaosWire final : public Wire {
 public:
  ChaosWire(SimulatedBroker& broker, std::string transactional_id, uint64_t seed)
      : broker_(broker), transactional_id_(std::move(transactional_id)), random_(seed) {}

  void Arm(Site site, Fault fault, int at_count) {
    armed_ = {site, fault};
    left_ = at_count;
  }
  bool armed() const { return armed_.has_value(); }
  void Heal() {
    armed_.reset();
    calm_ = true;
  }
  /// Called where the process stands still: lets the others go on.
  std::function<void()> freeze;
  /// What was set off and is the scheduler's to do (kZombie, crashes).
  std::optional<Fault> TakeFired() { return std::exchange(fired_, std::nullopt); }
  const Cells& cells() const { return cells_; }

  void Reach(Site site) override;
  CommitFate OnCommit() override;
  Duration AbortDelay() override { return Chance(4) ? std::chrono::milliseconds(30) : Duration{}; }
  Outcome OnPositions() override;
  bool SendQueueIsFull() override { return Chance(60); }
  size_t Fetched(const TopicPartition&, size_t records_max) override;

 private:
  bool Chance(uint64_t one_in) { return !calm_ && random_() % one_in == 0; }
  /// Whether the armed fault's time has come at this site.
  bool Due(Site site);
  void Count(Site site, Fault fault);

  SimulatedBroker& broker_;
  const std::string transactional_id_;
  std::mt19937_64 random_;
  std::optional<std::pair<Site, Fault>> armed_;
  int left_ = 0;
  std::optional<Fault> pending_outcome_;  ///< of positions or commit, asked for right after Reach
  std::optional<Fault> fired_;
  bool calm_ = false;
  Cells cells_;
};

}  // namespace tidecast::simulation
