#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "engine/io/log_transport.h"
#include "tests/simulation/engine_process.h"

namespace tidecast::simulation {

/// Ways to break the protocol; the simulation must find every one. Most are wrappers around an instance's transport;
/// the others are built into copies of the engine's sources (mutate.py), which the program simulation_mutants has.
enum class Mutant : uint8_t {
  kNone,
  kCommitRecordSkipped,    ///< no commit record in the changelog
  kStateBeforeCommit,      ///< the local store is written before the transaction is committed
  kPositionsNotSent,       ///< positions (and with them the generation) are left out of the transaction
  kPositionsOutside,       ///< positions are committed by themselves, after the transaction
  kMembershipFetchedLate,  ///< the generation is looked up when positions are sent
  kRestoreToLastStable,    ///< a restore ends where an open transaction begins
  kUnknownIsCommitted,     ///< an unknown outcome is taken for a commit
  kNewClientOnFence,       ///< who is fenced enters the group again
  kIdleByPosition,         ///< an input that an open transaction hides counts as read to its end
  // In the engine's sources:
  kNextEpochKept,         ///< what was made of an aborted epoch is put out all the same
  kCacheNotReloaded,      ///< windows in memory outlive an abort
  kWatermarkNotRestored,  ///< a task begins without its watermark
  kOrphansApplied,        ///< rows without their commit record are restored
  kModelOutsideTheCut,    ///< the model is not saved with every epoch
  kSeqReused,             ///< an epoch that was aborted leaves its seq to the next one
  kDeltasOutdoBlocks,     ///< what a delta said of a row outlives what its block says since
  kCount_,
};
constexpr Mutant kFirstInSources = Mutant::kNextEpochKept;
std::string_view MutantName(Mutant mutant);

/// `transport` as the mutant would have it; unchanged for kNone.
std::unique_ptr<LogTransport> Mutate(Mutant mutant, std::unique_ptr<LogTransport> transport, std::shared_ptr<Disk> disk,
                                     SimulatedBroker& broker);

/// Of mutants in sources: one at a time is on.
void TurnOn(Mutant mutant);
bool IsOn(Mutant mutant);
/// Told by a source that a mutant no longer fits; always true.
bool MutantIsMissing(Mutant mutant);
/// Whether this program has the mutant.
bool HasMutant(Mutant mutant);
/// Called by the program whose engine has the switches.
void SourcesHaveSwitches();

}  // namespace tidecast::simulation
