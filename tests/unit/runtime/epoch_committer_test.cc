#include "engine/runtime/epoch_committer.h"

#include <gtest/gtest.h>

#include "state/key_codec.h"
#include "tests/unit/runtime/scripted_transport.h"

namespace tidecast {
namespace {

using testing::ScriptedTransport;

class EpochCommitterTest : public ::testing::Test {
 protected:
  EpochCut MakeCut() {
    EpochCut cut;
    cut.epoch = 1;
    cut.seq = 7;
    OutputRecord output;
    output.topic = "shop.features";
    output.key = "A";
    output.value = "{}";
    cut.outputs.push_back(output);
    TaskDeltaSink task(cut.state, {Stage::kSeries, 3});
    task.Put(Family::kMeta, "commit", "record");
    task.Put(Family::kPanes, "pane", "row");
    task.Delete(Family::kPanes, "old");
    cut.positions.push_back({{"shop.orders", 3}, 42});
    return cut;
  }
  static PackedRecords Rows(const char* topic) {
    PackedRecords rows;
    rows.Add({.topic = topic, .key = "A", .value = "{}"});
    return rows;
  }
  TransportEvent Ended(Outcome outcome, bool state_written = false) {
    TransportEvent event;
    event.outcome = outcome;
    event.state_written = state_written;
    if (outcome != Outcome::kOk) event.status = Status(Code::kAborted, "told to");
    return event;
  }
  bool Stored() {
    std::string value;
    return *store_->Get(Family::kPanes, TaskPrefix({Stage::kSeries, 3}) + "pane", &value);
  }

