// Each row of the table of failures (EXACTLY_ONCE.md 1) is a test here, deterministic, with the whole engine on a
// simulated Kafka: the failure is set off at its place, the run goes on to the end of the input, and outputs, counts
// and state are those of a plain recomputation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/core/hash.h"
#include "engine/runtime/changelog_notes.h"
#include "engine/runtime/owed_rows.h"
#include "tests/simulation/lab.h"

namespace tidecast::simulation {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::HasSubstr;

ShopSpec Small() { return {.seed = 11, .partitions = 2, .series = 5, .days = 40, .orders_a_day = 50}; }

bool IsChangelog(const std::string& topic) { return topic.find(".changelog.") != std::string::npos; }
bool IsSeriesChangelog(const std::string& topic) { return topic == "shop.changelog.series"; }
bool IsAnything(const std::string&) { return true; }

class FailureTable : public ::testing::Test {
 protected:
  FailureTable() : lab_(Small()), one_(lab_.Add("i2")) { lab_.Feed(600); }

  /// One machine is in the middle of its work.
  void Begin() {
    lab_.Feed(100);
    lab_.Start(one_);
    ASSERT_TRUE(lab_.Commit(one_, 5));
    // What a test does to the next epoch must not come in the middle of one.
    ASSERT_TRUE(lab_.Run([&] { return !one_.alive() || !one_.process->instance().committing(); }));
    ASSERT_TRUE(one_.alive());
  }
  void DieAt(Site site, int nth = 1) {
    one_.wire->At(site, nth, [] { throw ProcessDeath(); });
    ASSERT_TRUE(lab_.Run([&] { return !one_.alive(); })) << SiteName(site) << " is never reached";
    ASSERT_TRUE(one_.ended.ok()) << one_.ended.message();
  }
  uint64_t Seq(const Machine& machine, uint16_t partition) {
    return *StoredSeq(machine.disk->rows(), {Stage::kSeries, partition});
  }
  void ExpectAllIsWell(bool doubles = false) {
    ASSERT_TRUE(lab_.Finish()) << "the end of the input is not reached; " << one_.ended.message();
    ASSERT_TRUE(one_.alive()) << one_.ended.message();
    EXPECT_EQ(lab_.Judge(doubles), "");
    if (lab_.machines.size() == 1) {
      EXPECT_EQ(lab_.JudgeChangelog(one_), "");
    }
  }
  /// A machine that has lost its disk finds the same state in the changelogs, and goes on.
  void ExpectRestoresElsewhere() {
    lab_.Kill(one_);
    const std::string before = DumpRows(one_.disk->rows(), IsLocalNote);
    one_.disk->Wipe();
    lab_.Start(one_);
    ASSERT_TRUE(lab_.Run([&] { return !one_.alive() || one_.process->instance().running(); }));
    ASSERT_TRUE(one_.alive()) << one_.ended.message();
    EXPECT_EQ(DumpRows(one_.disk->rows(), IsLocalNote), before);
  }

  Lab lab_;
  Machine& one_;
};

TEST_F(FailureTable, CrashBeforeTheCommitLeavesTheOldStateAndSeeksThere) {
  for (const Site site : {Site::kBegin, Site::kOutput, Site::kChangelogRow, Site::kPositions, Site::kCommit}) {
    lab_.Start(one_);
    ASSERT_TRUE(lab_.Commit(one_, 2));
    const uint64_t seq = Seq(one_, 0);
    DieAt(site, 3);
    const uint64_t after = Seq(one_, 0);
    EXPECT_LE(after, seq + 3);
  }
  lab_.Start(one_);
  ExpectAllIsWell();
}

TEST_F(FailureTable, CrashBetweenCommitAndStateIsFoundInTheChangelog) {
  Begin();
  const uint64_t seq = Seq(one_, 0);
  DieAt(Site::kCommitted);
  EXPECT_EQ(Seq(one_, 0), seq);
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().running(); }));
  EXPECT_GT(Seq(one_, 0), seq);
  EXPECT_GT(one_.process->metrics().Value("tidecast_restore_rows_total"), 0);
  ExpectAllIsWell();
}

