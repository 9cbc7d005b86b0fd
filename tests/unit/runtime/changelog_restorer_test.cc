#include "engine/runtime/changelog_restorer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "engine/runtime/changelog_notes.h"
#include "engine/runtime/changelog_watch.h"
#include "engine/runtime/epoch_committer.h"
#include "engine/runtime/owed_rows.h"
#include "state/key_codec.h"
#include "tests/unit/runtime/scripted_transport.h"

namespace tidecast {
namespace {

using testing::ScriptedTransport;

using ::testing::HasSubstr;

/// Fills the changelog by the committer itself, so that writer and reader are held against each other.
class ChangelogRestorerTest : public ::testing::Test {
 protected:
  using Rows = std::vector<std::pair<std::string, std::optional<std::string>>>;  ///< nullopt: deleted

  /// What a process writes that stands at `prev` and commits `seq`; its own state is not kept.
  void Commit(uint64_t seq, const Rows& rows, std::optional<uint64_t> prev = {}, const std::string& writer = "i1/1",
              uint64_t base = 0) {
    const std::unique_ptr<StateStore> scratch = MakeMemoryStore();
    StateBatch before;
    before.Put(Family::kMeta, CommitRecordKey(kTask), ByteWriter().U8(1).U64(prev.value_or(seq - 1)).view());
    ASSERT_TRUE(scratch->Write(before).ok());
    EpochCut cut;
    cut.epoch = seq;
    cut.seq = seq;
    if (base > 0) cut.bases[kTask] = base;
    TaskDeltaSink task(cut.state, kTask);
    for (const auto& [key, value] : rows) {
      if (value) {
        task.Put(Family::kPanes, key, *value);
      } else {
        task.Delete(Family::kPanes, key);
      }
    }
    if (base > 0) PutBase(kTask, base, cut.state);
    task.Put(Family::kMeta, "commit", ByteWriter().U8(1).U64(seq).view());
    EpochCommitter committer(transport_, *scratch, layout_, writer, faults_, clock_);
    transport_.produced.clear();
    committer.Start(std::move(cut));
    committer.Step();
    for (OutputRecord& record : transport_.produced) {
      record.record_time = EventTime{clock_.Now().us};
      log().push_back(record);
    }
  }
  std::vector<OutputRecord>& log() { return transport_.logs[{layout_.series_topic, 0}]; }
  /// Takes the newest `count` records out of the log, as a torn transaction does.
  void Tear(size_t count = 1) { log().resize(log().size() - count); }
  /// Takes out records with a newer one of their key. Offsets stay.
  void Compact() {
    for (size_t i = 0; i < log().size(); ++i) {
      for (size_t k = i + 1; k < log().size(); ++k) {
        if (log()[k].key == log()[i].key) log()[i].key.clear();
      }
    }
  }
  ChangelogRestorer::Finding Restore() {
    ChangelogRestorer restorer(transport_, *store_, layout_, clock_);
    restorer.Start({0});
    for (int i = 0; i < 100; ++i) {
      const Result<bool> done = restorer.Step(0);
      if (!done.ok()) {
        ADD_FAILURE() << done.status().message();
        return {};
      }
      highest_seq_ = restorer.highest_seq();
      rows_ = restorer.rows_applied();
      if (*done) return restorer.findings().at(0);
    }
    ADD_FAILURE() << "the restore does not end";
    return {};
  }
  /// Seqs 1 and 2 are in the store, of which the log has lost the second; what is noted is the first.
  void HaveATornSeq() {
    Commit(1, {{"a", "1"}});
    Restore();
    Commit(2, {{"a", "ours"}, {"b", "ours"}});
    Restore();
    Tear(2);
    StateBatch note;
    PutHint(layout_.SourceOf(kTask), {2, clock_.Now(), 1}, note);
    ASSERT_TRUE(store_->Write(note).ok());
  }
  std::string Value(std::string_view key) {
    std::string value;
    return *store_->Get(Family::kPanes, TaskPrefix(kTask) + std::string(key), &value) ? value : "none";
  }
  ChangelogDebt Debt() { return *ReadDebt(*store_, kTask); }

