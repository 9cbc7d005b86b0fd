#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "engine/io/embedded_transport.h"
#include "state/testing/faulty_store.h"

namespace tidecast {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr ProcessingTime kStart{1'700'000'000'000'000};

OutputRecord Make(const std::string& topic, int32_t partition, const std::string& key,
                  std::optional<std::string> value) {
  OutputRecord record;
  record.topic = topic;
  record.partition = partition;
  record.key = key;
  record.value = std::move(value);
  return record;
}

class EmbeddedLogTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    transport_.reset();
    transport_ = std::make_unique<EmbeddedTransport>(store_, clock_, options_);
    const Status opened = transport_->Open();
    ASSERT_TRUE(opened.ok()) << opened.message();
  }
  void Create(const std::string& name, std::vector<std::pair<std::string, std::string>> config = {}) {
    const Status created = transport_->CreateTopic({name, 1, std::move(config)});
    ASSERT_TRUE(created.ok()) << created.message();
  }
  void Append(const std::string& topic, const std::string& key, std::optional<std::string> value) {
    const OutputRecord record = Make(topic, 0, key, std::move(value));
    const auto appended = transport_->Append({&record, 1});
    ASSERT_TRUE(appended.ok()) << appended.status().message();
  }
  std::vector<std::string> ReadAll(const std::string& topic, int64_t from = -2) {
    std::vector<std::string> all;
    auto reader = transport_->OpenReader({topic, 0}, from, true);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    if (!reader.ok()) return all;
    const auto batch = (*reader)->MakeBatch();
    for (bool at_end = false; !at_end;) {
      batch->Clear();
      const auto read = (*reader)->Read(*batch, 3, 0);
      EXPECT_TRUE(read.ok()) << read.status().message();
      if (!read.ok()) break;
      for (const InputRecord& record : batch->records()) {
        all.push_back(std::string(record.key) + "=" + std::string(record.value));
      }
      at_end = read->at_end;
    }
    return all;
  }
  int64_t BeginOffset(const std::string& topic) {
    return (*transport_->OpenReader({topic, 0}, -2, true))->begin_offset();
  }
  size_t LogRows() {
    size_t rows = 0;
    EXPECT_TRUE(store_.Scan(Family::kLog, "", "", [&](auto, auto) { return ++rows > 0; }).ok());
    return rows;
  }
  TransportEvent LastEvent() {
    std::vector<TransportEvent> events;
    transport_->Step(0, &events);
    EXPECT_FALSE(events.empty());
    return events.empty() ? TransportEvent{} : events.back();
  }

  ManualClock clock_{kStart};
  std::unique_ptr<StateStore> memory_ = MakeMemoryStore();
  testing::FaultyStore store_{*memory_};
  EmbeddedLogOptions options_;
  std::unique_ptr<EmbeddedTransport> transport_;
};

TEST_F(EmbeddedLogTest, ACommitIsOneWriteOfOutputsPositionsAndState) {
  Create("in");
  Create("out");
  Append("in", "k", "v");
  ASSERT_TRUE(transport_->Join({"in"}).ok());
  const int before = store_.writes();
  ASSERT_TRUE(transport_->Begin().ok());
  ASSERT_TRUE(transport_->Produce(Make("out", 0, "k", "1")).ok());
  ASSERT_TRUE(transport_->SendOffsets(std::vector<Position>{{{"in", 0}, 1}}).ok());
  StateBatch state;
  state.Put(Family::kPanes, "row", "1");
  transport_->Commit(std::move(state));
  EXPECT_EQ(store_.writes(), before + 1);
  EXPECT_TRUE(LastEvent().state_written);
  Reopen();
  EXPECT_EQ(transport_->CommittedPosition({"in", 0})->value(), 1);
  EXPECT_THAT(ReadAll("out"), ElementsAre("k=1"));
}