TEST_F(FailureTable, AbortableErrorIsRolledBackAndDoneAgain) {
  Begin();
  one_.wire->fate = CommitFate{.told = Outcome::kAbortable, .happens = false};
  ASSERT_TRUE(lab_.Commit(one_, 2));
  one_.wire->positions = Outcome::kAbortable;
  ASSERT_TRUE(lab_.Commit(one_, 2));
  EXPECT_EQ(one_.process->metrics().Value("tidecast_epoch_failures_total", {{"outcome", "aborted"}}), 2);
  ExpectAllIsWell();
}

TEST_F(FailureTable, RebalanceCommitsWhatIsUnderWayAndNoEpochSpansTwoAssignments) {
  Begin();
  const uint64_t generation = lab_.broker.group().generation();
  Machine& two = lab_.Add("i3");
  lab_.Start(two);
  ASSERT_TRUE(lab_.Run([&] { return two.process->instance().running() && one_.process->instance().running(); }));
  EXPECT_GT(lab_.broker.group().generation(), generation);
  EXPECT_EQ(one_.process->instance().tasks().size(), 1U);
  EXPECT_EQ(two.process->instance().tasks().size(), 1U);
  EXPECT_EQ(one_.process->metrics().Value("tidecast_epoch_failures_total", {{"outcome", "aborted"}}), 0)
      << "a revocation in good time must commit, not abort";
  ExpectAllIsWell();
}

TEST_F(FailureTable, RevocationPastTheDeadlineIsALossAndIsRolledBack) {
  Begin();
  Machine& two = lab_.Add("i3");
  one_.wire->fate = CommitFate{.delay = seconds(30)};  // the answer takes longer than the rebalance may
  lab_.Start(two);
  ASSERT_TRUE(lab_.Run([&] { return two.process->instance().running(); }));
  ExpectAllIsWell();
}

TEST_F(FailureTable, LostPartitionsAreRolledBack) {
  Begin();
  Machine& two = lab_.Add("i3");
  lab_.Start(two);
  ASSERT_TRUE(lab_.Run([&] { return two.process->instance().running() && one_.process->instance().running(); }));
  lab_.Feed(200);
  bool lost = false;
  one_.wire->At(Site::kChangelogRow, 2, [&] {
    // Stands still for longer than its session lasts; the other one goes on.
    one_.pausing = true;
    const ProcessingTime end = lab_.clock.Now() + seconds(8);
    ASSERT_TRUE(lab_.Run([&] { return lab_.clock.Now() > end && two.process->instance().tasks().size() == 2; }))
        << two.process->instance().Look().state << two.process->instance().tasks().size();
    one_.pausing = false;
    lost = true;
  });
  ASSERT_TRUE(lab_.Run([&] { return lost; }));
  ExpectAllIsWell();
}

TEST_F(FailureTable, UnknownOutcomeThatHappenedIsAppliedFromTheTail) {
  Begin();
  const uint64_t seq = Seq(one_, 0);
  one_.wire->fate = CommitFate{.told = Outcome::kUnknown, .happens = true};
  ASSERT_TRUE(lab_.Run([&] { return Seq(one_, 0) > seq && one_.process->instance().running(); }));
  EXPECT_EQ(one_.process->metrics().Value("tidecast_epoch_failures_total", {{"outcome", "unknown"}}), 1);
  EXPECT_GT(one_.process->metrics().Value("tidecast_restore_rows_total"), 0);
  ExpectAllIsWell();
}

TEST_F(FailureTable, UnknownOutcomeThatDidNotHappenIsDoneAgain) {
  Begin();
  one_.wire->fate = CommitFate{.told = Outcome::kUnknown, .happens = false};
  ASSERT_TRUE(lab_.Commit(one_, 2));
  EXPECT_EQ(one_.process->metrics().Value("tidecast_epoch_failures_total", {{"outcome", "unknown"}}), 1);
  ExpectAllIsWell();
}

TEST_F(FailureTable, UnknownOutcomeWhoseCommitIsOnItsWayIsFencedByTheNewProducer) {
  Begin();
  one_.wire->fate = CommitFate{.told = Outcome::kUnknown, .happens = true, .end_delay = seconds(1)};
  lab_.RunFor(seconds(2));
  ExpectAllIsWell();
}