  static constexpr TaskId kTask{Stage::kSeries, 0};
  ScriptedTransport transport_;
  ChangelogLayout layout_{"shop.changelog.series", "shop.changelog.model", 0, "i1"};
  ManualClock clock_{ProcessingTime{1'700'000'000'000'000}};
  std::unique_ptr<StateStore> store_ = MakeMemoryStore();
  FaultPoints faults_;
  uint64_t highest_seq_ = 0;
  int64_t rows_ = 0;
};

TEST_F(ChangelogRestorerTest, AppliesCommittedSeqs) {
  Commit(1, {{"a", "1"}});
  Commit(2, {{"a", "2"}});
  Commit(3, {{"b", "3"}});
  EXPECT_TRUE(Restore().stopped.ok());
  EXPECT_EQ(Value("a"), "2");
  EXPECT_EQ(Value("b"), "3");
  EXPECT_EQ(highest_seq_, 3U);
}

TEST_F(ChangelogRestorerTest, LeavesOutRowsWithoutTheirCommitRecordAndOwesTheirKeys) {
  Commit(1, {{"a", "1"}});
  Commit(2, {{"a", "torn"}, {"b", "torn"}});
  Tear();
  EXPECT_EQ(Restore().orphan_rows, 2);
  EXPECT_EQ(Value("a"), "1");
  EXPECT_EQ(Value("b"), "none");
  EXPECT_EQ(Debt().orphans.size(), 2U);
  EXPECT_EQ(highest_seq_, 2U) << "the seq of orphans must not be used again";
}

TEST_F(ChangelogRestorerTest, LeavesOutOrphansThatACommitRecordFollows) {
  Commit(1, {{"a", "1"}});
  Commit(2, {{"a", "torn"}});
  Tear();
  Commit(3, {{"b", "3"}}, 1);
  EXPECT_EQ(Restore().orphan_rows, 1);
  EXPECT_EQ(Value("a"), "1");
  EXPECT_EQ(Value("b"), "3");
  EXPECT_EQ(Debt().orphans.size(), 1U);
}

TEST_F(ChangelogRestorerTest, TellsTwoLivesWithTheSameSeqApart) {
  Commit(1, {{"a", "1"}});
  Commit(2, {{"a", "torn"}}, 1, "i1/1");
  Tear();
  Commit(2, {{"a", "2"}}, 1, "i1/2");
  EXPECT_EQ(Restore().orphan_rows, 1);
  EXPECT_EQ(Value("a"), "2");
}

TEST_F(ChangelogRestorerTest, PassesOverTheCommitRecordOfSomebodyWhoWasLate) {
  Commit(1, {{"a", "1"}}, 0, "i2/1");
  Commit(2, {{"a", "2"}}, 1, "i1/1");
  Commit(3, {{"a", "3"}}, 2, "i1/1");
  Commit(2, {{"a", "late"}}, 1, "i2/1");
  EXPECT_EQ(Restore().orphan_rows, 2);
  EXPECT_EQ(Value("a"), "3");
}

TEST_F(ChangelogRestorerTest, ReadsOnlyTheTailTheSecondTime) {
  Commit(1, {{"a", "1"}});
  Restore();
  Commit(2, {{"b", "2"}});
  log()[0].value = "must not be read again";
  EXPECT_FALSE(Restore().dropped);
  EXPECT_EQ(Value("a"), "1");
  EXPECT_EQ(Value("b"), "2");
  EXPECT_EQ(rows_, 1);
}

TEST_F(ChangelogRestorerTest, StopsAtATailWhoseRowsDoNotMatchAndKeepsWhatItHas) {
  Commit(1, {{"a", "1"}});
  Restore();
  Commit(2, {{"b", "2"}});
  log()[2].value = "changed";
  Commit(3, {{"c", "3"}});
  const auto finding = Restore();
  EXPECT_EQ(finding.stopped.code(), Code::kCorruption);
  EXPECT_THAT(finding.stopped.message(), HasSubstr("seq 2"));
  EXPECT_EQ(Value("a"), "1");
  EXPECT_EQ(Value("b"), "none");
  EXPECT_EQ(Value("c"), "none");
  EXPECT_EQ(Restore().stopped.code(), Code::kCorruption) << "it must not be passed over the second time";
}

TEST_F(ChangelogRestorerTest, StopsWhereASeqIsMissingWithinTheCompactionLag) {
  Commit(1, {{"a", "1"}});
  Commit(2, {{"a", "2"}});
  Tear(2);
  Commit(3, {{"b", "3"}}, 2);
  const auto finding = Restore();
  EXPECT_EQ(finding.stopped.code(), Code::kCorruption);
  EXPECT_THAT(finding.stopped.message(), HasSubstr("built on 2"));
  EXPECT_EQ(Value("b"), "none");
}

/// Two commits of one process, the second one `later`; what the topic holds of them is the second one alone.
class FirstCommitMissing : public ChangelogRestorerTest {
 protected:
  void CommitTwo(Duration later) {
    const std::unique_ptr<StateStore> scratch = MakeMemoryStore();
    EpochCommitter committer(transport_, *scratch, layout_, "i1/1", faults_, clock_);
    for (const uint64_t seq : {1U, 2U}) {
      if (seq == 2) clock_.Advance(later);
      EpochCut cut;
      cut.seq = seq;
      TaskDeltaSink task(cut.state, kTask);
      task.Put(Family::kPanes, seq == 1 ? "a" : "b", "1");
      task.Put(Family::kMeta, "commit", ByteWriter().U8(1).U64(seq).view());
      transport_.produced.clear();
      committer.Start(std::move(cut));
      committer.Step();
      committer.OnTransaction({.outcome = Outcome::kOk});
      committer.Take();
    }
    log() = transport_.produced;
    for (OutputRecord& record : log()) record.record_time = EventTime{clock_.Now().us};
  }
};

TEST_F(FirstCommitMissing, IsAGapWhereItIsTooYoungForCompaction) {
  CommitTwo(std::chrono::minutes(1));
  EXPECT_EQ(Restore().stopped.code(), Code::kCorruption);
  EXPECT_EQ(Value("b"), "none");
}

TEST_F(FirstCommitMissing, IsCompactionWhereItIsOld) {
  CommitTwo(layout_.compaction_lag);
  EXPECT_TRUE(Restore().stopped.ok());
  EXPECT_EQ(Value("b"), "1");
}

TEST_F(ChangelogRestorerTest, RefusesAnotherFormatByName) {
  Commit(1, {{"a", "1"}});
  for (Header& header : log().back().headers) {
    if (header.name == "format") header.value = "3";
  }
  ChangelogRestorer restorer(transport_, *store_, layout_, clock_);
  restorer.Start({0});
  const Status refused = restorer.Step(0).status();
  EXPECT_EQ(refused.code(), Code::kVersion);
  EXPECT_THAT(refused.message(), HasSubstr("shop.changelog.series[0]"));
  EXPECT_EQ(Value("a"), "none");
}

TEST_F(ChangelogRestorerTest, RefusesTheFirstFormatWhichNamedNone) {
  Commit(1, {{"a", "1"}});
  auto& headers = log().back().headers;
  headers.erase(headers.begin() + 3, headers.end());
  ChangelogRestorer restorer(transport_, *store_, layout_, clock_);
  restorer.Start({0});
  EXPECT_EQ(restorer.Step(0).status().code(), Code::kVersion);
}

TEST_F(ChangelogRestorerTest, StopsWhereTwoOwnersBuiltOnTheSameSeq) {
  Commit(1, {{"a", "1"}});
  Commit(2, {{"a", "2"}}, 1, "i2/1");
  Commit(3, {{"a", "3"}}, 1, "i3/1");
  EXPECT_EQ(Restore().stopped.code(), Code::kCorruption);
}

TEST_F(ChangelogRestorerTest, BeginsAnewWhereALaterBaseVoidsAGap) {
  Commit(1, {{"a", "1"}, {"gone", "1"}});
  Restore();
  Commit(2, {{"gone", std::nullopt}});
  Tear(2);
  Commit(3, {{"b", "3"}}, 2);
  Commit(4, {{"a", "1"}, {"b", "3"}}, 3, "i1/1", 4);
  Commit(5, {{"c", "5"}});
  const auto finding = Restore();
  EXPECT_TRUE(finding.stopped.ok()) << finding.stopped.message();
  EXPECT_TRUE(finding.dropped);
  EXPECT_EQ(Value("a"), "1");
  EXPECT_EQ(Value("b"), "3");
  EXPECT_EQ(Value("c"), "5");
  EXPECT_EQ(Value("gone"), "none");
  EXPECT_EQ(*StoredBase(*store_, kTask), 4U);
}

TEST_F(ChangelogRestorerTest, KeepsLocalStateThatIsAheadOfItsChangelogAndOwesASnapshot) {
  Commit(1, {{"a", "1"}});
  Commit(2, {{"a", "2"}});
  Restore();
  Tear(2);
  ASSERT_EQ(log().size(), 2U);
  // As if the noted place were before the torn seq: the process died before it had looked.
  StateBatch note;
  PutHint(layout_.SourceOf(kTask), {2, clock_.Now(), 1}, note);
  ASSERT_TRUE(store_->Write(note).ok());
  const auto finding = Restore();
  EXPECT_TRUE(finding.ahead);
  EXPECT_TRUE(finding.stopped.ok());
  EXPECT_EQ(Value("a"), "2");
  EXPECT_TRUE(Debt().snapshot);
}

TEST_F(ChangelogRestorerTest, DropsLocalStateThatOthersDidNotBuildOn) {
  HaveATornSeq();
  Commit(2, {{"a", "theirs"}}, 1, "i2/1");
  const auto finding = Restore();
  EXPECT_TRUE(finding.dropped);
  EXPECT_EQ(Value("a"), "theirs");
  EXPECT_EQ(Value("b"), "none");
}

TEST_F(ChangelogRestorerTest, DropsLocalStateThatOthersDidNotBuildOnThoughTheyWentOnBeyondIt) {
  HaveATornSeq();
  Commit(3, {{"c", "theirs"}}, 1, "i2/1");
  Commit(4, {{"d", "theirs"}}, 3, "i2/1");
  const auto finding = Restore();
  EXPECT_TRUE(finding.stopped.ok()) << finding.stopped.message();
  EXPECT_TRUE(finding.dropped);
  EXPECT_THAT(finding.why, HasSubstr("i2/1 has built seq 3 on 1"));
  EXPECT_EQ(Value("a"), "1");
  EXPECT_EQ(Value("b"), "none");
  EXPECT_EQ(Value("d"), "theirs");
}

TEST_F(ChangelogRestorerTest, TakesACompactedLogFromItsBeginning) {
  Commit(1, {{"a", "1"}, {"c", "1"}});
  Commit(2, {{"a", "2"}});
  Commit(3, {{"b", "3"}});
  clock_.Advance(layout_.compaction_lag);
  Compact();
  Commit(4, {{"b", "4"}});
  const auto finding = Restore();
  EXPECT_TRUE(finding.stopped.ok()) << finding.stopped.message();
  EXPECT_EQ(finding.orphan_rows, 0);
  EXPECT_EQ(Value("a"), "2");
  EXPECT_EQ(Value("b"), "4");
  EXPECT_EQ(Value("c"), "1");
}

TEST_F(ChangelogRestorerTest, DropsStateThatIsOlderThanWhatTheChangelogKeepsUnthinned) {
  Commit(1, {{"a", "1"}, {"gone", "1"}});
  Restore();
  Commit(2, {{"gone", std::nullopt}});
  clock_.Advance(layout_.compaction_lag);
  // The tombstone has been taken, too: nobody who reads from the noted place would learn of it.
  Compact();
  for (OutputRecord& record : log()) {
    if (record.key.ends_with("gone")) record.key.clear();
  }
  const auto finding = Restore();
  EXPECT_TRUE(finding.dropped);
  EXPECT_THAT(finding.why, HasSubstr("older"));
  EXPECT_EQ(Value("a"), "1");
  EXPECT_EQ(Value("gone"), "none");
}

TEST_F(ChangelogRestorerTest, DropsStateWhoseChangelogBeginsAfterIt) {
  Commit(1, {{"a", "1"}, {"gone", "1"}});
  Restore();
  Commit(2, {{"a", "2"}});
  transport_.log_begins = 4;
  const auto finding = Restore();
  EXPECT_TRUE(finding.dropped);
  EXPECT_EQ(Value("gone"), "none");
}

TEST_F(ChangelogRestorerTest, RowsOfAVerbStandUnlessTheStreamHasGoneOnElsewhere) {
  const std::string key = TaskPrefix(kTask) + "a";
  const auto write = [&](const std::string& value) {
    StateBatch rows;
    rows.Put(Family::kPanes, key, value);
    ASSERT_TRUE(OweRows(*store_, kTask, rows).ok());
    ASSERT_TRUE(store_->Write(rows).ok());
  };
  Commit(1, {{"a", "1"}});
  Restore();
  EXPECT_EQ(*TakeOwedRows(*store_, kTask), OwedRows::kNone);
  write("verb");
  Restore();
  EXPECT_EQ(*TakeOwedRows(*store_, kTask), OwedRows::kStand);
  EXPECT_EQ(Value("a"), "verb");
  EXPECT_TRUE(Debt().orphans.contains({Family::kPanes, key}));
  EXPECT_EQ(*TakeOwedRows(*store_, kTask), OwedRows::kNone);
  write("in vain");
  Commit(2, {{"a", "2"}});
  Restore();
  EXPECT_EQ(*TakeOwedRows(*store_, kTask), OwedRows::kUndone);
  EXPECT_EQ(Value("a"), "2");
}

TEST_F(ChangelogRestorerTest, KeepsInstancesApartThatShareAPartition) {
  const auto commit = [&](const std::string& instance, uint64_t seq) {
    ChangelogLayout layout = layout_;
    layout.instance = instance;
    const std::unique_ptr<StateStore> scratch = MakeMemoryStore();
    EpochCut cut;
    cut.seq = seq;
    TaskDeltaSink(cut.state, {Stage::kModel, 0}).Put(Family::kModels, "weights", instance);
    TaskDeltaSink(cut.state, {Stage::kInstance, 0}).Put(Family::kMeta, "commit", ByteWriter().U8(1).U64(seq).view());
    EpochCommitter committer(transport_, *scratch, layout, instance + "/1", faults_, clock_);
    transport_.produced.clear();
    committer.Start(std::move(cut));
    committer.Step();
    auto& shared = transport_.logs[{layout_.model_topic, 0}];
    for (const OutputRecord& record : transport_.produced) shared.push_back(record);
  };
  commit("i1", 1);
  commit("i2", 1);
  auto& shared = transport_.logs[{layout_.model_topic, 0}];
  std::set<std::string> keys;
  for (const OutputRecord& record : shared) keys.insert(record.key);
  EXPECT_EQ(keys.size(), shared.size()) << "compaction would let one instance's rows take another's place";
  Restore();
  std::string value;
  ASSERT_TRUE(*store_->Get(Family::kModels, TaskPrefix({Stage::kModel, 0}) + "weights", &value));
  EXPECT_EQ(value, "i1");
}

class ChangelogWatchTest : public ChangelogRestorerTest {
 protected:
  void SetUp() override {
    Commit(1, {{"a", "1"}});
    ASSERT_TRUE(Restore().stopped.ok());
    ASSERT_TRUE(watch_.Start({kTask}).ok());
  }
  /// What the store holds once an epoch of ours has been committed.
  void StoreHas(uint64_t seq) {
    StateBatch batch;
    batch.Put(Family::kMeta, CommitRecordKey(kTask), ByteWriter().U8(1).U64(seq).view());
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  std::optional<ChangelogWatch::Finding> Look() {
    clock_.Advance(watch_.interval);
    Result<std::optional<ChangelogWatch::Finding>> finding = watch_.Step();
    EXPECT_TRUE(finding.ok());
    return std::move(finding).value();
  }
  ChangelogHint Hint() { return **ReadHint(*store_, layout_.SourceOf(kTask)); }
  int64_t End() { return static_cast<int64_t>(log().size()); }

  ChangelogWatch watch_{transport_, *store_, layout_, clock_};
};

TEST_F(ChangelogWatchTest, NotesUpToTheNewestCommitRecordWhileAnEpochIsUnderWay) {
  Commit(2, {{"a", "2"}});
  StoreHas(2);
  const int64_t behind = End();
  Commit(3, {{"a", "3"}, {"b", "3"}});
  Tear();
  EXPECT_FALSE(Look());
  EXPECT_EQ(Hint().offset, behind);
  EXPECT_EQ(Hint().tip, 2U);
}

TEST_F(ChangelogWatchTest, NotesNothingThatTheStoreDoesNotHave) {
  const ChangelogHint before = Hint();
  Commit(2, {{"a", "2"}});
  EXPECT_FALSE(Look());
  EXPECT_EQ(Hint().offset, before.offset) << "its outcome is not known yet";
  EXPECT_EQ(Hint().tip, 1U);
}

TEST_F(ChangelogWatchTest, NotesNothingBehindOrphansUntilTheyAreOwed) {
  const ChangelogHint before = Hint();
  Commit(2, {{"a", "torn"}});
  Tear();
  Commit(3, {{"b", "3"}}, 1);
  StoreHas(3);
  const auto finding = Look();
  ASSERT_TRUE(finding);
  EXPECT_EQ(finding->orphans.size(), 1U);
  EXPECT_EQ(Hint().offset, before.offset);
  Commit(4, {{"b", "4"}});
  StoreHas(4);
  EXPECT_FALSE(Look());
  EXPECT_EQ(Hint().offset, End());
  EXPECT_EQ(Hint().tip, 4U);
}

TEST_F(ChangelogWatchTest, NotesTheTimeWhereNothingIsNew) {
  const ChangelogHint before = Hint();
  clock_.Advance(layout_.compaction_lag);
  EXPECT_FALSE(Look());
  EXPECT_EQ(Hint().offset, before.offset);
  EXPECT_EQ(Hint().noted.us, clock_.Now().us);
}

}  // namespace
}  // namespace tidecast
