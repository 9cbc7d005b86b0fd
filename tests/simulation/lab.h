#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/engine_process.h"
#include "tests/simulation/oracle.h"
#include "tests/simulation/shop.h"
#include "tests/simulation/simulated_broker.h"
#include "tests/simulation/wire.h"

namespace tidecast::simulation {

/// A wire on which a test sets off what it wants, where it wants it.
class LabWire final : public Wire {
 public:
  /// Does `what` when `site` is reached for the `nth` time from now on.
  void At(Site site, int nth, std::function<void()> what) { plans_.push_back({site, nth, std::move(what)}); }
  void Reach(Site site) override;
  CommitFate OnCommit() override { return fate ? *std::exchange(fate, std::nullopt) : CommitFate{}; }
  Outcome OnAnswer() override { return std::exchange(answer, Outcome::kOk); }
  Outcome OnPositions() override { return std::exchange(positions, Outcome::kOk); }
  bool CoordinatorIsGone() override { return coordinator_is_gone; }
  size_t Fetched(const TopicPartition&, size_t records_max) override { return std::min(records_max, fetched_max); }

  std::optional<CommitFate> fate;    ///< of the next commit
  Outcome positions = Outcome::kOk;  ///< of the next positions
  Outcome answer = Outcome::kOk;     ///< what is heard of the next commit that happens
  size_t fetched_max = 4;
  bool coordinator_is_gone = false;

 private:
  struct Plan {
    Site site;
    int left;
    std::function<void()> what;
  };
  std::vector<Plan> plans_;
};

/// One place where a process of the engine runs: a disk that outlives it, and a wire.
struct Machine {
  std::string id;
  std::shared_ptr<Disk> disk = std::make_shared<Disk>();
  std::unique_ptr<LabWire> wire = std::make_unique<LabWire>();
  std::unique_ptr<EngineProcess> process;
  Status ended;  ///< why the process gave up by itself
  bool finished = false;
  bool bounded = false;
  bool pausing = false;  ///< is not stepped

  bool alive() const { return process != nullptr; }
};

/// A deterministic bench for named failures: a shop on a simulated Kafka, and machines that are stepped in turn.
class Lab {
 public:
  explicit Lab(const ShopSpec& spec);

  Machine& Add(const std::string& id);
  void Start(Machine& machine);
  void Kill(Machine& machine) { machine.process.reset(); }
  /// Steps all that run, in turn, until `done`; false after many steps.
  bool Run(const std::function<bool()>& done);
  void RunFor(Duration time);
  void Feed(size_t records);
  void FeedAll() { Feed(shop.records.size()); }
  /// Feeds the rest; everybody reads to the end, closes and commits.
  bool Finish();

  /// Runs until the machine has committed `epochs` more; feeds a little on the way.
  bool Commit(Machine& machine, Epoch epochs);
  std::vector<std::string> alarms(const Machine& machine) const { return machine.process->instance().alarms(); }
  bool HasAlarm(const Machine& machine, const std::string& words) const;
  double AlarmCount(const Machine& machine, const std::string& kind) const;

  /// Outputs, counts and (of one machine) state; empty when all is well. `doubles`: content ids may come twice.
  std::string Judge(bool doubles = false);
  /// What the machine's changelogs restore to is what lies on its disk.
  std::string JudgeChangelog(const Machine& machine);

  const Shop shop;
  ManualClock clock;
  SimulatedBroker broker;
  Duration commit_interval = std::chrono::milliseconds(5);
  std::function<void(EngineOptions&)> adjust;  ///< options of who starts next
  Duration changelog_lag = std::chrono::hours(24);
  Duration rekey_kept = std::chrono::hours(24);
  std::vector<std::unique_ptr<Machine>> machines;

 private:
  void StepMachine(Machine& machine);
  size_t fed_ = 0;
};

}  // namespace tidecast::simulation
