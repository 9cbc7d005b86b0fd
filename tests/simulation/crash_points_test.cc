// Every step of a commit x every kind of failure x with and without a rebalance in flight (EXACTLY_ONCE.md 5.3), one
// test each, none left out: after each the outputs, the counts and the state are those of a plain recomputation.
#include <gtest/gtest.h>

#include <tuple>

#include "tests/simulation/lab.h"

namespace tidecast::simulation {
namespace {

using std::chrono::milliseconds;

struct Step {
  const char* name;
  Site site;
};
// 0 to 6 of EXACTLY_ONCE.md 1, before and after where a step has two sides.
constexpr Step kSteps[] = {{"0_cut", Site::kBegin},
                           {"1_output", Site::kOutput},
                           {"2_changelog", Site::kChangelogRow},
                           {"3_positions", Site::kPositions},
                           {"4_commit", Site::kCommit},
                           {"4_committed", Site::kCommitted},
                           {"5_state_write", Site::kStateWrite},
                           {"5_state_written", Site::kStateWritten},
                           {"6_read_back", Site::kRestore}};

enum class Failure : uint8_t { kDeath, kAbort, kTimeout, kFence, kPowerLoss };
struct Kind {
  const char* name;
  Failure failure;
};
constexpr Kind kKinds[] = {{"death", Failure::kDeath},
                           {"abort", Failure::kAbort},
                           {"timeout", Failure::kTimeout},
                           {"fence", Failure::kFence},
                           {"power_loss", Failure::kPowerLoss}};

class CrashPoint {
 public:
  CrashPoint(const Step& step, Failure failure, bool rebalance, int nth)
      : step_(step),
        failure_(failure),
        rebalance_(rebalance),
        nth_(nth),
        lab_({.seed = 21, .partitions = 2, .series = 4, .days = 14, .orders_a_day = 20}),
        one_(lab_.Add("i2")) {}

  /// Empty when all is well.
  std::string Run() {
    lab_.Feed(120);
    lab_.Start(one_);
    Machine* two = nullptr;
    if (rebalance_) {
      two = &lab_.Add("i4");
      lab_.Start(*two);
      if (!lab_.Run([&] { return Runs(one_) && Runs(*two); })) return "the group does not settle";
    }
    if (!lab_.Commit(one_, 2)) return "nothing is committed before the failure";
    bool met = false;
    one_.wire->At(step_.site, nth_, [&] {
      met = true;
      if (rebalance_) lab_.broker.group().Rebalance();
      Strike();
    });
    for (int waited = 0; !met && one_.alive(); ++waited) {
      if (waited > 200) return "the step is never reached";
      lab_.Feed(15);
      lab_.RunFor(milliseconds(60));
    }
    if (!one_.ended.ok()) return "the process gave up: " + one_.ended.message();
    const bool dies = failure_ == Failure::kDeath || failure_ == Failure::kPowerLoss;
    if (dies != !one_.alive()) return dies ? "the process did not die" : "the process died";
    if (dies) {
      if (failure_ == Failure::kPowerLoss) one_.disk->LoseTail(3);
      lab_.RunFor(milliseconds(40));
      lab_.Start(one_);
    }
    if (!lab_.Finish()) return "the end of the input is not reached";
    for (const auto& machine : lab_.machines) {
      if (!machine->alive()) return machine->id + " gave up: " + machine->ended.message();
      if (const auto alarms = lab_.alarms(*machine); !alarms.empty()) return "a false alarm: " + alarms.front();
    }
    if (!dies && Failures() == 0) return "no epoch has failed: the failure had no effect";
    if (std::string wrong = lab_.Judge(); !wrong.empty()) return wrong;
    return rebalance_ ? "" : lab_.JudgeChangelog(one_);
  }

 private:
  static bool Runs(const Machine& machine) { return machine.alive() && machine.process->instance().running(); }

  double Failures() const {
    double sum = 0;
    for (const char* outcome : {"aborted", "unknown", "fatal"})
      sum += one_.process->metrics().Value("tidecast_epoch_failures_total", {{"outcome", outcome}});
    return sum;
  }

  void Strike() {
    switch (failure_) {
      case Failure::kDeath:
      case Failure::kPowerLoss:
        throw ProcessDeath();
      case Failure::kAbort:
        // The coordinator gives the transaction up: whatever comes next of it must be aborted.
        lab_.broker.ExpireNow("shop.i2");
        one_.wire->positions = Outcome::kAbortable;
        return;
      case Failure::kTimeout:
        // Nobody hears what becomes of the commit; half of the times it happens.
        if (step_.site == Site::kCommitted) {
          one_.wire->answer = Outcome::kUnknown;
        } else {
          one_.wire->fate = CommitFate{.told = Outcome::kUnknown, .happens = nth_ % 2 == 1, .delay = milliseconds(300)};
        }
        return;
      case Failure::kFence:
        lab_.broker.InitProducer("shop.i2");
        return;
    }
  }

  const Step step_;
  const Failure failure_;
  const bool rebalance_;
  const int nth_;
  Lab lab_;
  Machine& one_;
};

class CrashPoints : public ::testing::TestWithParam<std::tuple<Step, Kind, bool>> {};

TEST_P(CrashPoints, LoseNothingAndDoubleNothing) {
  const auto& [step, kind, rebalance] = GetParam();
  for (const int nth : {1, 2})
    EXPECT_EQ(CrashPoint(step, kind.failure, rebalance, nth).Run(), "") << "when it is reached for time " << nth;
}

std::string NameOf(const ::testing::TestParamInfo<CrashPoints::ParamType>& info) {
  return fmt::format("at_{}_{}{}", std::get<0>(info.param).name, std::get<1>(info.param).name,
                     std::get<2>(info.param) ? "_in_a_rebalance" : "");
}

INSTANTIATE_TEST_SUITE_P(OfACommit, CrashPoints,
                         ::testing::Combine(::testing::ValuesIn(kSteps), ::testing::ValuesIn(kKinds),
                                            ::testing::Bool()),
                         NameOf);

}  // namespace
}  // namespace tidecast::simulation