TEST_F(EmbeddedLogTest, AFullDiskLeavesNothingAndTheRedoTakesTheSameOffsets) {
  Create("out", {{"cleanup.policy", "compact"}});
  store_.FailWrites(Status(Code::kNoSpace, "the disk is full", Domain::kExternal, Retry::kBackoff), 1);
  for (const bool first : {true, false}) {
    ASSERT_TRUE(transport_->Begin().ok());
    ASSERT_TRUE(transport_->Produce(Make("out", 0, "k", "1")).ok());
    StateBatch state;
    state.Put(Family::kPanes, "row", "1");
    transport_->Commit(std::move(state));
    const TransportEvent event = LastEvent();
    EXPECT_EQ(event.outcome, first ? Outcome::kAbortable : Outcome::kOk);
    EXPECT_EQ(event.state_written, !first);
    if (!first) continue;
    EXPECT_EQ(event.status.code(), Code::kNoSpace);
    EXPECT_THAT(ReadAll("out"), IsEmpty());
    transport_->Abort();
    EXPECT_EQ(LastEvent().outcome, Outcome::kOk);
  }
  EXPECT_THAT(ReadAll("out"), ElementsAre("k=1"));
  EXPECT_EQ(*transport_->EndOffset({"out", 0}), 1);
}

TEST_F(EmbeddedLogTest, AppendIsAllOrNothing) {
  Create("in");
  const std::vector<OutputRecord> mixed = {Make("in", 0, "a", "1"), Make("absent", 0, "b", "2")};
  const auto refused = transport_->Append(mixed);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), Code::kNotFound);
  EXPECT_THAT(refused.status().message(), HasSubstr("absent"));
  EXPECT_THAT(ReadAll("in"), IsEmpty());
  const std::vector<OutputRecord> two = {Make("in", 0, "a", "1"), Make("in", 0, "b", "2")};
  const auto positions = transport_->Append(two, true);
  ASSERT_TRUE(positions.ok());
  ASSERT_EQ(positions->size(), 1U);
  EXPECT_EQ(positions->front().next_offset, 2);
  EXPECT_EQ(store_.syncs(), 1);
}

TEST_F(EmbeddedLogTest, ARecordWithoutTimeTakesTheClocks) {
  Create("in");
  Append("in", "k", "v");
  auto reader = transport_->OpenReader({"in", 0}, -2, true);
  const auto batch = (*reader)->MakeBatch();
  ASSERT_TRUE((*reader)->Read(*batch, 10, 0).ok());
  EXPECT_EQ(batch->records().front().record_time.us, kStart.us);
}

TEST_F(EmbeddedLogTest, KeepsTheNewestOfEachKeyOfACompactedTopic) {
  Create("state", {{"cleanup.policy", "compact"}});
  Append("state", "a", "1");
  Append("state", "b", "2");
  Append("state", "a", "3");
  Append("state", "b", std::nullopt);
  EmbeddedBatch out;
  EXPECT_TRUE(*transport_->Latest("state", "a", out));
  EXPECT_EQ(out.records().front().value, "3");
  EXPECT_EQ(out.records().front().offset, 2);
  EXPECT_FALSE(*transport_->Latest("state", "b", out));
  std::vector<std::string> keys;
  ASSERT_TRUE(transport_
                  ->ScanLatest("state",
                               [&](const InputRecord& r) {
                                 keys.emplace_back(r.key);
                                 return true;
                               })
                  .ok());
  EXPECT_THAT(keys, ElementsAre("a"));
}

TEST_F(EmbeddedLogTest, ATopicMadeAnewHasAnotherIdAndNoRecords) {
  Create("in");
  Append("in", "k", "old");
  const std::string id = transport_->DescribeTopic("in")->id;
  EXPECT_THAT(id, ::testing::Not(IsEmpty()));
  ASSERT_TRUE(transport_->DeleteTopic("in").ok());
  EXPECT_EQ(transport_->DescribeTopic("in").status().code(), Code::kNotFound);
  EXPECT_EQ(LogRows(), 0U);
  Reopen();
  Create("in");
  EXPECT_NE(transport_->DescribeTopic("in")->id, id);
  EXPECT_THAT(ReadAll("in"), IsEmpty());
}

