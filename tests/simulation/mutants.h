#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "engine/io/log_transport.h"
#include "tests/simulation/engine_process.h"

namespace tidecast::simulation {

/// Ways to break the protocol, each a wrapper around an instance's transport. The simulation must find every one.
enum class Mutant : uint8_t {
  kNone,
  kPositionsNotSent,     ///< positions (and with them the generation) are left out of the transaction
  kStateBeforeCommit,    ///< the local store is written before the transaction is committed
  kCommitRecordSkipped,  ///< no commit record in the changelog
  kRestoreToLastStable,  ///< a restore ends where an open transaction begins
  kUnknownIsCommitted,   ///< an unknown outcome is taken for a commit
  kCount_,
};
std::string_view MutantName(Mutant mutant);

/// `transport` as the mutant would have it; unchanged for kNone.
std::unique_ptr<LogTransport> Mutate(Mutant mutant, std::unique_ptr<LogTransport> transport,
                                     std::shared_ptr<Disk> disk);

}  // namespace tidecast::simulation
