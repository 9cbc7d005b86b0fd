// simulation [--seeds N] [--from S] [--trace] [--mutant NAME] [--mutants] [--cell-min N]
// Runs seeded schedules of the whole engine and prints how often each (step x fault) was met.
// Exit codes: 0 all well, 1 a schedule failed (its seed is printed), 64 usage.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/simulation/schedule.h"

namespace tidecast::simulation {
namespace {

struct Flags {
  uint64_t seeds = 100;
  uint64_t from = 1;
  int64_t cell_min = 0;
  bool trace = false;
  bool all_mutants = false;
  Mutant mutant = Mutant::kNone;
};

uint64_t seed_under_way = 0;

// A failed check ends the process: the seed must be known all the same.
void OnAbort(int) {
  std::fprintf(stderr,
               "seed %llu: a check of the engine failed; repeat it by: ./dev sim --seeds 1 --from %llu --trace\n",
               static_cast<unsigned long long>(seed_under_way), static_cast<unsigned long long>(seed_under_way));
}

bool ParseFlags(int argc, char** argv, Flags* flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto number = [&](auto* value) {
      if (i + 1 >= argc) return false;
      *value = static_cast<std::remove_reference_t<decltype(*value)>>(std::strtoull(argv[++i], nullptr, 10));
      return true;
    };
    if (flag == "--trace") {
      flags->trace = true;
    } else if (flag == "--mutants") {
      flags->all_mutants = true;
    } else if (flag == "--mutant" && i + 1 < argc) {
      const std::string_view name = argv[++i];
      for (int m = 0; m < static_cast<int>(Mutant::kCount_); ++m) {
        if (MutantName(static_cast<Mutant>(m)) == name) flags->mutant = static_cast<Mutant>(m);
      }
      if (MutantName(flags->mutant) != name) return false;
    } else if (!(flag == "--seeds" && number(&flags->seeds)) && !(flag == "--from" && number(&flags->from)) &&
               !(flag == "--cell-min" && number(&flags->cell_min))) {
      return false;
    }
  }
  return true;
}

int RunSeeds(const Flags& flags) {
  const auto began = std::chrono::steady_clock::now();
  ScheduleResult sum;
  for (uint64_t seed = flags.from; seed < flags.from + flags.seeds; ++seed) {
    seed_under_way = seed;
    const ScheduleResult result = RunSchedule(seed, flags.mutant, flags.trace);
    for (const auto& [cell, count] : result.cells) sum.cells[cell] += count;
    sum.steps += result.steps;
    sum.commits += result.commits;
    sum.faults += result.faults;
    sum.restarts += result.restarts;
    if (result.failure.empty()) continue;
    fmt::print(stderr, "seed {}: {}\nrepeat it by: ./dev sim --seeds 1 --from {} --trace{}\n", seed, result.failure,
               seed, flags.mutant == Mutant::kNone ? "" : fmt::format(" --mutant {}", MutantName(flags.mutant)));
    return 1;
  }
  int64_t least = INT64_MAX;
  for (const auto& [cell, count] : sum.cells) {
    fmt::print("{:>7}  {}\n", count, cell);
    if (cell.find("(in a rebalance)") == std::string::npos) least = std::min(least, count);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  fmt::print("{} seeds from {}: {} steps, {} commits, {} faults in {} cells, {} restarts; {:.1f} s\n", flags.seeds,
             flags.from, sum.steps, sum.commits, sum.faults, sum.cells.size(), sum.restarts, seconds);
  if (flags.cell_min > 0 && least < flags.cell_min) {
    fmt::print(stderr, "a cell was met only {} times, {} were wanted: run more seeds\n", least, flags.cell_min);
    return 1;
  }
  return 0;
}

// Each mutant in a process of its own, since many end by a check of the engine.
int RunMutants(const Flags& flags) {
  int missed = 0;
  for (int m = 1; m < static_cast<int>(Mutant::kCount_); ++m) {
    Flags own = flags;
    own.mutant = static_cast<Mutant>(m);
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      if (std::freopen("/dev/null", "w", stdout) == nullptr || std::freopen("/dev/null", "w", stderr) == nullptr)
        _exit(2);
      _exit(RunSeeds(own));
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return 2;
    const bool found = WIFSIGNALED(status) || WEXITSTATUS(status) == 1;
    fmt::print("mutant {}: {}\n", MutantName(own.mutant), found ? "found" : "NOT FOUND");
    missed += found ? 0 : 1;
  }
  return missed == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  Flags flags;
  if (!ParseFlags(argc, argv, &flags)) {
    std::fputs("usage: simulation [--seeds N] [--from S] [--trace] [--mutant NAME] [--mutants] [--cell-min N]\n",
               stderr);
    return 64;
  }
  std::signal(SIGABRT, OnAbort);
  if (flags.trace) std::setvbuf(stdout, nullptr, _IOLBF, 0);
  return flags.all_mutants ? RunMutants(flags) : RunSeeds(flags);
}

}  // namespace
}  // namespace tidecast::simulation

int main(int argc, char** argv) { return tidecast::simulation::Main(argc, argv); }
