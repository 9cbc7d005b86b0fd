#include "tests/simulation/chaos_wire.h"

namespace tidecast::simulation {

std::string_view FaultName(Fault fault) {
  switch (fault) {
    case Fault::kCrash:
      return "crash";
    case Fault::kCrashDiskLost:
      return "crash, disk lost";
    case Fault::kCrashTailLost:
      return "crash, tail lost";
    case Fault::kPaused:
      return "paused";
    case Fault::kIsolated:
      return "isolated";
    case Fault::kBrokerKilled:
      return "broker killed";
    case Fault::kCoordinatorMoves:
      return "coordinator moves";
    case Fault::kExpired:
      return "expired";
    case Fault::kFenced:
      return "fenced";
    case Fault::kZombie:
      return "zombie";
    case Fault::kRebalance:
      return "rebalance";
    case Fault::kTornCommit:
      return "torn, committed";
    case Fault::kTornAbort:
      return "torn, aborted";
    case Fault::kOrphans:
      return "orphans";
    case Fault::kOrphansAlive:
      return "orphans, alive";
    case Fault::kCompaction:
      return "compaction";
    case Fault::kClockJump:
      return "clock jump";
    case Fault::kDiskFull:
      return "disk full";
    case Fault::kCorruptedBlock:
      return "corrupted block";
    case Fault::kSlowFetch:
      return "slow fetch";
    case Fault::kAbortable:
      return "abort";
    case Fault::kFatal:
      return "fatal";
    case Fault::kUnknownHappened:
      return "unknown, happened";
    case Fault::kUnknownLost:
      return "unknown, lost";
    case Fault::kUnknownLate:
      return "unknown, late";
    case Fault::kSlow:
      return "slow";
    case Fault::kSlowThere:
      return "slow on its way";
    case Fault::kDoubled:
      return "doubled";
    case Fault::kCount_:
      break;
  }
  return "unknown";
}

std::vector<std::pair<Site, Fault>> AllCells() {
  std::vector<std::pair<Site, Fault>> cells;
  for (int s = 0; s < static_cast<int>(Site::kCount_); ++s) {
    const auto site = static_cast<Site>(s);
    const bool is_sending =
        site == Site::kOutput || site == Site::kChangelogRow || site == Site::kPositions || site == Site::kCommit;
    for (int f = 0; f < static_cast<int>(Fault::kCount_); ++f) {
      const auto fault = static_cast<Fault>(f);
      switch (fault) {
        case Fault::kExpired:
        case Fault::kTornCommit:
          if (is_sending) break;  // nothing to expire or to tear elsewhere
          continue;
        case Fault::kTornAbort:
          if (is_sending && site != Site::kOutput) break;
          continue;
        case Fault::kOrphans:
        case Fault::kOrphansAlive:
          if (site == Site::kChangelogRow) break;
          continue;
        case Fault::kAbortable:
        case Fault::kFatal:
          if (site == Site::kPositions || site == Site::kCommit) break;
          continue;
        case Fault::kUnknownHappened:
        case Fault::kUnknownLost:
        case Fault::kUnknownLate:
        case Fault::kSlow:
        case Fault::kSlowThere:
        case Fault::kDoubled:
          if (site == Site::kCommit) break;
          continue;
        default:
          break;
      }
      cells.emplace_back(site, fault);
    }
  }
  return cells;
}

std::string CellName(Site site, Fault fault) { return fmt::format("{} x {}", SiteName(site), FaultName(fault)); }

bool ChaosWire::Due(Site site) {
  if (!armed_ || armed_->first != site || --left_ > 0) return false;
  return true;
}

void ChaosWire::Count(Site site, Fault fault) {
  ++cells_[CellName(site, fault)];
  if (!broker_.group().stable()) ++cells_[CellName(site, fault) + " (in a rebalance)"];
}

void ChaosWire::Reach(Site site) {
  if (!Due(site)) return;
  const Fault fault = armed_->second;
  armed_.reset();
  Count(site, fault);
  using std::chrono::milliseconds;
  switch (fault) {
    case Fault::kCrash:
    case Fault::kCrashDiskLost:
    case Fault::kCrashTailLost:
      fired_ = fault;
      throw ProcessDeath();
    case Fault::kZombie:
    case Fault::kBrokerKilled:
      fired_ = fault;
      if (fault == Fault::kBrokerKilled) broker_.down = true;
      return;
    case Fault::kPaused:
      if (freeze) freeze();
      return;
    case Fault::kIsolated:
      isolated_until_ = clock_.Now() + milliseconds(100 + random_() % 14'000);
      return;
    case Fault::kCoordinatorMoves:
      coordinator_back_ = clock_.Now() + milliseconds(50 + random_() % 4'000);
      return;
    case Fault::kExpired:
      broker_.ExpireNow(transactional_id_);
      return;
    case Fault::kFenced:
      broker_.InitProducer(transactional_id_);
      return;
    case Fault::kRebalance:
      broker_.group().Rebalance();
      return;
    case Fault::kTornCommit:
      torn_ = true;
      broker_.TearTransaction(
          transactional_id_, true, [](const std::string&) { return true; }, true);
      return;
    case Fault::kTornAbort:
      torn_ = true;
      broker_.TearTransaction(
          transactional_id_, false, [](const std::string& topic) { return topic == "shop.changelog.series"; }, false);
      return;
    case Fault::kOrphans:
      broker_.MakeOrphans(transactional_id_);
      fired_ = Fault::kCrash;
      throw ProcessDeath();
    case Fault::kOrphansAlive:
      broker_.MakeOrphans(transactional_id_);
      pending_outcome_ = Fault::kAbortable;
      return;
    case Fault::kCompaction:
      broker_.Compact("shop.changelog.series");
      broker_.Compact("shop.changelog.model");
      broker_.Compact("shop.activity");
      return;
    case Fault::kClockJump:
      clock_offset_ += Duration(static_cast<int64_t>(random_() % static_cast<uint64_t>(2 * clock_jump_max.count()))) -
                       clock_jump_max;
      return;
    case Fault::kDiskFull:
      disk_is_full_ = true;
      return;
    case Fault::kCorruptedBlock:
      disk_is_bad_ = true;
      return;
    case Fault::kSlowFetch:
      slow_until_ = clock_.Now() + milliseconds(500 + random_() % 10'000);
      slow_partition_ = static_cast<int32_t>(random_() % 4);
      return;
    default:
      pending_outcome_ = fault;
  }
}

Status ChaosWire::OnDiskWrite() {
  if (!std::exchange(disk_is_full_, false)) return Status::Ok();
  return Status(Code::kNoSpace, "simulated: the disk is full", Domain::kExternal);
}

Status ChaosWire::OnDiskRead() {
  if (!disk_is_bad_) return Status::Ok();
  disk_was_bad_ = true;
  return Status(Code::kCorruption, "simulated: a block is corrupted", Domain::kExternal);
}

CommitFate ChaosWire::OnCommit() {
  using std::chrono::milliseconds;
  CommitFate fate;
  fate.delay = Chance(3) ? milliseconds(random_() % 40) : milliseconds(0);
  const std::optional<Fault> fault = std::exchange(pending_outcome_, std::nullopt);
  if (!fault) return fate;
  switch (*fault) {
    case Fault::kAbortable:
      return {.told = Outcome::kAbortable, .happens = false, .delay = fate.delay};
    case Fault::kFatal:
      return {.told = Outcome::kFatal, .happens = false, .delay = fate.delay};
    case Fault::kUnknownHappened:
      return {.told = Outcome::kUnknown, .happens = true, .delay = fate.delay};
    case Fault::kUnknownLost:
      return {.told = Outcome::kUnknown, .happens = false, .delay = fate.delay};
    case Fault::kUnknownLate:
      return {.told = Outcome::kUnknown,
              .happens = true,
              .delay = fate.delay,
              .end_delay = milliseconds(1 + random_() % 2000)};
    case Fault::kSlow:
      return {.delay = milliseconds(1000 + random_() % 9000)};
    case Fault::kSlowThere:
      return {.delay = fate.delay, .end_delay = milliseconds(200 + random_() % 9000)};
    case Fault::kDoubled:
      torn_ = true;  // where it meets the next transaction
      return {.delay = fate.delay, .again_after = milliseconds(random_() % 40)};
    default:
      return fate;
  }
}

Outcome ChaosWire::OnPositions() {
  const std::optional<Fault> fault = std::exchange(pending_outcome_, std::nullopt);
  if (!fault) return Outcome::kOk;
  return *fault == Fault::kFatal ? Outcome::kFatal : Outcome::kAbortable;
}

size_t ChaosWire::Fetched(const TopicPartition& source, size_t records_max) {
  if (calm_) return records_max;
  if (source.partition == slow_partition_ && clock_.Now() < slow_until_) return 0;
  switch (random_() % 6) {
    case 0:
      return 0;
    case 1:
      return 1 + random_() % 30;
    default:
      return 1 + random_() % 8;
  }
}

}  // namespace tidecast::simulation
