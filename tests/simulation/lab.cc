#include "tests/simulation/lab.h"

#include <algorithm>

namespace tidecast::simulation {
namespace {

using std::chrono::milliseconds;

constexpr int kStepsMax = 200'000;

}  // namespace

void LabWire::Reach(Site site) {
  std::vector<std::function<void()>> due;
  for (auto plan = plans_.begin(); plan != plans_.end();) {
    if (plan->site != site || --plan->left > 0) {
      ++plan;
      continue;
    }
    due.push_back(std::move(plan->what));
    plan = plans_.erase(plan);
  }
  for (const auto& what : due) what();
}

Lab::Lab(const ShopSpec& spec) : shop(MakeShop(spec)), clock(ProcessingTime{ShopStart().us}), broker(clock) {
  broker.transaction_timeout = std::chrono::seconds(10);
  broker.group().session_timeout = std::chrono::seconds(6);
  broker.group().rebalance_timeout = std::chrono::seconds(8);
  CreateInputTopics(shop, broker);
}

Machine& Lab::Add(const std::string& id) {
  Machine& machine = *machines.emplace_back(std::make_unique<Machine>());
  machine.id = id;
  return machine;
}

void Lab::Start(Machine& machine) {
  EngineOptions options = shop.options;
  options.instance = machine.id;
  options.commit_interval = commit_interval;
  if (adjust) adjust(options);
  machine.process = std::make_unique<EngineProcess>(options, EngineProcess::Parts{.broker = broker,
                                                                                  .clock = clock,
                                                                                  .wire = *machine.wire,
                                                                                  .disk = machine.disk,
                                                                                  .changelog_lag = changelog_lag,
                                                                                  .rekey_kept = rekey_kept});
  machine.finished = machine.bounded = false;
  machine.ended = machine.process->Start();
  if (!machine.ended.ok()) machine.process.reset();
}

void Lab::StepMachine(Machine& machine) {
  try {
    const auto progress = machine.process->Step();
    if (!progress.ok()) {
      machine.ended = progress.status();
      machine.process.reset();
    } else if (*progress == Instance::Progress::kFinished) {
      machine.finished = true;
    }
  } catch (const ProcessDeath&) {
    machine.process.reset();
  }
}

bool Lab::Run(const std::function<bool()>& done) {
  for (int step = 0; step < kStepsMax; ++step) {
    for (const auto& machine : machines) {
      if (machine->alive() && !machine->finished && !machine->pausing) StepMachine(*machine);
      if (done()) return true;
    }
    clock.Advance(milliseconds(2));
    broker.ExpireTransactions();
  }
  return false;
}

void Lab::RunFor(Duration time) {
  const ProcessingTime end = clock.Now() + time;
  while (!Run([&] { return clock.Now() >= end; })) {  // a long time takes many steps
  }
}

void Lab::Feed(size_t records) {
  const size_t end = std::min(shop.records.size(), fed_ + records);
  broker.Feed({shop.records.begin() + static_cast<std::ptrdiff_t>(fed_),
               shop.records.begin() + static_cast<std::ptrdiff_t>(end)});
  fed_ = end;
}

bool Lab::Finish() {
  FeedAll();
  return Run([&] {
    bool all = true;
    for (const auto& machine : machines) {
      if (!machine->alive()) continue;
      if (!machine->bounded && machine->process->instance().running()) {
        machine->bounded = true;
        TC_CHECK(machine->process->instance().FinishAtEnd().ok());
      }
      all &= machine->finished;
    }
    return all;
  });
}

bool Lab::Commit(Machine& machine, Epoch epochs) {
  const Epoch before = machine.process->instance().committed_epochs();
  int waited = 0;
  return Run([&] {
    if (++waited % 50 == 0) Feed(20);  // there must be something to commit
    return !machine.alive() || machine.process->instance().committed_epochs() >= before + epochs;
  });
}

bool Lab::HasAlarm(const Machine& machine, const std::string& words) const {
  const auto all = alarms(machine);
  return std::any_of(all.begin(), all.end(), [&](const std::string& text) { return text.find(words) != text.npos; });
}

double Lab::AlarmCount(const Machine& machine, const std::string& kind) const {
  return machine.process->metrics().Value("tidecast_alarms_total", {{"kind", kind}});
}

std::string Lab::Judge(bool doubles) {
  if (std::string wrong = CheckOutputs(shop, broker, doubles); !wrong.empty()) return wrong;
  std::map<uint16_t, EventCounts> counts;
  for (const auto& machine : machines) {
    if (!machine->alive()) continue;
    for (const auto& task : machine->process->instance().tasks()) {
      if (task->id().stage != Stage::kSeries) continue;
      EventCounts& of = counts[task->id().partition];
      if (task->counts().events_read >= of.events_read) of = task->counts();
    }
  }
  EventCounts sum;
  for (const auto& [partition, of] : counts) sum += of;
  const ShopTruth truth = ComputeTruth(shop);
  if (sum.events_read == truth.read && sum.events_accepted == truth.accepted && sum.duplicates == truth.duplicates)
    return {};
  return fmt::format("the counts say {} read, {} accepted, {} duplicates; there were {}, {}, {}", sum.events_read,
                     sum.events_accepted, sum.duplicates, truth.read, truth.accepted, truth.duplicates);
}

std::string Lab::JudgeChangelog(const Machine& machine) {
  std::vector<uint16_t> partitions;
  for (const auto& task : machine.process->instance().tasks()) {
    if (task->id().stage == Stage::kSeries) partitions.push_back(task->id().partition);
  }
  return CheckChangelog(broker, clock, *machine.disk, machine.id, partitions);
}

}  // namespace tidecast::simulation
