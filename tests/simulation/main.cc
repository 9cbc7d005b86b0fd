// simulation [--seeds N] [--from S] [--jobs N] [--cell-min N] [--mutants] [--mutant NAME]
//            [--trace] [--without BITS] [--records N] [--minimise]
// Runs seeded schedules of the whole engine and prints how often each (step x fault) was met.
// Exit codes: 0 all well, 1 a schedule failed (its seed is printed) or a cell was met too rarely, 64 usage.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/schedule.h"

namespace tidecast::simulation {
namespace {

struct Flags {
  uint64_t seeds = 100;
  uint64_t from = 1;
  uint64_t jobs = 1;
  int64_t cell_min = 0;
  bool all_mutants = false;
  bool minimise = false;
  ScheduleOptions schedule;
};

uint64_t own_seed = 0;
uint64_t* seed_under_way = &own_seed;
/// From now on it lies where the parent of a worker sees it, too.
void ShareTheSeed() {
  void* const shared = mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared != MAP_FAILED) seed_under_way = static_cast<uint64_t*>(shared);
}

// A failed check ends the process: the seed must be known all the same.
void OnAbort(int) {
  std::fprintf(stderr,
               "seed %llu: a check of the engine failed; repeat it by: ./dev sim --seeds 1 --from %llu --trace\n",
               static_cast<unsigned long long>(*seed_under_way), static_cast<unsigned long long>(*seed_under_way));
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
      flags->schedule.trace = true;
    } else if (flag == "--minimise") {
      flags->minimise = true;
    } else if (flag == "--mutants") {
      flags->all_mutants = true;
    } else if (flag == "--mutant" && i + 1 < argc) {
      const std::string_view name = argv[++i];
      for (int m = 0; m < static_cast<int>(Mutant::kCount_); ++m) {
        if (MutantName(static_cast<Mutant>(m)) == name) flags->schedule.mutant = static_cast<Mutant>(m);
      }
      if (MutantName(flags->schedule.mutant) != name) return false;
    } else if (!(flag == "--seeds" && number(&flags->seeds)) && !(flag == "--from" && number(&flags->from)) &&
               !(flag == "--jobs" && number(&flags->jobs)) && !(flag == "--cell-min" && number(&flags->cell_min)) &&
               !(flag == "--without" && number(&flags->schedule.without)) &&
               !(flag == "--records" && number(&flags->schedule.records))) {
      return false;
    }
  }
  return true;
}

std::string CommandOf(const ScheduleOptions& options) {
  std::string command = fmt::format("./dev sim --seeds 1 --from {} --trace", options.seed);
  if (options.mutant >= kFirstInSources)
    command =
        fmt::format("build/release/tests/simulation/simulation_mutants --seeds 1 --from {} --trace", options.seed);
  if (options.mutant != Mutant::kNone) command += fmt::format(" --mutant {}", MutantName(options.mutant));
  if (options.without != 0) command += fmt::format(" --without {}", options.without);
  if (options.records != SIZE_MAX) command += fmt::format(" --records {}", options.records);
  return command;
}

struct Sum {
  Cells cells;
  std::map<std::string, int64_t> figures;  ///< steps, commits ...
};

/// Every `stride`-th seed. False once one has failed.
bool RunShare(const Flags& flags, uint64_t first, uint64_t stride, Sum* sum) {
  for (uint64_t seed = first; seed < flags.from + flags.seeds; seed += stride) {
    *seed_under_way = seed;
    ScheduleOptions options = flags.schedule;
    options.seed = seed;
    const ScheduleResult result = RunSchedule(options);
    for (const auto& [cell, count] : result.cells) sum->cells[cell] += count;
    for (const auto& [name, count] : {std::pair<const char*, int64_t>{"steps", result.steps},
                                      {"commits", result.commits},
                                      {"faults", result.faults},
                                      {"restarts", result.restarts},
                                      {"events", static_cast<int64_t>(result.records)},
                                      {"stopped at a gap", result.stopped.empty() ? 0 : 1}}) {
      sum->figures[name] += count;
    }
    if (result.failure.empty()) continue;
    fmt::print(stderr, "seed {}: {}\nrepeat it by: {}\n", seed, result.failure, CommandOf(options));
    if (flags.minimise) fmt::print(stderr, "the shortest that fails: {}\n", CommandOf(Minimise(options)));
    return false;
  }
  return true;
}

/// A worker's sums as lines, and back.
std::string LinesOf(const Sum& sum) {
  std::string lines;
  for (const auto& [cell, count] : sum.cells) lines += fmt::format("c{}\t{}\n", count, cell);
  for (const auto& [name, count] : sum.figures) lines += fmt::format("f{}\t{}\n", count, name);
  return lines;
}
void AddLines(std::istream& lines, Sum* sum) {
  for (std::string line; std::getline(lines, line);) {
    const size_t tab = line.find('\t');
    auto& into = line[0] == 'c' ? sum->cells : sum->figures;
    into[line.substr(tab + 1)] += std::stoll(line.substr(1, tab - 1));
  }
}