TEST_F(FailureTable, CommittedEpochThatWasReadBackBeforeItsAnswerCameIsStillApplied) {
  Begin();
  const uint64_t seq = Seq(one_, 0);
  one_.wire->fate = CommitFate{.delay = seconds(20)};
  lab_.RunFor(seconds(8));  // all changelogs are looked at meanwhile
  EXPECT_EQ(Seq(one_, 0), seq);
  lab_.Kill(one_);
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().running(); }));
  EXPECT_GT(Seq(one_, 0), seq) << "what was read back was taken for what the store has";
  EXPECT_TRUE(lab_.alarms(one_).empty()) << ::testing::PrintToString(lab_.alarms(one_));
  ExpectAllIsWell();
}

TEST_F(FailureTable, TornSeenAtRestoreWithTheGroupBehindGoesByTheCommitRecord) {
  Begin();
  // A late copy of an EndTxn arrives after the commit records and before the positions.
  one_.wire->At(Site::kPositions, 1, [&] {
    lab_.broker.TearTransaction("shop.i2", true, IsAnything, true);
    throw ProcessDeath();
  });
  ASSERT_TRUE(lab_.Run([&] { return !one_.alive(); }));
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().running(); }));
  EXPECT_TRUE(lab_.HasAlarm(one_, "the group's position and the commit record differ"));
  EXPECT_GT(lab_.AlarmCount(one_, "torn"), 0);
  ExpectAllIsWell();
}

TEST_F(FailureTable, TornSeenAtRestoreWithTheGroupAheadGoesByTheCommitRecord) {
  Begin();
  // All that was sent is aborted; the positions are committed with what comes after.
  one_.wire->At(Site::kCommit, 1, [&] { lab_.broker.TearTransaction("shop.i2", false, IsAnything, false); });
  DieAt(Site::kCommitted);
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().running(); }));
  EXPECT_TRUE(lab_.HasAlarm(one_, "the group's position and the commit record differ"));
  ExpectAllIsWell();
}

TEST_F(FailureTable, TornSeenAtRestoreMayDoubleOutputsWhichTheirContentIdsTell) {
  Begin();
  one_.wire->At(Site::kCommit, 1, [&] { lab_.broker.TearTransaction("shop.i2", false, IsChangelog, false); });
  DieAt(Site::kCommitted);
  lab_.Start(one_);
  ExpectAllIsWell(true);
  EXPECT_GT(lab_.AlarmCount(one_, "torn"), 0);
}

// What the series stage has handed on is committed, and that it did so is not: it hands it on again, in other batches.
TEST(FailureTableOfFurtherStages, WhatATornTransactionHandsOnAgainCountsOnceThere) {
  for (const uint64_t seed : {3, 6, 9, 12}) {
    ShopSpec spec = Small();
    spec.seed = seed;
    spec.grouped = true;
    Lab lab(spec);
    Machine& one = lab.Add("i2");
    lab.commit_interval = milliseconds(60);  // epochs of many small batches
    lab.Feed(1'000);
    lab.Start(one);
    ASSERT_TRUE(lab.Commit(one, 5));
    one.wire->At(Site::kCommit, 1, [&] { lab.broker.TearTransaction("shop.i2", false, IsSeriesChangelog, false); });
    one.wire->At(Site::kCommitted, 1, [] { throw ProcessDeath(); });
    ASSERT_TRUE(lab.Run([&] { return !one.alive(); }));
    one.wire->fetched_max = 500;
    lab.Start(one);
    ASSERT_TRUE(lab.Finish()) << one.ended.message();
    EXPECT_GT(lab.AlarmCount(one, "torn"), 0);
    EXPECT_EQ(lab.Judge(true), "") << "seed " << seed;
    int64_t doubles = 0;
    for (const auto& task : one.process->instance().tasks())
      doubles += task->id().stage == Stage::kSeries ? 0 : task->counts().duplicates;
    EXPECT_GT(doubles, 0) << "nothing was handed on twice";
  }
}

TEST(FailureTableOfFurtherStages, WhatWasReadForGoodIsDiscardedAndNoStartGoesBackToIt) {
  ShopSpec spec = Small();
  spec.grouped = true;
  Lab lab(spec);
  Machine& one = lab.Add("i2");
  lab.rekey_kept = milliseconds(200);
  lab.Feed(600);
  lab.Start(one);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(lab.Commit(one, 5));
    lab.Feed(100);
    lab.RunFor(milliseconds(300));
    lab.Kill(one);
    if (i % 2 == 1) one.disk->Wipe();
    lab.Start(one);
  }
  ASSERT_TRUE(lab.Finish()) << one.ended.message();
  int discarded = 0;
  for (const char* topic : {"shop.rekey.rollup", "shop.rekey.actor"}) {
    for (int32_t p = 0; p < spec.partitions; ++p) discarded += lab.broker.Find({topic, p})->begin() > 0 ? 1 : 0;
  }
  EXPECT_GT(discarded, 2);
  EXPECT_EQ(lab.broker.Find({"shop.features", 0})->begin(), 0) << "what was written for others is theirs";
  EXPECT_EQ(lab.Judge(), "");
}