  ScriptedTransport transport_;
  std::unique_ptr<StateStore> store_ = MakeMemoryStore();
  FaultPoints faults_;
  ManualClock clock_;
  EpochCommitter committer_{transport_, *store_, {"shop.changelog.series", "shop.changelog.model", 5, "i1"},
                            "i1/1",     faults_, clock_};
};

TEST_F(EpochCommitterTest, GoesThroughTheProtocolInOrderWithTheCommitRecordLast) {
  committer_.Start(MakeCut());
  committer_.Step();
  EXPECT_EQ(transport_.calls,
            (std::vector<std::string>{"begin", "produce shop.features", "produce shop.changelog.series",
                                      "produce shop.changelog.series", "produce shop.changelog.series", "offsets",
                                      "commit"}));
  EXPECT_TRUE(transport_.produced.back().key.ends_with("commit"));
  EXPECT_EQ(transport_.produced.back().partition, 3);
  EXPECT_EQ(transport_.offsets[0].next_offset, 42);
}

TEST_F(EpochCommitterTest, WritesTheLocalStoreOnlyAfterTheLogHasCommitted) {
  committer_.Start(MakeCut());
  committer_.Step();
  EXPECT_FALSE(Stored());
  committer_.OnTransaction(Ended(Outcome::kOk));
  EXPECT_EQ(committer_.state(), EpochCommitter::State::kCommitted);
  EXPECT_TRUE(Stored());
  EXPECT_EQ(faults_.reached(CommitStep::kStateWritten), 1);
}

TEST_F(EpochCommitterTest, LeavesTheStoreAloneWhenTheTransportWroteIt) {
  committer_.Start(MakeCut());
  committer_.Step();
  committer_.OnTransaction(Ended(Outcome::kOk, true));
  EXPECT_EQ(committer_.state(), EpochCommitter::State::kCommitted);
  EXPECT_FALSE(Stored());
}

TEST_F(EpochCommitterTest, WaitsForRoomAndGoesOnWhereItStood) {
  transport_.produce_room = 2;
  committer_.Start(MakeCut());
  committer_.Step();
  EXPECT_EQ(committer_.state(), EpochCommitter::State::kProducing);
  transport_.produce_room = 10;
  committer_.Step();
  EXPECT_EQ(committer_.state(), EpochCommitter::State::kCommitting);
  EXPECT_EQ(transport_.produced.size(), 4U);
}

TEST_F(EpochCommitterTest, AbortsWhenTheCommitMayBeAborted) {
  committer_.Start(MakeCut());
  committer_.Step();
  committer_.OnTransaction(Ended(Outcome::kAbortable));
  EXPECT_EQ(transport_.calls.back(), "abort");
  committer_.OnTransaction(Ended(Outcome::kOk));
  EXPECT_EQ(committer_.state(), EpochCommitter::State::kFailed);
  EXPECT_EQ(committer_.outcome(), Outcome::kAbortable);
  EXPECT_FALSE(Stored());
}

TEST_F(EpochCommitterTest, LeavesAnUnknownOutcomeToTheChangelog) {
  committer_.Start(MakeCut());
  committer_.Step();
  committer_.OnTransaction(Ended(Outcome::kUnknown));
  EXPECT_EQ(committer_.state(), EpochCommitter::State::kFailed);
  EXPECT_EQ(committer_.outcome(), Outcome::kUnknown);
  EXPECT_NE(transport_.calls.back(), "abort");
  EXPECT_FALSE(Stored());
}

TEST_F(EpochCommitterTest, WritesNoChangelogWhereTheStoreIsInTheSameCut) {
  transport_.changelog = false;
  committer_.Start(MakeCut());
  committer_.Step();
  EXPECT_EQ(transport_.calls, (std::vector<std::string>{"begin", "produce shop.features", "offsets", "commit"}));
}

TEST_F(EpochCommitterTest, RowsAheadOfTheCutAreOfItsTransaction) {
  committer_.SendAhead(Rows("shop.first"));
  committer_.SendAhead(Rows("shop.second"));
  EXPECT_EQ(transport_.calls, (std::vector<std::string>{"begin", "produce shop.first", "produce shop.second"}));
  EpochCut cut = MakeCut();
  cut.rows.push_back(Rows("shop.third"));
  committer_.Start(std::move(cut));
  committer_.Step();
  EXPECT_EQ(
      transport_.calls,
      (std::vector<std::string>{"begin", "produce shop.first", "produce shop.second", "produce shop.features",
                                "produce shop.third", "produce shop.changelog.series", "produce shop.changelog.series",
                                "produce shop.changelog.series", "offsets", "commit"}));
  committer_.OnTransaction(Ended(Outcome::kOk));
  EXPECT_EQ(committer_.state(), EpochCommitter::State::kCommitted);
}

TEST_F(EpochCommitterTest, RowsThatWereHandedOverTakeNoMemory) {
  transport_.produce_room = 1;
  committer_.SendAhead(Rows("shop.first"));
  EXPECT_EQ(committer_.ahead_bytes(), 0U);
  EXPECT_EQ(committer_.TakeSpent().size(), 1U);
  committer_.SendAhead(Rows("shop.second"));
  EXPECT_GT(committer_.ahead_bytes(), 0U) << "it found no room";
  EXPECT_TRUE(committer_.TakeSpent().empty());
  transport_.produce_room = 100;
  committer_.Step();
  EXPECT_EQ(committer_.ahead_bytes(), 0U);
  committer_.Start(MakeCut());
  EXPECT_EQ(committer_.TakeSpent().size(), 1U);
}

TEST_F(EpochCommitterTest, RowsAheadThatFindNoRoomGoOnLaterInTheirOrder) {
  transport_.produce_room = 1;
  committer_.SendAhead(Rows("shop.first"));
  committer_.SendAhead(Rows("shop.second"));
  committer_.Step();
  EXPECT_EQ(transport_.produced.size(), 1U);
  transport_.produce_room = 2;
  committer_.Step();
  EXPECT_EQ(transport_.produced.back().topic, "shop.second");
  EXPECT_EQ(transport_.produce_room, 1);  // neither was sent twice
}

TEST_F(EpochCommitterTest, RowsWhoseCutNeverComesAreAborted) {
  committer_.SendAhead(Rows("shop.first"));
  EXPECT_TRUE(committer_.busy());
  committer_.Abort();
  EXPECT_EQ(transport_.calls.back(), "abort");
  committer_.OnTransaction(Ended(Outcome::kOk));
  EXPECT_EQ(committer_.state(), EpochCommitter::State::kFailed);
  committer_.Take();
  committer_.Start(MakeCut());  // and are not of the next cut
  committer_.Step();
  EXPECT_EQ(std::count(transport_.calls.begin(), transport_.calls.end(), "produce shop.first"), 1);
}

TEST_F(EpochCommitterTest, ATransactionThatFailsUnderRowsAheadIsAborted) {
  committer_.SendAhead(Rows("shop.first"));
  committer_.OnTransaction(Ended(Outcome::kAbortable));
  EXPECT_EQ(committer_.state(), EpochCommitter::State::kAborting);
  EXPECT_FALSE(committer_.ready());
}

TEST_F(EpochCommitterTest, ACutSharesTheFateOfRowsAheadThatFailed) {
  committer_.SendAhead(Rows("shop.first"));
  committer_.OnTransaction(Ended(Outcome::kAbortable));
  committer_.Start(MakeCut());
  committer_.Step();
  EXPECT_EQ(transport_.calls.back(), "abort");
  committer_.OnTransaction(Ended(Outcome::kOk));
  EXPECT_EQ(committer_.state(), EpochCommitter::State::kFailed);
  EXPECT_EQ(committer_.Take().seq, 7U);
}

// By it a restore tells whether compaction may have taken the record before.
TEST_F(EpochCommitterTest, TellsHowOldTheRecordBeforeWasWhenTheRecordIsMade) {
  const auto start = [&](uint64_t seq) {
    EpochCut cut;
    cut.seq = seq;
    TaskDeltaSink task(cut.state, {Stage::kSeries, 3});
    task.Put(Family::kPanes, "pane", "row");
    task.Put(Family::kMeta, "commit", ByteWriter().U8(1).U64(seq).view());
    committer_.Start(std::move(cut));
  };
  start(1);
  clock_.Advance(Duration(1'000));
  committer_.Step();
  committer_.OnTransaction(Ended(Outcome::kOk));
  committer_.Take();
  start(2);
  transport_.produce_room = 0;
  clock_.Advance(Duration(1'000));
  committer_.Step();  // and the process stands still
  transport_.produce_room = 10;
  clock_.Advance(Duration(7'000));
  committer_.Step();
  std::string age;
  for (const Header& header : transport_.produced.back().headers) {
    if (header.name == "prev_age") age = header.value;
  }
  EXPECT_EQ(age, "8000");
}

}  // namespace
}  // namespace tidecast
