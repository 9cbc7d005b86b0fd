// Rows go ahead of their cut where they would fill the epoch: it goes on for its interval, and a crash amid it repeats
// none. State that fills it cuts it.
#include <gtest/gtest.h>

#include "tests/simulation/lab.h"

namespace tidecast::simulation {
namespace {

using std::chrono::seconds;

class RowsAhead : public ::testing::Test {
 protected:
  void Start(bool model) {
    lab_.commit_interval = seconds(1);
    lab_.adjust = [model](EngineOptions& options) {
      options.epoch_bytes_max = 512 << 10;
      options.model_enabled = model;
      if (!model) options.inputs[0].dedupe.reset();
    };
    one_.wire->fetched_max = 500;
    lab_.Start(one_);
    TC_CHECK(lab_.Run([&] { return one_.process->instance().running(); }));
  }

  Lab lab_{{.partitions = 2, .series = 400, .days = 30, .orders_a_day = 800}};
  Machine& one_ = lab_.Add("i2");
};

TEST_F(RowsAhead, AnEpochFullOfRowsLastsForItsInterval) {
  Start(false);
  const Epoch before = one_.process->instance().committed_epochs();
  const ProcessingTime began = lab_.clock.Now();
  ASSERT_TRUE(lab_.Finish()) << one_.ended.message();
  const auto intervals = static_cast<Epoch>((lab_.clock.Now() - began) / lab_.commit_interval);
  EXPECT_LE(one_.process->instance().committed_epochs() - before, intervals + 8);
}

TEST_F(RowsAhead, AnEpochFullOfStateIsCut) {
  Start(false);
  lab_.commit_interval = seconds(100'000);
  lab_.adjust = [](EngineOptions& options) {
    options.epoch_bytes_max = 4 << 10;
    options.model_enabled = false;
    options.inputs[0].dedupe.reset();
  };
  one_.wire->fetched_max = 10;
  lab_.Kill(one_);
  lab_.Start(one_);
  lab_.Feed(600);  // of the first day, which does not close
  EXPECT_TRUE(lab_.Run([&] { return one_.process->instance().committed_epochs() >= 5; }))
      << one_.process->instance().committed_epochs();
}

TEST_F(RowsAhead, ACrashWhileTheyAreAheadRepeatsNone) {
  Start(true);
  lab_.FeedAll();
  one_.wire->At(Site::kOutput, 9'000, [] { throw ProcessDeath(); });
  ASSERT_TRUE(lab_.Run([&] { return !one_.alive(); }));
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Finish()) << one_.ended.message();
  EXPECT_EQ(lab_.Judge(), "");
}

}  // namespace
}  // namespace tidecast::simulation