TEST_F(FailureTable, TornSeenAliveIsWrittenAnewAndTheEngineGoesOn) {
  Begin();
  one_.wire->At(Site::kCommit, 1, [&] { lab_.broker.TearTransaction("shop.i2", false, IsSeriesChangelog, false); });
  ASSERT_TRUE(lab_.Run([&] { return lab_.AlarmCount(one_, "torn") > 0; })) << "nobody has noticed";
  EXPECT_TRUE(lab_.HasAlarm(one_, "a committed epoch is missing in shop.changelog.series"));
  ASSERT_TRUE(lab_.Run([&] {
    return *StoredBase(one_.disk->rows(), {Stage::kSeries, 0}) > 0;
  })) << "the changelog is not written anew";
  lab_.RunFor(seconds(5));
  ExpectRestoresElsewhere();
  ExpectAllIsWell();
}

TEST_F(FailureTable, TornAliveInTheMiddleOfTheRowsIsSeenByTheirCount) {
  Begin();
  one_.wire->At(Site::kChangelogRow, 6,
                [&] { lab_.broker.TearTransaction("shop.i2", false, IsSeriesChangelog, false); });
  ASSERT_TRUE(lab_.Run([&] { return lab_.AlarmCount(one_, "torn") > 0; })) << "nobody has noticed";
  lab_.RunFor(seconds(5));
  ExpectRestoresElsewhere();
  ExpectAllIsWell();
}

TEST_F(FailureTable, LocalSeqAboveTheChangelogsAtAStartIsRepairedFromLocalState) {
  Begin();
  one_.wire->At(Site::kCommit, 1, [&] { lab_.broker.TearTransaction("shop.i2", false, IsSeriesChangelog, false); });
  DieAt(Site::kStateWritten);
  const uint64_t seq = Seq(one_, 0);
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().running(); }));
  EXPECT_GE(Seq(one_, 0), seq) << "local state was not kept";
  EXPECT_TRUE(lab_.HasAlarm(one_, "is written anew: local state is at seq"));
  ASSERT_TRUE(lab_.Commit(one_, 3));
  ExpectRestoresElsewhere();
  ExpectAllIsWell();
}

TEST_F(FailureTable, OrphanRowsAreLeftOutAndTheirKeysWrittenAgain) {
  Begin();
  // Some rows become visible; their commit record never comes.
  one_.wire->At(Site::kChangelogRow, 12, [&] {
    lab_.broker.TearTransaction("shop.i2", true, IsChangelog, false);
    throw ProcessDeath();
  });
  ASSERT_TRUE(lab_.Run([&] { return !one_.alive(); }));
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().running(); }));
  EXPECT_GT(lab_.AlarmCount(one_, "orphans"), 0);
  ASSERT_TRUE(lab_.Commit(one_, 3));
  // Compaction takes what is older: only what was written again is left to tell the truth.
  lab_.clock.Advance(hours(30));
  lab_.broker.Compact("shop.changelog.series");
  lab_.broker.Compact("shop.changelog.model");
  ExpectRestoresElsewhere();
  ExpectAllIsWell();
}

TEST_F(FailureTable, ZombieAfterALongPauseCannotCommit) {
  Begin();
  Machine& two = lab_.Add("i3");
  lab_.Start(two);
  ASSERT_TRUE(lab_.Run([&] { return two.process->instance().running() && one_.process->instance().running(); }));
  bool paused = false;
  lab_.Feed(200);
  one_.wire->At(Site::kPositions, 1, [&] {
    one_.pausing = paused = true;
    ASSERT_TRUE(lab_.Run([&] { return two.process->instance().tasks().size() == 2; }));
    ASSERT_TRUE(lab_.Commit(two, 3));
    one_.pausing = false;
  });
  const auto failures = [&] {
    double sum = 0;
    for (const char* outcome : {"aborted", "fatal"})
      sum += one_.process->metrics().Value("tidecast_epoch_failures_total", {{"outcome", outcome}});
    return sum;
  };
  ASSERT_TRUE(lab_.Run([&] { return paused && failures() > 0; })) << "the zombie has committed";
  ExpectAllIsWell();
}

