#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/chaos_wire.h"
#include "tests/simulation/mutants.h"

namespace tidecast::simulation {

struct ScheduleResult {
  std::string failure;  ///< empty: the oracle agrees
  Cells cells;
  int64_t steps = 0;
  int64_t commits = 0;
  int64_t faults = 0;
  int64_t restarts = 0;
};

/// One seeded run of one to three instances on a simulated Kafka, all on the caller's thread: steps, faults and feeding
/// in an order that the seed decides; then calm, the end of the input, and the oracle:
///   - the windows' final rows, the late and the dead records, and the counts are those of a plain recomputation;
///   - no content id is met twice by a read_committed reader, and revisions are without gaps;
///   - what an instance's changelogs restore to is its state;
///   - one instance on a backlog: forecasts and alerts are the bytes of an undisturbed run.
/// `trace`: tells what happens on stdout.
ScheduleResult RunSchedule(uint64_t seed, Mutant mutant, bool trace);

}  // namespace tidecast::simulation