/// All seeds, on several processes. False when one of them has failed.
bool RunAll(const Flags& flags, Sum* sum) {
  if (flags.jobs <= 1) return RunShare(flags, flags.from, 1, sum);
  std::vector<std::pair<pid_t, int>> workers;
  for (uint64_t job = 0; job < flags.jobs; ++job) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      Sum own;
      const bool ok = RunShare(flags, flags.from + job, flags.jobs, &own);
      const std::string lines = LinesOf(own);
      for (size_t at = 0; at < lines.size();) {
        const ssize_t wrote = write(ends[1], lines.data() + at, lines.size() - at);
        if (wrote <= 0) _exit(2);
        at += static_cast<size_t>(wrote);
      }
      _exit(ok ? 0 : 1);
    }
    close(ends[1]);
    if (child < 0) return false;
    workers.emplace_back(child, ends[0]);
  }
  bool all_well = true;
  for (const auto& [child, end] : workers) {
    std::string lines;
    char block[4096];
    for (ssize_t got; (got = read(end, block, sizeof block)) > 0;) lines.append(block, static_cast<size_t>(got));
    close(end);
    std::istringstream stream(lines);
    AddLines(stream, sum);
    int status = 0;
    all_well &= waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  return all_well;
}

int RunSeeds(const Flags& flags) {
  const auto began = std::chrono::steady_clock::now();
  Sum sum;
  if (!RunAll(flags, &sum)) return 1;
  for (const std::string& cell : WantedCells()) sum.cells.try_emplace(cell, 0);
  for (const auto& [cell, count] : sum.cells) fmt::print("{:>7}  {}\n", count, cell);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  fmt::print("{} seeds from {}:", flags.seeds, flags.from);
  for (const auto& [name, count] : sum.figures) fmt::print(" {} {},", count, name);
  fmt::print(" {} cells; {:.1f} s\n", WantedCells().size(), seconds);
  int rare = 0;
  for (const std::string& cell : WantedCells()) {
    if (sum.cells[cell] >= flags.cell_min) continue;
    fmt::print(stderr, "met only {} times, {} were wanted: {}\n", sum.cells[cell], flags.cell_min, cell);
    ++rare;
  }
  return rare == 0 ? 0 : 1;
}

/// Of the seeds of the test command, one that is known to find the mutant: saves the way there. Where it does not any
/// more, since schedules have changed, all are tried from the first on.
uint64_t LikelySeed(Mutant mutant) {
  switch (mutant) {
    case Mutant::kRestoreToLastStable:
      return 22;
    case Mutant::kUnknownIsCommitted:
      return 27;
    case Mutant::kIdleByPosition:
      return 35;
    case Mutant::kNextEpochKept:
      return 5;
    case Mutant::kWatermarkNotRestored:
      return 44;
    case Mutant::kOrphansApplied:
      return 53;
    default:
      return 0;
  }
}

// Each mutant in a process of its own, since many end by a check of the engine.
int RunMutants(const Flags& flags) {
  ShareTheSeed();
  int missed = 0;
  for (int m = 1; m < static_cast<int>(Mutant::kCount_); ++m) {
    Flags own = flags;
    own.schedule.mutant = static_cast<Mutant>(m);
    if (!HasMutant(own.schedule.mutant)) {
      fmt::print(
          "mutant {}: NOT THERE: mutate.py does not fit the engine's source, or this is not simulation_mutants\n",
          MutantName(own.schedule.mutant));
      ++missed;
      continue;
    }
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      if (std::freopen("/dev/null", "w", stdout) == nullptr || std::freopen("/dev/null", "w", stderr) == nullptr)
        _exit(2);
      Sum sum;
      Flags first = own;
      first.from = LikelySeed(own.schedule.mutant);
      first.seeds = 1;
      const bool is_ours = first.from >= own.from && first.from < own.from + own.seeds;
      if (is_ours && !RunShare(first, first.from, 1, &sum)) _exit(1);
      _exit(RunShare(own, own.from, 1, &sum) ? 0 : 1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return 2;
    const bool found = WIFSIGNALED(status) || WEXITSTATUS(status) == 1;
    const std::string verdict = found ? fmt::format("found by seed {}", *seed_under_way) : std::string("NOT FOUND");
    fmt::print("mutant {}: {}\n", MutantName(own.schedule.mutant), verdict);
    missed += found ? 0 : 1;
  }
  return missed == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  Flags flags;
  if (!ParseFlags(argc, argv, &flags)) {
    std::fputs(
        "usage: simulation [--seeds N] [--from S] [--jobs N] [--cell-min N] [--mutants] [--mutant NAME]\n"
        "                  [--trace] [--without BITS] [--records N] [--minimise]\n",
        stderr);
    return 64;
  }
#ifdef TIDECAST_MUTANTS_IN_SOURCES
  SourcesHaveSwitches();
#endif
  std::signal(SIGABRT, OnAbort);
  if (flags.schedule.trace) std::setvbuf(stdout, nullptr, _IOLBF, 0);
  return flags.all_mutants ? RunMutants(flags) : RunSeeds(flags);
}

}  // namespace
}  // namespace tidecast::simulation

int main(int argc, char** argv) { return tidecast::simulation::Main(argc, argv); }
