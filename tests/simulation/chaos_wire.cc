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
    case Fault::kFenced:
      return "fenced";
    case Fault::kZombie:
      return "zombie";
    case Fault::kRebalance:
      return "rebalance";
    case Fault::kPaused:
      return "paused";
    case Fault::kCount_:
      break;
  }
  return "unknown";
}

bool ChaosWire::Due(Site site) {
  if (!armed_ || armed_->first != site || --left_ > 0) return false;
  return true;
}

void ChaosWire::Count(Site site, Fault fault) {
  ++cells_[fmt::format("{} x {}{}", SiteName(site), FaultName(fault),
                       broker_.group().stable() ? "" : " (in a rebalance)")];
}

void ChaosWire::Reach(Site site) {
  if (!Due(site)) return;
  const Fault fault = armed_->second;
  armed_.reset();
  Count(site, fault);
  switch (fault) {
    case Fault::kCrash:
    case Fault::kCrashDiskLost:
    case Fault::kCrashTailLost:
      fired_ = fault;
      throw ProcessDeath();
    case Fault::kZombie:
      fired_ = fault;
      return;
    case Fault::kPaused:
      if (freeze) freeze();
      return;
    case Fault::kFenced:
      broker_.InitProducer(transactional_id_);
      return;
    case Fault::kRebalance:
      broker_.group().Rebalance();
      return;
    default:
      pending_outcome_ = fault;
  }
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
    default:
      return fate;
  }
}

Outcome ChaosWire::OnPositions() {
  const std::optional<Fault> fault = std::exchange(pending_outcome_, std::nullopt);
  if (!fault) return Outcome::kOk;
  return *fault == Fault::kFatal ? Outcome::kFatal : Outcome::kAbortable;
}

size_t ChaosWire::Fetched(const TopicPartition&, size_t records_max) {
  if (calm_) return records_max;
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