/// Segments of about two records, kept for an hour.
class EmbeddedRetentionTest : public EmbeddedLogTest {
 protected:
  void SetUp() override {
    options_.segment_bytes = 200;
    options_.retention_age = std::chrono::hours(1);
    EmbeddedLogTest::SetUp();
  }
  void AppendMany(const std::string& topic, int count) {
    for (int i = 0; i < count; ++i)
      Append(topic, "k" + std::to_string(i % 4), std::to_string(i) + std::string(100, 'x'));
  }
};

TEST_F(EmbeddedRetentionTest, TrimsOldSegmentsThatNobodyReads) {
  Create("out");
  AppendMany("out", 10);
  EXPECT_EQ(BeginOffset("out"), 0);
  clock_.Advance(std::chrono::hours(2));
  AppendMany("out", 4);
  const int64_t begin = BeginOffset("out");
  EXPECT_GT(begin, 0);
  EXPECT_LE(begin, 10);
  EXPECT_EQ(LogRows(), static_cast<size_t>(14 - begin));
  EXPECT_EQ(transport_->OpenReader({"out", 0}, 0, true).status().code(), Code::kNotFound);
  Reopen();
  EXPECT_EQ(BeginOffset("out"), begin);
  EXPECT_EQ(ReadAll("out").size(), static_cast<size_t>(14 - begin));
}

TEST_F(EmbeddedRetentionTest, NeverTrimsWhatTheGroupHasNotPassed) {
  Create("in");
  ASSERT_TRUE(transport_->Join({"in"}).ok());
  AppendMany("in", 10);
  ASSERT_TRUE(transport_->Begin().ok());
  ASSERT_TRUE(transport_->SendOffsets(std::vector<Position>{{{"in", 0}, 5}}).ok());
  transport_->Commit({});
  Reopen();  // the position is stored, and no cursor is open
  clock_.Advance(std::chrono::hours(2));
  AppendMany("in", 4);
  EXPECT_GT(BeginOffset("in"), 0);
  EXPECT_LE(BeginOffset("in"), 5);
}

TEST_F(EmbeddedRetentionTest, TrimsYoungSegmentsThatAreDiscarded) {
  Create("out");
  AppendMany("out", 10);
  transport_->DiscardBelow(std::vector<Position>{{{"out", 0}, 5, {}}, {{"out", 7}, 5, {}}, {{"nowhere", 0}, 5, {}}});
  AppendMany("out", 4);
  EXPECT_GT(BeginOffset("out"), 0);
  EXPECT_LE(BeginOffset("out"), 5);
}

TEST_F(EmbeddedRetentionTest, NeverTrimsWhatAnOpenReaderHasNotPassed) {
  Create("out");
  AppendMany("out", 10);
  auto reader = transport_->OpenReader({"out", 0}, 3, true);
  ASSERT_TRUE(reader.ok());
  clock_.Advance(std::chrono::hours(2));
  AppendMany("out", 4);
  EXPECT_LE(BeginOffset("out"), 3);
  const auto batch = (*reader)->MakeBatch();
  ASSERT_TRUE((*reader)->Read(*batch, 1, 0).ok());
  EXPECT_EQ(batch->records().front().offset, 3);
  (*reader).reset();
  AppendMany("out", 4);
  EXPECT_GT(BeginOffset("out"), 3);
}

TEST_F(EmbeddedRetentionTest, KeepsAPartitionWithinItsBytes) {
  Create("out", {{"retention.ms", "-1"}, {"retention.bytes", "1000"}});
  AppendMany("out", 200);
  EXPECT_LE(LogRows(), 12U);
  EXPECT_GE(LogRows(), 6U);
}