TEST_F(FailureTable, FencedInstanceIdStopsTheOldProcessAndNamesTheId) {
  Begin();
  Machine& other = lab_.Add("i2");  // the same id on another disk
  lab_.Start(other);
  ASSERT_TRUE(lab_.Run([&] { return !one_.alive(); }));
  EXPECT_EQ(one_.ended.code(), Code::kFenced);
  EXPECT_EQ(ExitCode(one_.ended.code()), 75);
  EXPECT_THAT(one_.ended.message(), HasSubstr("i2"));
  ASSERT_TRUE(lab_.Finish());
  ASSERT_TRUE(other.alive()) << other.ended.message();
  EXPECT_EQ(lab_.Judge(), "");
}

TEST_F(FailureTable, ProducerFencedAloneIsMadeAnewWhileTheMembershipHolds) {
  for (const Site site : {Site::kOutput, Site::kChangelogRow, Site::kPositions, Site::kCommit}) {
    if (!one_.alive()) lab_.Start(one_);
    one_.wire->At(site, 1, [&] { lab_.broker.InitProducer("shop.i2"); });
    ASSERT_TRUE(lab_.Commit(one_, 3));
    ASSERT_TRUE(one_.alive()) << one_.ended.message();
  }
  EXPECT_EQ(one_.process->metrics().Value("tidecast_epoch_failures_total", {{"outcome", "fatal"}}), 4);
  ExpectAllIsWell();
}

TEST_F(FailureTable, PowerLossCatchesUpFromTheChangelog) {
  for (const size_t batches : {1U, 2U, 5U, 9U}) {
    Begin();
    const uint64_t seq = Seq(one_, 0);
    lab_.Kill(one_);
    one_.disk->LoseTail(batches);
    lab_.Start(one_);
    ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().running(); }));
    EXPECT_GE(Seq(one_, 0), seq);
    EXPECT_TRUE(lab_.alarms(one_).empty()) << lab_.alarms(one_).front();
    lab_.Kill(one_);
  }
  lab_.Start(one_);
  ExpectAllIsWell();
}

TEST_F(FailureTable, ChangelogGapStopsTheTaskKeepsItsStateAndLeavesTheOthersRunning) {
  Begin();
  lab_.Kill(one_);
  // The task of partition 0 alone: one epoch's rows vanish, and another one follows, before anybody looks.
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Commit(one_, 1));
  one_.wire->At(Site::kCommit, 1, [&] { lab_.broker.TearTransaction("shop.i2", false, IsSeriesChangelog, false); });
  ASSERT_TRUE(lab_.Commit(one_, 3));
  ASSERT_EQ(lab_.AlarmCount(one_, "torn"), 0) << "this test wants to be quicker than the watch";
  lab_.Kill(one_);
  one_.disk->Wipe();
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return !one_.alive() || one_.process->instance().running(); }));
  ASSERT_TRUE(one_.alive()) << one_.ended.message();
  EXPECT_TRUE(lab_.HasAlarm(one_, "a changelog has a gap: shop.changelog.series"));
  EXPECT_GT(one_.process->metrics().Value("tidecast_tasks_stopped"), 0);
  const uint64_t seq = Seq(one_, 0);
  lab_.RunFor(seconds(3));
  EXPECT_EQ(Seq(one_, 0), seq) << "a stopped task goes on";
}

