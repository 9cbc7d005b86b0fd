#include "engine/runtime/changelog_restorer.h"

#include <gtest/gtest.h>

#include "state/key_codec.h"
#include "tests/unit/runtime/scripted_transport.h"

namespace tidecast {
namespace {

using testing::ScriptedTransport;

/// Fills the changelog by the committer itself, so that writer and reader are held against each other.
class ChangelogRestorerTest : public ::testing::Test {
 protected:
  void Commit(uint64_t seq, std::string_view key, std::string_view value) {
    EpochCut cut;
    cut.epoch = seq;
    cut.seq = seq;
    TaskDeltaSink task(cut.state, {Stage::kSeries, 0});
    task.Put(Family::kPanes, key, value);
    task.Put(Family::kMeta, "commit", ByteWriter().U8(1).U64(seq).view());
    const std::unique_ptr<StateStore> scratch = MakeMemoryStore();
    EpochCommitter committer(transport_, *scratch, layout_, "i1", faults_);
    transport_.produced.clear();
    committer.Start(std::move(cut));
    committer.Step();
    for (const OutputRecord& record : transport_.produced) log().push_back(record);
  }
  std::vector<OutputRecord>& log() { return transport_.logs[{layout_.series_topic, 0}]; }
  Status Restore() {
    ChangelogRestorer restorer(transport_, *store_, layout_, "i1");
    restorer.Start({0});
    for (int i = 0; i < 100; ++i) {
      Result<bool> done = restorer.Step(0);
      if (!done.ok()) return done.status();
      orphans_ = restorer.orphan_rows();
      if (*done) return Status::Ok();
    }
    return Status(Code::kTimeout, "restore does not end");
  }
  std::string Value(std::string_view key) {
    std::string value;
    return *store_->Get(Family::kPanes, TaskPrefix({Stage::kSeries, 0}) + std::string(key), &value) ? value : "none";
  }

  ScriptedTransport transport_;
  ChangelogLayout layout_{"shop.changelog.series", "shop.changelog.model", 0};
  std::unique_ptr<StateStore> store_ = MakeMemoryStore();
  FaultPoints faults_;
  int64_t orphans_ = 0;
};

TEST_F(ChangelogRestorerTest, AppliesCommittedSeqs) {
  Commit(1, "a", "1");
  Commit(2, "a", "2");
  Commit(2 + 1, "b", "3");
  ASSERT_TRUE(Restore().ok());
  EXPECT_EQ(Value("a"), "2");
  EXPECT_EQ(Value("b"), "3");
}

TEST_F(ChangelogRestorerTest, LeavesOutRowsWithoutTheirCommitRecord) {
  Commit(1, "a", "1");
  Commit(2, "a", "torn");
  log().pop_back();
  ASSERT_TRUE(Restore().ok());
  EXPECT_EQ(Value("a"), "1");
  EXPECT_EQ(orphans_, 1);
}

TEST_F(ChangelogRestorerTest, ReadsOnlyTheTailTheSecondTime) {
  Commit(1, "a", "1");
  ASSERT_TRUE(Restore().ok());
  Commit(2, "b", "2");
  log()[0].value = "must not be read again";
  ASSERT_TRUE(Restore().ok());
  EXPECT_EQ(Value("a"), "1");
  EXPECT_EQ(Value("b"), "2");
}

TEST_F(ChangelogRestorerTest, RefusesATailWhoseRowsDoNotMatch) {
  Commit(1, "a", "1");
  ASSERT_TRUE(Restore().ok());
  Commit(2, "b", "2");
  log()[2].value = "changed";
  const Status status = Restore();
  EXPECT_EQ(status.code(), Code::kCorruption);
  EXPECT_NE(status.message().find("seq 2"), std::string::npos) << status.message();
  EXPECT_EQ(Value("b"), "none");
}

TEST_F(ChangelogRestorerTest, TakesACompactedLogFromItsBeginning) {
  Commit(1, "a", "1");
  Commit(2, "a", "2");
  // What compaction leaves: the newest row of each key and the newest commit record.
  log().erase(log().begin(), log().begin() + 2);
  Commit(3, "b", "3");
  log().erase(log().begin() + 1);
  ASSERT_TRUE(Restore().ok());
  EXPECT_EQ(Value("a"), "2");
  EXPECT_EQ(Value("b"), "3");
}

}  // namespace
}  // namespace tidecast