TEST_F(EmbeddedRetentionTest, AFailedWriteTrimsNothing) {
  Create("out");
  AppendMany("out", 10);
  clock_.Advance(std::chrono::hours(2));
  store_.FailWrites(Status(Code::kNoSpace, "full"), 1);
  const OutputRecord record = Make("out", 0, "k", std::string(100, 'y'));
  EXPECT_FALSE(transport_->Append({&record, 1}).ok());
  EXPECT_EQ(BeginOffset("out"), 0);
  EXPECT_EQ(ReadAll("out").size(), 10U);
  ASSERT_TRUE(transport_->Append({&record, 1}).ok());
  EXPECT_GT(BeginOffset("out"), 0);
}

TEST_F(EmbeddedRetentionTest, ATrimmedCompactedTopicStillGivesTheNewestOfEachKey) {
  Create("state", {{"cleanup.policy", "compact"}});
  Append("state", "early", "1");
  AppendMany("state", 10);
  Append("state", "gone", "1");
  Append("state", "gone", std::nullopt);
  clock_.Advance(std::chrono::hours(2));
  AppendMany("state", 4);
  AppendMany("state", 4);
  ASSERT_LT(LogRows(), 21U);
  for (const bool reopened : {false, true}) {
    if (reopened) Reopen();
    std::map<std::string, std::string> fold;
    for (const std::string& record : ReadAll("state", 0)) fold[record.substr(0, record.find('='))] = record;
    EXPECT_EQ(fold["early"], "early=1");
    EXPECT_EQ(fold["k3"].substr(0, 4), "k3=3");
    EXPECT_FALSE(fold.contains("gone") && fold["gone"] != "gone=");
    EXPECT_EQ(fold.size() - fold.count("gone"), 5U);
  }
}

TEST_F(EmbeddedLogTest, SettingsThatMakeNoSenseAreRefused) {
  EXPECT_EQ(transport_->CreateTopic({"a b", 1, {}}).code(), Code::kConfig);
  EXPECT_EQ(transport_->CreateTopic({"", 1, {}}).code(), Code::kConfig);
  EXPECT_EQ(transport_->CreateTopic({"a", 100000, {}}).code(), Code::kConfig);
  EXPECT_EQ(transport_->CreateTopic({"a", 1, {{"retention.ms", "soon"}}}).code(), Code::kConfig);
  ASSERT_TRUE(transport_->CreateTopic({"a", 0, {}}).ok());
  EXPECT_EQ(transport_->DescribeTopic("a")->partitions, options_.partitions);
  EXPECT_EQ(transport_->CreateTopic({"a", 0, {{"cleanup.policy", "compact"}}}).code(), Code::kConfig);
}

TEST_F(EmbeddedLogTest, ManyFeedersLeaveNoGapAndNothingTwice) {
  Create("in");
  constexpr int kThreads = 4;
  constexpr int kEach = 300;
  std::vector<std::thread> feeders;
  for (int t = 0; t < kThreads; ++t) {
    feeders.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) Append("in", std::to_string(t), std::to_string(i));
    });
  }
  ASSERT_TRUE(transport_->Join({"in"}).ok());
  ASSERT_TRUE(transport_->StartAt(std::vector<Position>{{{"in", 0}, -2}}).ok());
  EmbeddedBatch batch;
  std::map<std::string, int> next;
  int64_t offset = 0;
  while (offset < kThreads * kEach) {
    batch.Clear();
    ASSERT_TRUE(transport_->Poll(0, 64, 1 << 20, batch).ok());
    for (const InputRecord& record : batch.records()) {
      EXPECT_EQ(record.offset, offset++);
      EXPECT_EQ(record.value, std::to_string(next[std::string(record.key)]++));
    }
  }
  for (std::thread& feeder : feeders) feeder.join();
}

}  // namespace
}  // namespace tidecast