// A broker that is killed between a commit and its markers may leave such a transaction for ever.
TEST_F(FailureTable, RestoreThatAnOpenTransactionHoldsUpIsToldOnceByName) {
  Begin();
  lab_.Kill(one_);
  lab_.broker.transaction_timeout = hours(1);
  const ProducerLife lost = lab_.broker.InitProducer("lost");
  ASSERT_TRUE(
      lab_.broker.AddRecord(lost, {.topic = "shop.changelog.series", .partition = 1, .key = "k", .value = "v"}).ok());
  lab_.Start(one_);
  lab_.RunFor(seconds(25));
  ASSERT_FALSE(one_.process->instance().running());
  EXPECT_EQ(lab_.AlarmCount(one_, "blocked"), 0);
  lab_.RunFor(seconds(10));
  EXPECT_TRUE(lab_.HasAlarm(one_, "shop.changelog.series[1]"));
  lab_.RunFor(seconds(40));
  EXPECT_EQ(lab_.AlarmCount(one_, "blocked"), 1);
  ASSERT_FALSE(one_.process->instance().running());
  lab_.broker.EndTransaction(lost, false);
  ExpectAllIsWell();
}

TEST_F(FailureTable, LocalStateOlderThanTheCompactionLagIsDroppedAndRestoredFromTheStart) {
  lab_.changelog_lag = seconds(20);
  Machine& two = lab_.Add("i3");
  lab_.Start(two);
  Begin();
  ASSERT_TRUE(lab_.Run([&] { return two.process->instance().running(); }));
  ASSERT_TRUE(lab_.Commit(one_, 3));
  lab_.Kill(one_);
  lab_.RunFor(seconds(30));
  EXPECT_EQ(two.process->instance().tasks().size(), 2U);
  lab_.broker.Compact("shop.changelog.series");
  lab_.broker.Compact("shop.changelog.model");
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().running(); }));
  EXPECT_TRUE(lab_.HasAlarm(one_, "was restored from the beginning: it is older than"));
  ExpectAllIsWell();
}

TEST_F(FailureTable, LocalStateBelowTheChangelogsStartIsDroppedAndRestoredFromTheStart) {
  lab_.changelog_lag = seconds(20);
  Machine& two = lab_.Add("i3");
  lab_.Start(two);
  Begin();
  ASSERT_TRUE(lab_.Run([&] { return two.process->instance().running(); }));
  lab_.Kill(one_);
  ASSERT_TRUE(lab_.Run([&] { return two.process->instance().tasks().size() == 2; }));
  lab_.RunFor(seconds(30));
  // The other one writes all of it anew, so that compaction leaves nothing of what was before.
  lab_.Kill(two);
  StateBatch debts;
  for (const uint16_t p : {0, 1}) PutDebt({Stage::kSeries, p}, {.snapshot = true}, debts);
  ASSERT_TRUE(two.disk->Write(debts).ok());
  lab_.Start(two);
  ASSERT_TRUE(lab_.Run([&] { return two.process->instance().running(); }));
  ASSERT_TRUE(lab_.Commit(two, 1));
  lab_.RunFor(seconds(30));
  lab_.broker.Compact("shop.changelog.series", true);
  // Its clock is wrong: it believes that no time has passed.
  for (const TaskId stream : {TaskId{Stage::kSeries, 0}, TaskId{Stage::kSeries, 1}, TaskId{Stage::kInstance, 0}}) {
    const ChangelogLayout layout{"shop.changelog.series", "shop.changelog.model", PartitionOf("i2", 16), "i2"};
    auto hint = *ReadHint(one_.disk->rows(), layout.SourceOf(stream));
    if (!hint) continue;
    hint->noted = lab_.clock.Now();
    StateBatch batch;
    PutHint(layout.SourceOf(stream), *hint, batch);
    ASSERT_TRUE(one_.disk->Write(batch).ok());
  }
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().running(); }));
  EXPECT_TRUE(lab_.HasAlarm(one_, "local state of shop.changelog.series[0] was restored from the beginning"))
      << ::testing::PrintToString(lab_.alarms(one_));
  ExpectAllIsWell();
}

TEST_F(FailureTable, RowsThatAVerbWroteIntoAStoppedInstanceReachItsChangelog) {
  Begin();
  ASSERT_TRUE(lab_.Commit(one_, 2));
  lab_.Kill(one_);
  const std::string key = TaskPrefix({Stage::kModel, 0}) + "net/version/00000001";
  StateBatch rows;
  rows.Put(Family::kModels, key, "weights");
  ASSERT_TRUE(OweRows(one_.disk->rows(), {Stage::kInstance, 0}, rows).ok());
  ASSERT_TRUE(one_.disk->Write(rows).ok());
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().running(); }));
  ASSERT_TRUE(lab_.Commit(one_, 1));
  EXPECT_EQ(lab_.AlarmCount(one_, "undone"), 0);
  lab_.Kill(one_);
  one_.disk->Wipe();
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().running(); }));
  std::string value;
  EXPECT_TRUE(*one_.disk->rows().Get(Family::kModels, key, &value));
  EXPECT_EQ(value, "weights");
  ExpectAllIsWell();
}

