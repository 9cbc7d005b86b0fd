#include "tests/simulation/schedule.h"

#include <algorithm>
#include <memory>
#include <random>
#include <tuple>

#include "engine/core/hash.h"
#include "tests/simulation/engine_process.h"
#include "tests/simulation/oracle.h"
#include "tests/simulation/shop.h"
#include "tests/simulation/simulated_broker.h"

namespace tidecast::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kWildStepsMax = 12'000;
constexpr int kCalmStepsMax = 100'000;
constexpr char kForeigner[] = "foreigner";
constexpr char kGroupReset[] = "start x group reset";
constexpr char kTopicRecreated[] = "start x topic recreated";
constexpr char kInputBlocked[] = "input x blocked";
constexpr char kInputIdle[] = "input x idle";
constexpr char kInputLate[] = "input x too late";
constexpr char kInputDoubled[] = "input x duplicated";
constexpr char kInputUndecodable[] = "input x undecodable";
constexpr char kInputReordered[] = "input x reordered";
constexpr char kInputUnequal[] = "input x unequal partitions";

/// A process on its machine, or the place where one will be started again.
struct Slot {
  std::string id;
  std::shared_ptr<Disk> disk;
  std::unique_ptr<ChaosWire> wire;
  std::unique_ptr<EngineProcess> process;
  ProcessingTime starts_at;
  ProcessingTime paused_until;
  bool bounded = false;
  bool finished = false;
  bool disk_is_bad = false;
  int idle_tasks = 0;
};

