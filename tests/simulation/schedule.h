#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/chaos_wire.h"
#include "tests/simulation/mutants.h"

namespace tidecast::simulation {

struct ScheduleOptions {
  uint64_t seed = 1;
  Mutant mutant = Mutant::kNone;
  bool trace = false;         ///< tells what happens on stdout
  uint64_t without = 0;       ///< bit i: the schedule's i-th fault is left out
  size_t records = SIZE_MAX;  ///< only so many of the input
};

struct ScheduleResult {
  std::string failure;  ///< empty: the oracle agrees
  /// A torn transaction and a loss left a gap that only a human can judge: the engine stopped a task and said so.
  std::string stopped;
  int planned_faults = 0;
  size_t records = 0;  ///< of the whole input
  Cells cells;
  int64_t steps = 0;
  int64_t commits = 0;
  int64_t faults = 0;
  int64_t restarts = 0;
};

/// One seeded run of one to three instances on a simulated Kafka, all on the caller's thread: steps, faults and feeding
/// in an order that the seed decides; then calm, the end of the input, and the oracle:
///   - the windows' final rows, the late and the dead records, and the counts are those of a plain recomputation;
///   - no content id is met twice by a read_committed reader (once a transaction was torn it may be, and the newest
///     counts), and revisions are without gaps;
///   - what an instance's changelogs restore to is its state;
///   - one instance on a backlog: forecasts and alerts are the bytes of an undisturbed run.
ScheduleResult RunSchedule(const ScheduleOptions& options);

/// Leaves out faults and input as long as the schedule still fails.
ScheduleOptions Minimise(ScheduleOptions failing);

/// What a run of many schedules must have met, each a few times: AllCells() and what is done to a process at its start.
std::vector<std::string> WantedCells();

}  // namespace tidecast::simulation