TEST_F(FailureTable, KilledBrokerIsWaitedForAndNothingIsLost) {
  for (const Site site : {Site::kBegin, Site::kOutput, Site::kChangelogRow, Site::kPositions, Site::kCommit,
                          Site::kCommitted, Site::kStateWrite, Site::kRestore}) {
    if (!one_.alive()) lab_.Start(one_);
    lab_.Feed(100);
    one_.wire->At(site, 2, [&] { lab_.broker.down = true; });
    ASSERT_TRUE(lab_.Run([&] { return lab_.broker.down; })) << SiteName(site);
    lab_.RunFor(seconds(3));
    ASSERT_TRUE(one_.alive()) << one_.ended.message();
    lab_.broker.down = false;
    ASSERT_TRUE(lab_.Commit(one_, 1)) << SiteName(site) << ": " << one_.process->instance().Look().state;
    ASSERT_TRUE(one_.alive()) << one_.ended.message();
  }
  ExpectAllIsWell();
}

TEST_F(FailureTable, OutageOfAnyLengthIsWaitedForAndTold) {
  for (const Site site :
       {Site::kBegin, Site::kOutput, Site::kPositions, Site::kCommit, Site::kCommitted, Site::kRestore}) {
    if (!one_.alive()) lab_.Start(one_);
    lab_.Feed(100);
    ASSERT_TRUE(lab_.Commit(one_, 1));
    Instance& engine = one_.process->instance();
    EXPECT_TRUE(engine.Look().ready);
    EXPECT_EQ(one_.process->metrics().Value("tidecast_broker_reachable"), 1);
    engine.TakeNotes();
    one_.wire->At(site, 2, [&] {
      // Of the commit that is under way nobody hears any more: a new producer is needed, which no broker gives.
      one_.wire->fate = CommitFate{.told = Outcome::kUnknown, .happens = true};
      lab_.broker.down = true;
    });
    lab_.Feed(100);
    ASSERT_TRUE(lab_.Run([&] { return lab_.broker.down; })) << SiteName(site);
    lab_.RunFor(std::chrono::minutes(6));
    ASSERT_TRUE(one_.alive()) << SiteName(site) << ": " << one_.ended.message();
    EXPECT_FALSE(engine.Look().ready);
    EXPECT_EQ(engine.Look().state, "waiting");
    EXPECT_EQ(one_.process->metrics().Value("tidecast_broker_reachable"), 0);
    EXPECT_THAT(engine.TakeNotes(), Contains(HasSubstr("waits for the brokers"))) << SiteName(site);
    lab_.broker.down = false;
    ASSERT_TRUE(lab_.Commit(one_, 2)) << SiteName(site) << ": " << engine.Look().state;
    ASSERT_TRUE(one_.alive()) << one_.ended.message();
    EXPECT_TRUE(engine.Look().ready);
    EXPECT_EQ(one_.process->metrics().Value("tidecast_broker_reachable"), 1);
    EXPECT_THAT(engine.TakeNotes(), Contains(HasSubstr("answer again")));
  }
  EXPECT_GE(one_.process->metrics().Value("tidecast_broker_outage_seconds_total"), 6 * 6 * 60);
  ExpectAllIsWell();
}

TEST_F(FailureTable, NewProducerIsAskedForUntilTheBrokersGiveIt) {
  Begin();
  one_.wire->fate = CommitFate{.told = Outcome::kUnknown, .happens = true};
  one_.wire->At(Site::kCommitted, 1, [&] { one_.wire->coordinator_is_gone = true; });
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().Look().state == "waiting"; }));
  lab_.RunFor(std::chrono::minutes(2));
  ASSERT_TRUE(one_.alive()) << one_.ended.message();
  EXPECT_FALSE(one_.process->instance().Look().ready);
  one_.wire->coordinator_is_gone = false;
  ASSERT_TRUE(lab_.Commit(one_, 2));
  ExpectAllIsWell();
}