class Schedule {
 public:
  explicit Schedule(const ScheduleOptions& options)
      : random_(options.seed * 0x9E3779B97F4A7C15ULL + 1),
        options_(options),
        shop_(Shortened(MakeShop(DrawShop()), options.records, &result_.records)),
        clock_(ProcessingTime{ShopStart().us}),
        broker_(clock_) {
    broker_.transaction_timeout = seconds(Chance(2) ? 5 : 12);
    broker_.group().session_timeout = seconds(6);
    broker_.group().rebalance_timeout = seconds(8);
    CreateInputTopics(shop_, broker_);
    for (int i = 1; i <= instances_; ++i) {
      Slot& slot = slots_.emplace_back();
      slot.id = "i" + std::to_string(2 * i);  // i2 and i4 share a partition of the models' changelog
      slot.disk = std::make_shared<Disk>();
      slot.starts_at = clock_.Now() + milliseconds(i == 1 ? 0 : Below(4'000));
    }
    if (backlog_) FeedMore(shop_.records.size());
    result_.planned_faults = faults_max_;
  }

  ScheduleResult Run() {
    TurnOn(options_.mutant);
    Tell("{} instances, {} partitions, {} days{}{}{}{}{}{}", instances_, shop_.spec.partitions, shop_.spec.days,
         backlog_ ? ", a backlog" : "", tears_ ? ", tears" : "", shop_.spec.facts ? ", facts" : "",
         shop_.spec.grouped ? ", grouped" : "", shop_.spec.open == OpenRule::kLearned ? ", learned" : "",
         shop_.spec.idle_timeout > Duration{} ? ", idle" : "");
    RunWild();
    if (goes_on()) RunCalm();
    if (goes_on()) Judge();
    for (const Slot& slot : slots_) CountCells(slot);
    for (const auto& zombie : zombies_) CountCells(*zombie);
    for (const auto& [cell, count] : result_.cells) {
      if (cell.find("(in a rebalance)") == std::string::npos && !cell.starts_with("input")) result_.faults += count;
    }
    return std::move(result_);
  }

 private:
  static Shop Shortened(Shop shop, size_t records, size_t* whole) {
    *whole = shop.records.size();
    shop.records.resize(std::min(records, shop.records.size()));
    return shop;
  }
  bool goes_on() const { return result_.failure.empty() && result_.stopped.empty(); }
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t one_in) { return Below(one_in) == 0; }

  ShopSpec DrawShop() {
    instances_ = Chance(4) ? 1 : 2 + static_cast<int>(Below(2));
    backlog_ = Chance(instances_ == 1 ? 2 : 4);
    faults_max_ = 5 + static_cast<int>(Below(4));
    tears_ = Chance(3);
    ShopSpec spec;
    spec.seed = random_();
    spec.partitions = instances_ == 1 ? 1 + static_cast<int32_t>(Below(3)) : 2 + static_cast<int32_t>(Below(3));
    spec.series = 4 + static_cast<int>(Below(4));
    spec.days = 14 + static_cast<int>(Below(8));
    spec.orders_a_day = 80 + static_cast<int>(Below(30));
    spec.facts = Chance(4);
    spec.open = Chance(4) ? OpenRule::kLearned : OpenRule::kAll;
    spec.grouped = spec.seed % 3 == 0;  // no draw of its own
    if (spec.seed % 16 == 9) {  // several blocks of series a task, most of which an epoch does not touch
      spec.series = 120;
      spec.days = 6;
      spec.orders_a_day *= 2;
    }
    // Who comes back from idle is judged by the task's watermark, which a plain recomputation does not know: so then
    // nothing is late by more than the bound.
    if (!backlog_ && Chance(3)) {
      spec.idle_timeout = milliseconds(200);
      spec.late = false;
      spec.grouped = false;
    }
    return spec;
  }

  template <typename... Args>
  void Tell(fmt::format_string<Args...> format, Args&&... args) {
    if (options_.trace)
      fmt::print("{:>9.3f} s  {}\n", static_cast<double>(clock_.Now().us - ShopStart().us) / 1e6,
                 fmt::format(format, std::forward<Args>(args)...));
  }
  void FailWith(std::string text) {
    if (result_.failure.empty()) result_.failure = std::move(text);
    Tell("FAILED: {}", result_.failure);
  }

  void FeedMore(size_t count) {
    const size_t end = std::min(shop_.records.size(), fed_ + count);
    for (; fed_ < end; ++fed_) {
      const OutputRecord& record = shop_.records[fed_];
      if (held_ && record.topic == held_->topic && PartitionOf(record.key, shop_.spec.partitions) == held_->partition) {
        TC_CHECK(broker_.AddRecord(foreigner_, record).ok());
      } else {
        broker_.Feed({record});
      }
    }
  }

  /// Another producer writes to an input in a transaction, and keeps it open: what lies behind is hidden from readers.
  void HoldAnInput() {
    if (held_ || backlog_) return;
    held_ = TopicPartition{Chance(2) ? "shop.orders" : "shop.clicks",
                           static_cast<int32_t>(Below(static_cast<uint64_t>(shop_.spec.partitions)))};
    held_until_ = clock_.Now() + milliseconds(200 + Below(9'000));
    foreigner_ = broker_.InitProducer(kForeigner);
    ++result_.cells[kInputBlocked];
    Tell("{}[{}] is held by an open transaction", held_->topic, held_->partition);
  }
  void ReleaseInput() {
    if (!held_) return;
    TC_CHECK(broker_.EndTransaction(foreigner_, true) == Outcome::kOk);
    held_.reset();
    Tell("the input is released");
  }

  /// Beside the instances' own steps: brokers come back, inputs are released.
  void StepWorld() {
    if (broker_.down && clock_.Now() >= broker_up_at_) {
      broker_.down = false;
      Tell("the broker is back");
    }
    if (held_ && clock_.Now() >= held_until_) ReleaseInput();
    if (!calm_ && Chance(400)) HoldAnInput();
  }

  void StartProcess(Slot& slot) {
    CountCells(slot);
    const Duration offset = slot.wire ? slot.wire->clock_offset() : Duration{};
    slot.wire = std::make_unique<ChaosWire>(broker_, clock_, "shop." + slot.id, random_(), offset);
    slot.wire->freeze = [this, &slot] { Freeze(slot); };
    if (tears_) slot.wire->clock_jump_max = seconds(8);
    if (calm_) slot.wire->Heal();
    EngineOptions options = shop_.options;
    options.instance = slot.id;
    // With the longer one, rows of closed buckets go ahead of their cut and wait there for more faults: as a close is
    // in sight, or since they would fill the epoch.
    const bool small_epochs = shop_.spec.seed % 8 == 3;
    options.commit_interval = milliseconds(shop_.spec.seed % 4 == 1 || small_epochs ? 80 : 5);
    if (small_epochs) options.epoch_bytes_max = 24 << 10;
    if (shop_.spec.series > 32) options.delta_blocks = 1;
    EngineProcess::Parts parts{broker_, clock_, *slot.wire, slot.disk, {}, nullptr};
    parts.changelog_lag = Lag();
    parts.rekey_kept = tears_ ? Lag() : milliseconds(100);
    parts.clock_offset = [wire = slot.wire.get()] { return wire->clock_offset(); };
    parts.decorate_transport = [&](std::unique_ptr<LogTransport> transport) {
      return Mutate(options_.mutant, std::move(transport), slot.disk, broker_);
    };
    slot.process = std::make_unique<EngineProcess>(options, parts);
    slot.bounded = slot.finished = false;
    Tell("{} starts", slot.id);
    const Status started = slot.process->Start();
    if (started.ok()) return;
    if (started.code() == Code::kUnavailable) return End(slot);
    if (!IsRefusal(started)) return FailWith(slot.id + " does not start: " + started.message());
    End(slot);
  }

  /// Somebody has meddled with the group or with a topic: the engine must refuse to go on, and does when all is as
  /// before.
  void Meddle() {
    if (calm_ || meddled_ || !Chance(3)) return;
    const TopicPartition source{Chance(2) ? "shop.orders" : "shop.clicks",
                                static_cast<int32_t>(Below(static_cast<uint64_t>(shop_.spec.partitions)))};
    const Result<Position> position = broker_.StablePosition(source);
    // Every task must know its inputs already, or it would take the new topic for the only one.
    for (int32_t p = 0; p < shop_.spec.partitions; ++p) {
      if (!broker_.CommittedPosition({source.topic, p})) return;
    }
    was_meddled_ = true;
    if (Chance(2)) {
      meddled_ = kTopicRecreated;
      meddled_topic_ = source.topic;
      broker_.SwapId(source.topic);
    } else {
      if (!position.ok() || position->next_offset <= 0) return;
      meddled_ = kGroupReset;
      meddled_position_ = *position;
      broker_.SetPosition(source, position->next_offset - 1);
    }
    Tell("{}: {}", meddled_, source.topic);
  }
  void Unmeddle() {
    if (!meddled_) return;
    if (meddled_ == std::string_view(kTopicRecreated)) {
      broker_.SwapId(meddled_topic_);
    } else if (const Position* const now = broker_.FindPosition(meddled_position_.source); now->note.empty()) {
      broker_.RestorePosition(meddled_position_);
    }
    meddled_ = nullptr;
  }
  bool IsRefusal(const Status& status) {
    if (status.code() != Code::kConfig || !was_meddled_) return false;
    if (meddled_) ++result_.cells[meddled_];
    Unmeddle();
    return true;
  }
  Duration Lag() const { return tears_ ? seconds(90) : seconds(12); }
  /// Its clock is so far behind that what compaction took looks too young for that: it stops at what it takes for a
  /// gap.
  bool ClockMisleads(const Slot& slot) const { return slot.wire->clock_offset() < -Lag() / 2; }
  /// Ends that are right where their faults were set off.
  bool IsExpectedEnd(Slot& slot, const Status& status) {
    if (status.code() == Code::kCorruption && slot.disk_is_bad) {
      slot.disk->Wipe();  // what an operator does about a bad disk
      slot.disk_is_bad = false;
      return true;
    }
    if (status.code() == Code::kCorruption && (torn_ || ClockMisleads(slot)) &&
        status.message().find("gap") != std::string::npos) {
      result_.stopped = status.message();
      return true;
    }
    return status.code() == Code::kFenced || status.code() == Code::kNoSpace || IsRefusal(status);
  }

  void CountCells(const Slot& slot) {
    if (!slot.wire) return;
    for (const auto& [cell, count] : slot.wire->TakeCells()) result_.cells[cell] += count;
    torn_ |= slot.wire->torn();
  }

  void End(Slot& slot) {
    if (slot.process) result_.commits += static_cast<int64_t>(slot.process->instance().committed_epochs());
    slot.process.reset();
    slot.starts_at = clock_.Now() + (Chance(3) ? Duration(seconds(3 + Below(6))) : Duration(milliseconds(Below(300))));
    slot.paused_until = {};
    ++result_.restarts;
    Meddle();
  }

  void CountIdle(Slot& slot) {
    int idle = 0;
    for (const auto& task : slot.process->instance().tasks()) idle += task->idle() ? 1 : 0;
    if (idle > slot.idle_tasks) result_.cells[kInputIdle] += idle - slot.idle_tasks;
    slot.idle_tasks = idle;
  }

  /// False once the process is gone.
  bool StepProcess(Slot& slot) {
    ++result_.steps;
    bool alive = true;
    try {
      const auto progress = slot.process->Step();
      if (!progress.ok()) {
        Tell("{} ends: {}", slot.id, progress.status().message());
        torn_ |= slot.wire->torn();
        slot.disk_is_bad |= slot.wire->disk_was_bad();
        if (!IsExpectedEnd(slot, progress.status())) FailWith(slot.id + " gave up: " + progress.status().message());
        alive = false;
      } else if (*progress == Instance::Progress::kFinished) {
        slot.finished = true;
        Tell("{} is finished, with {} tasks", slot.id, slot.process->instance().tasks().size());
      } else if (*progress == Instance::Progress::kWorked) {
        worked_ = true;
      }
    } catch (const ProcessDeath&) {
      alive = false;
    }
    for (const std::string& note : slot.process->instance().TakeNotes()) Tell("{} says: {}", slot.id, note);
    const std::optional<Fault> fired = slot.wire->TakeFired();
    if (fired) Tell("{}: {}", slot.id, FaultName(*fired));
    if (fired == Fault::kBrokerKilled) broker_up_at_ = clock_.Now() + milliseconds(100 + Below(9'000));
    torn_ |= slot.wire->torn();
    if (alive && !torn_) {
      for (const std::string& alarm : slot.process->instance().alarms()) {
        if (alarm.starts_with("gap") && ClockMisleads(slot)) {
          result_.stopped = alarm;
        } else if (alarm.starts_with("torn") || alarm.starts_with("gap")) {
          FailWith("a false alarm: " + alarm);
        }
      }
    }
    if (torn_ && alive && slot.process->metrics().Value("tidecast_tasks_stopped") > 0)
      result_.stopped = slot.process->instance().alarms().front();
    if (!alive) {
      if (fired == Fault::kCrashDiskLost) slot.disk->Wipe();
      if (fired == Fault::kCrashTailLost) slot.disk->LoseTail(1 + Below(6));
      End(slot);
      return false;
    }

    CountIdle(slot);
    if (fired == Fault::kZombie) {
      auto zombie = std::make_unique<Slot>(std::move(slot));
      slot.id = zombie->id;
      slot.disk = Chance(2) ? std::make_shared<Disk>() : zombie->disk->Copy();
      slot.wire.reset();
      slot.process.reset();
      slot.starts_at = clock_.Now() + milliseconds(Below(500));
      slot.bounded = slot.finished = false;
      zombie->paused_until = slot.starts_at + milliseconds(1 + Below(9'000));
      zombie->wire->Heal();
      zombies_.push_back(std::move(zombie));
      return false;
    }
    return true;
  }

  /// A tear must be found while nothing of it can have been thinned (min.compaction.lag.ms, and clocks that agree about
  /// it): so schedules either tear transactions or have a short lag and clocks that jump by an hour.
  static bool Tears(Fault fault) {
    return fault == Fault::kTornCommit || fault == Fault::kTornAbort || fault == Fault::kDoubled;
  }

  void ArmSomething(Slot& slot) {
    static const std::vector<std::pair<Site, Fault>> kCells = AllCells();
    auto [site, fault] = kCells[Below(kCells.size())];
    while (Tears(fault) != tears_ && (Tears(fault) || Chance(2))) std::tie(site, fault) = kCells[Below(kCells.size())];
    const bool is_row = site == Site::kOutput || site == Site::kChangelogRow;
    const int nth = 1 + static_cast<int>(Below(is_row ? 60 : 4));
    const bool is_left_out = armed_ < 64 && (options_.without >> armed_ & 1) != 0;
    ++armed_;
    if (is_left_out) return;
    slot.wire->Arm(site, fault, nth);
    Tell("{} is armed: {} x {}", slot.id, SiteName(site), FaultName(fault));
  }

  /// The process stands still in the middle of its step; the others go on.
  void Freeze(Slot& slot) {
    if (frozen_ != nullptr) return;
    frozen_ = &slot;
    const ProcessingTime thaws = clock_.Now() + milliseconds(500 + Below(14'000));
    Tell("{} stands still", slot.id);
    while (clock_.Now() < thaws && goes_on()) {
      clock_.Advance(milliseconds(Below(60)));
      StepWorld();
      StepSomebody();
    }
    Tell("{} goes on", slot.id);
    frozen_ = nullptr;
  }

  bool AllRun() const {
    return std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
      return slot.process && (slot.bounded || slot.process->instance().running());
    });
  }
  void SetEnd(Slot& slot) {
    if (slot.bounded || !slot.process->instance().running()) return;
    slot.bounded = true;
    if (const Status bounded = slot.process->instance().FinishAtEnd(); !bounded.ok())
      FailWith(slot.id + " cannot finish: " + bounded.message());
  }

  void StepSomebody() {
    const size_t pick = Below(slots_.size() + zombies_.size());
    const bool is_zombie = pick >= slots_.size();
    Slot& slot = is_zombie ? *zombies_[pick - slots_.size()] : slots_[pick];
    if (&slot == frozen_) return;
    if (!slot.process) {
      if (!is_zombie && clock_.Now() >= slot.starts_at) StartProcess(slot);
      return;
    }
    if (clock_.Now() < slot.paused_until || slot.finished) return;
    if (!is_zombie && !calm_ && !slot.wire->armed() && armed_ < faults_max_ && Chance(8)) ArmSomething(slot);
    // With everything in the log from the start, the end is known from the start, as in the undisturbed run.
    // Else not before all have come: who finishes leaves its place to nobody until its session is over.
    if (!is_zombie && (calm_ ? AllRun() : backlog_ && instances_ == 1)) SetEnd(slot);
    if (StepProcess(slot) || !is_zombie) return;
    CountCells(slot);
    zombies_.erase(zombies_.begin() + static_cast<std::ptrdiff_t>(pick - slots_.size()));
  }

  void RunWild() {
    for (int step = 0; step < kWildStepsMax && goes_on(); ++step) {
      clock_.Advance(Chance(80) ? Duration(milliseconds(Below(3'000))) : Duration(milliseconds(Below(6))));
      if (fed_ < shop_.records.size() && Chance(3)) FeedMore(1 + Below(12));
      StepWorld();
      StepSomebody();
      const bool waits =
          std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.wire && slot.wire->armed(); });
      if (armed_ >= faults_max_ && !waits) return;
      if (fed_ == shop_.records.size() && !worked_ && ++idle_steps_ > 300) return;
      if (worked_) idle_steps_ = 0;
      worked_ = false;
    }
  }

  void RunCalm() {
    Tell("calm");
    calm_ = true;
    broker_.down = false;
    Unmeddle();
    ReleaseInput();
    FeedMore(shop_.records.size());
    for (Slot& slot : slots_) {
      if (slot.wire) slot.wire->Heal();
      slot.paused_until = {};
    }
    int idle = 0;
    for (int step = 0; step < kCalmStepsMax && goes_on(); ++step) {
      clock_.Advance(idle > 40 ? Duration(milliseconds(500)) : Duration(milliseconds(2)));
      worked_ = false;
      StepWorld();
      StepSomebody();
      idle = worked_ ? 0 : idle + 1;
      bool all = std::all_of(zombies_.begin(), zombies_.end(), [](const auto& zombie) { return zombie->finished; });
      for (const Slot& slot : slots_) {
        all &= slot.process && slot.finished;
      }
      if (all) return;
    }
    if (goes_on()) FailWith("the instances do not come to their end: " + Standing());
  }

  std::string Standing() {
    std::string text = fmt::format("{} zombies", zombies_.size());
    for (Slot& slot : slots_) {
      if (!slot.process) {
        text += fmt::format("; {} is dead", slot.id);
        continue;
      }
      Instance& instance = slot.process->instance();
      text += fmt::format("; {} is {}{}", slot.id, instance.Look().state, slot.bounded ? ", bounded" : "");
      for (const auto& task : instance.tasks()) {
        text += fmt::format(", task {}/{}: watermark {}, closed up to {}{}{}", static_cast<int>(task->id().stage),
                            task->id().partition, task->watermark().us, task->closed_up_to().us,
                            task->ended() ? ", ended" : "", task->drained() ? ", drained" : "");
        for (size_t s = 0; s < task->source_count(); ++s) text += fmt::format(" {}", task->position(s).next_offset);
      }
    }
    return text;
  }

  void Judge() {
    std::map<uint16_t, EventCounts> counts;
    for (const Slot& slot : slots_) {
      result_.commits += static_cast<int64_t>(slot.process->instance().committed_epochs());
      for (const auto& task : slot.process->instance().tasks()) {
        if (task->id().stage != Stage::kSeries) continue;
        EventCounts& of = counts[task->id().partition];
        if (task->counts().events_read >= of.events_read) of = task->counts();
      }
    }
    if (std::string wrong = CheckOutputs(shop_, broker_, torn_); !wrong.empty()) return FailWith(std::move(wrong));
    EventCounts sum;
    for (const auto& [partition, of] : counts) sum += of;
    const ShopTruth truth = ComputeTruth(shop_);
    CountInput(truth);
    if (sum.events_read != truth.read || sum.events_accepted != truth.accepted || sum.duplicates != truth.duplicates) {
      return FailWith(fmt::format("the counts say {} read, {} accepted, {} duplicates; there were {}, {}, {}",
                                  sum.events_read, sum.events_accepted, sum.duplicates, truth.read, truth.accepted,
                                  truth.duplicates));
    }
    if (instances_ > 1) return;
    std::vector<uint16_t> partitions;
    for (const auto& [partition, of] : counts) partitions.push_back(partition);
    if (torn_) return;  // what was torn last may not have been seen yet; failure_table_test.cc waits for it
    if (std::string wrong = CheckChangelog(broker_, clock_, *slots_[0].disk, slots_[0].id, partitions); !wrong.empty())
      return FailWith(std::move(wrong));
    if (backlog_) CompareWithUndisturbed();
  }

  /// What the instances had to cope with in the input itself.
  void CountInput(const ShopTruth& truth) {
    result_.cells[kInputLate] += static_cast<int64_t>(truth.late.size());
    result_.cells[kInputDoubled] += truth.duplicates;
    result_.cells[kInputUndecodable] += static_cast<int64_t>(truth.dead.size());
    std::map<std::string, std::string> newest;
    std::vector<size_t> sizes(static_cast<size_t>(shop_.spec.partitions));
    for (const OutputRecord& record : shop_.records) {
      const auto partition = static_cast<size_t>(PartitionOf(record.key, shop_.spec.partitions));
      ++sizes[partition];
      const size_t at = record.value->find("\"ts\":");
      if (at == std::string::npos) continue;
      const std::string time = record.value->substr(at + 5, 10);
      std::string& before = newest[fmt::format("{}/{}", record.topic, partition)];
      if (time < before) ++result_.cells[kInputReordered];
      before = std::max(before, time);
    }
    const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
    if (*most > 2 * *least) ++result_.cells[kInputUnequal];
  }

  void CompareWithUndisturbed() {
    ManualClock clock{ProcessingTime{ShopStart().us}};
    SimulatedBroker broker(clock);
    CreateInputTopics(shop_, broker);
    broker.Feed(shop_.records);
    Wire wire;
    EngineOptions options = shop_.options;
    options.instance = slots_[0].id;
    EngineProcess engine(options, {broker, clock, wire, std::make_shared<Disk>(), {}, nullptr});
    TC_CHECK(engine.Start().ok());
    bool bounded = false;
    for (;;) {
      clock.Advance(milliseconds(2));
      if (!bounded && engine.instance().running()) {
        bounded = true;
        TC_CHECK(engine.instance().FinishAtEnd().ok());
      }
      const auto progress = engine.Step();
      TC_CHECK(progress.ok(), "{}", progress.status().message());
      if (*progress == Instance::Progress::kFinished) break;
    }
    const std::vector<std::string> expected = ForecastsAndAlerts(broker);
    const std::vector<std::string> found = ForecastsAndAlerts(broker_);
    for (size_t i = 0; i < std::max(expected.size(), found.size()); ++i) {
      const std::string a = i < expected.size() ? expected[i] : "nothing";
      const std::string b = i < found.size() ? found[i] : "nothing";
      if (a != b)
        return FailWith(fmt::format(
            "forecasts differ from those of an undisturbed run ({} of {}):\n  undisturbed {}\n  this run    {}", i,
            expected.size(), a, b));
    }
  }

  std::mt19937_64 random_;
  const ScheduleOptions options_;
  ScheduleResult result_;
  int instances_ = 1;
  bool backlog_ = false;
  int faults_max_ = 3;
  bool tears_ = false;
  const Shop shop_;
  ManualClock clock_;
  SimulatedBroker broker_;
  std::vector<Slot> slots_;
  std::vector<std::unique_ptr<Slot>> zombies_;
  size_t fed_ = 0;
  Slot* frozen_ = nullptr;
  int armed_ = 0;
  int idle_steps_ = 0;
  bool worked_ = false;
  bool calm_ = false;
  bool torn_ = false;  ///< a transaction was torn
  ProcessingTime broker_up_at_;
  std::optional<TopicPartition> held_;
  ProcessingTime held_until_;
  ProducerLife foreigner_;
  const char* meddled_ = nullptr;
  bool was_meddled_ = false;
  std::string meddled_topic_;
  Position meddled_position_;
};

}  // namespace

ScheduleResult RunSchedule(const ScheduleOptions& options) { return Schedule(options).Run(); }

ScheduleOptions Minimise(ScheduleOptions failing) {
  failing.trace = false;
  const auto still_fails = [](const ScheduleOptions& options) { return !RunSchedule(options).failure.empty(); };
  const ScheduleResult first = RunSchedule(failing);
  for (int fault = 0; fault < std::min(first.planned_faults, 64); ++fault) {
    ScheduleOptions fewer = failing;
    fewer.without |= uint64_t{1} << fault;
    if (still_fails(fewer)) failing = fewer;
  }
  size_t records = std::min(first.records, failing.records);
  for (size_t step = records / 2; step > 0; step /= 2) {
    ScheduleOptions shorter = failing;
    shorter.records = records - step;
    if (!still_fails(shorter)) continue;
    failing = shorter;
    records = shorter.records;
  }
  return failing;
}

std::vector<std::string> WantedCells() {
  std::vector<std::string> cells = {kGroupReset,   kTopicRecreated,   kInputBlocked,   kInputIdle,   kInputLate,
                                    kInputDoubled, kInputUndecodable, kInputReordered, kInputUnequal};
  for (const auto& [site, fault] : AllCells()) cells.push_back(CellName(site, fault));
  return cells;
}

}  // namespace tidecast::simulation