TEST_F(FailureTable, StopInAnOutageEndsAndTheNextStartDoesTheRest) {
  Begin();
  one_.wire->fate = CommitFate{.told = Outcome::kUnknown, .happens = true};
  one_.wire->At(Site::kCommitted, 1, [&] { one_.wire->coordinator_is_gone = true; });
  ASSERT_TRUE(lab_.Run([&] { return one_.process->instance().Look().state == "waiting"; }));
  one_.process->instance().Stop();
  EXPECT_TRUE(lab_.Run([&] { return one_.finished; })) << one_.process->instance().Look().state;
  one_.wire->coordinator_is_gone = false;
  lab_.Kill(one_);
  lab_.Start(one_);
  ExpectAllIsWell();
}

TEST_F(FailureTable, BrokersWordUnderAnyCodeIsNotTakenForABadDisk) {
  Begin();
  for (const Code code : {Code::kIo, Code::kCorruption, Code::kNoSpace, Code::kTimeout}) {
    for (const Outcome outcome : {Outcome::kAbortable, Outcome::kUnknown, Outcome::kFatal}) {
      one_.wire->fate = CommitFate{.told = outcome, .happens = false, .code = code};
      ASSERT_TRUE(lab_.Commit(one_, 2));
      ASSERT_TRUE(one_.alive()) << one_.ended.message();
    }
  }
  ExpectAllIsWell();
}

TEST_F(FailureTable, ParkedStateIsTakenBackWithoutARestoreWhenNobodyHasCommittedMeanwhile) {
  Begin();
  Machine& two = lab_.Add("i3");
  two.wire->At(Site::kBegin, 1, [] { throw ProcessDeath(); });  // before it has committed anything
  lab_.Start(two);
  ASSERT_TRUE(lab_.Run([&] { return !two.alive(); }));
  ASSERT_TRUE(
      lab_.Run([&] { return one_.process->instance().running() && one_.process->instance().tasks().size() == 2; }));
  EXPECT_EQ(one_.process->metrics().Value("tidecast_restore_rows_total"), 0);
  EXPECT_TRUE(lab_.alarms(one_).empty());
  ExpectAllIsWell();
}

TEST_F(FailureTable, ParkedStateIsDroppedAfterTenMinutesAndRestoredWhenThePartitionComesBack) {
  Begin();
  Machine& two = lab_.Add("i3");
  lab_.Start(two);
  ASSERT_TRUE(lab_.Run([&] { return two.process->instance().running() && one_.process->instance().running(); }));
  const uint16_t given = two.process->instance().tasks().front()->id().partition;
  lab_.RunFor(std::chrono::minutes(9));
  EXPECT_GT(Seq(one_, given), 0U);
  lab_.RunFor(std::chrono::minutes(2));
  EXPECT_EQ(Seq(one_, given), 0U);
  ASSERT_TRUE(lab_.Commit(two, 2));
  lab_.Kill(two);
  ASSERT_TRUE(
      lab_.Run([&] { return one_.process->instance().tasks().size() == 2 && one_.process->instance().running(); }));
  EXPECT_GT(one_.process->metrics().Value("tidecast_restore_rows_total"), 0);
  ExpectAllIsWell();
}

TEST_F(FailureTable, GroupResetByHandIsRefusedByNameWithTheRemedy) {
  Begin();
  lab_.Kill(one_);
  lab_.broker.SetPosition({"shop.orders", 1}, 0);
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return !one_.alive(); }));
  EXPECT_EQ(one_.ended.code(), Code::kConfig);
  EXPECT_THAT(one_.ended.message(), HasSubstr("shop.orders[1]"));
  EXPECT_THAT(one_.ended.remedy(), HasSubstr("tidecast state reset"));
}

TEST_F(FailureTable, RecreatedTopicIsRefusedByNameWithTheRemedy) {
  Begin();
  lab_.Kill(one_);
  lab_.broker.Recreate("shop.clicks");
  lab_.Start(one_);
  ASSERT_TRUE(lab_.Run([&] { return !one_.alive(); }));
  EXPECT_EQ(one_.ended.code(), Code::kConfig);
  EXPECT_THAT(one_.ended.message(), HasSubstr("shop.clicks"));
  EXPECT_THAT(one_.ended.remedy(), HasSubstr("tidecast state reset"));
}

}  // namespace
}  // namespace tidecast::simulation
