#pragma once

// The contract of LogTransport as tests that every implementation passes: the embedded log, Kafka, the simulated Kafka.
// Include it in one file of a test program and add
//   INSTANTIATE_TEST_SUITE_P(Embedded, LogTransportContract, ::testing::Values(LogWorldFactory(...)));
// Nothing is inferred from offsets but their order: markers take offsets in Kafka. Nothing is expected at once: the
// suite drives the client by Step until what it waits for has come, or the world's deadline has passed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/hash.h"
#include "tests/contract/log_world.h"

namespace tidecast::contract {

/// A record that outlives its batch.
struct SeenRecord {
  int64_t offset = 0;
  EventTime record_time;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::string>> headers;
};

inline SeenRecord Keep(const InputRecord& record) {
  SeenRecord seen;
  seen.offset = record.offset;
  seen.record_time = record.record_time;
  if (record.has_key) seen.key = std::string(record.key);
  if (!record.is_null) seen.value = std::string(record.value);
  for (const HeaderView& header : record.headers) seen.headers.emplace_back(header.name, header.value);
  return seen;
}

inline std::vector<std::string> Values(const std::vector<SeenRecord>& records) {
  std::vector<std::string> values;
  for (const SeenRecord& record : records) values.push_back(record.value.value_or("<null>"));
  return values;
}

inline OutputRecord MakeRecord(const std::string& topic, int32_t partition, const std::string& key,
                               std::optional<std::string> value) {
  OutputRecord record;
  record.topic = topic;
  record.partition = partition;
  record.key = key;
  record.value = std::move(value);
  return record;
}

/// `count` records "<stem>0", "<stem>1", ... with keys "k0" ... on one partition.
inline std::vector<OutputRecord> MakeRecords(const std::string& topic, int32_t partition, const std::string& stem,
                                             int count) {
  std::vector<OutputRecord> records;
  for (int i = 0; i < count; ++i) {
    records.push_back(MakeRecord(topic, partition, "k" + std::to_string(i), stem + std::to_string(i)));
  }
  return records;
}

class LogTransportContract : public ::testing::TestWithParam<LogWorldFactory> {
 protected:
  using Clock = std::chrono::steady_clock;

  void SetUp() override { world_ = GetParam()(); }
  void TearDown() override {
    client_.reset();
    world_.reset();
  }

  /// Repeats `attempt` until it is true; false once the deadline has passed.
  bool Await(const std::function<bool()>& attempt) {
    const auto end = Clock::now() + world_->Deadline();
    while (!attempt()) {
      if (Clock::now() > end) return false;
    }
    return true;
  }

  void OpenClient(const std::string& member = "m1") {
    events_.clear();
    client_ = world_->MakeClient(member);
    const Status status = client_->Open();
    ASSERT_TRUE(status.ok()) << status.message();
  }
  void Reopen() {
    client_.reset();
    OpenClient();
  }

  /// Creates a topic, and waits until it can be described.
  std::string MakeTopic(const std::string& base, int32_t partitions, bool compacted = false) {
    const std::string name = world_->TopicName(base);
    TopicSpec spec{name, partitions, {{"retention.ms", "-1"}}};
    if (compacted) spec.config = {{"cleanup.policy", "compact"}};
    const Status status = client_->CreateTopic(spec);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_TRUE(Await([&] { return client_->DescribeTopic(name).ok(); })) << name << " does not appear";
    return name;
  }

  /// Steps once and keeps the events.
  void StepOnce() { client_->Step(world_->WaitMs(), &events_); }

  /// Steps until an event of the kind has come, and takes it out.
  std::optional<TransportEvent> AwaitEvent(TransportEvent::Kind kind) {
    std::optional<TransportEvent> found;
    Await([&] {
      for (size_t i = 0; i < events_.size(); ++i) {
        if (events_[i].kind != kind) continue;
        found = std::move(events_[i]);
        events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(i));
        return true;
      }
      StepOnce();
      return false;
    });
    return found;
  }

  /// Joins and waits for the partitions; starts all of them, at their beginning unless `starts` says otherwise.
  void JoinAndStart(const std::vector<std::string>& topics, const std::map<TopicPartition, int64_t>& starts = {}) {
    const Status joined = client_->Join(topics);
    ASSERT_TRUE(joined.ok()) << joined.message();
    const auto assigned = AwaitEvent(TransportEvent::Kind::kAssigned);
    ASSERT_TRUE(assigned.has_value()) << "no assignment within the deadline";
    std::vector<Position> positions;
    handles_.clear();
    for (const TopicPartition& source : assigned->partitions) {
      const auto start = starts.find(source);
      handles_[source] = static_cast<uint32_t>(positions.size());
      positions.push_back({source, start == starts.end() ? -2 : start->second});
    }
    const Status started = client_->StartAt(positions);
    ASSERT_TRUE(started.ok()) << started.message();
  }

  /// One poll, appended to `out`; the offsets' order and the position are checked on the way.
  PollResult PollOnce(const TopicPartition& source, std::vector<SeenRecord>& out, size_t records_max = 1000,
                      size_t bytes_max = 1 << 20) {
    auto batch = client_->MakeBatch();
    const Result<PollResult> polled = client_->Poll(handles_.at(source), records_max, bytes_max, *batch);
    EXPECT_TRUE(polled.ok()) << polled.status().message();
    if (!polled.ok()) return {};
    EXPECT_LE(batch->records().size(), records_max);
    for (const InputRecord& record : batch->records()) {
      if (!out.empty()) {
        EXPECT_GT(record.offset, out.back().offset) << "not in the order of offsets";
      }
      EXPECT_LT(record.offset, polled->next_offset);
      out.push_back(Keep(record));
    }
    position_[source] = polled->next_offset;
    return *polled;
  }

  /// Polls until `count` records are there (or the deadline has passed).
  std::vector<SeenRecord> ReadCount(const TopicPartition& source, size_t count, size_t records_max = 1000) {
    std::vector<SeenRecord> seen;
    Await([&] {
      StepOnce();
      PollOnce(source, seen, records_max);
      return seen.size() >= count;
    });
    EXPECT_EQ(seen.size(), count);
    return seen;
  }

  /// Polls until the partition says that it is at its end.
  std::vector<SeenRecord> ReadToEnd(const TopicPartition& source, size_t records_max = 1000) {
    std::vector<SeenRecord> seen;
    EXPECT_TRUE(Await([&] {
      StepOnce();
      return PollOnce(source, seen, records_max).at_end;
    })) << "no end of the partition within the deadline";
    return seen;
  }

  /// Reads a partition apart from the group, up to the end it had when the reader was opened.
  std::vector<SeenRecord> ReadApart(const TopicPartition& source, int64_t from = -2, bool read_committed = true) {
    std::vector<SeenRecord> seen;
    auto reader = client_->OpenReader(source, from, read_committed);
    EXPECT_TRUE(reader.ok()) << reader.status().message();
    if (!reader.ok()) return seen;
    auto batch = (*reader)->MakeBatch();
    EXPECT_TRUE(Await([&] {
      batch->Clear();
      const auto read = (*reader)->Read(*batch, 1000, world_->WaitMs());
      EXPECT_TRUE(read.ok()) << read.status().message();
      if (!read.ok()) return true;
      for (const InputRecord& record : batch->records()) seen.push_back(Keep(record));
      return read->at_end;
    })) << "the reader does not reach its end";
    return seen;
  }
  /// The values of a partition once there are `count` of them (a log may need a moment to show what was committed).
  std::vector<std::string> AwaitValues(const TopicPartition& source, size_t count) {
    std::vector<std::string> values;
    Await([&] {
      values = Values(ReadApart(source));
      return values.size() >= count;
    });
    return values;
  }

  void Produce(const OutputRecord& record) {
    Status status;
    ASSERT_TRUE(Await([&] {
      status = client_->Produce(record);
      if (status.code() != Code::kWouldBlock) return true;
      StepOnce();
      return false;
    }));
    ASSERT_TRUE(status.ok()) << status.message();
  }
  void Begin() {
    const Status status = client_->Begin();
    ASSERT_TRUE(status.ok()) << status.message();
  }
  void SendOffsets(const std::vector<Position>& positions) {
    const Status status = client_->SendOffsets(positions);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  TransportEvent CommitNow(StateBatch&& state = {}) {
    client_->Commit(std::move(state));
    auto event = AwaitEvent(TransportEvent::Kind::kTransaction);
    EXPECT_TRUE(event.has_value()) << "the commit does not end";
    return event.value_or(TransportEvent{});
  }
  TransportEvent AbortNow() {
    client_->Abort();
    auto event = AwaitEvent(TransportEvent::Kind::kTransaction);
    EXPECT_TRUE(event.has_value()) << "the abort does not end";
    return event.value_or(TransportEvent{});
  }
  void CommitRecords(const std::vector<OutputRecord>& records) {
    Begin();
    for (const OutputRecord& record : records) Produce(record);
    const TransportEvent event = CommitNow();
    ASSERT_EQ(event.outcome, Outcome::kOk) << event.status.message();
  }

  std::unique_ptr<LogWorld> world_;
  std::unique_ptr<LogTransport> client_;
  std::vector<TransportEvent> events_;
  std::map<TopicPartition, uint32_t> handles_;
  std::map<TopicPartition, int64_t> position_;  ///< after the last poll
};

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// --- topics

TEST_P(LogTransportContract, DescribesTheTopicThatWasCreated) {
  OpenClient();
  const std::string name = MakeTopic("created", 3);
  const auto info = client_->DescribeTopic(name);
  ASSERT_TRUE(info.ok()) << info.status().message();
  EXPECT_EQ(info->name, name);
  EXPECT_EQ(info->partitions, 3);
  const auto all = client_->ListTopics();
  ASSERT_TRUE(all.ok()) << all.status().message();
  EXPECT_TRUE(std::any_of(all->begin(), all->end(), [&](const TopicInfo& t) { return t.name == name; }));
}

TEST_P(LogTransportContract, TellsThatATopicIsNotThere) {
  OpenClient();
  const auto info = client_->DescribeTopic(world_->TopicName("absent"));
  ASSERT_FALSE(info.ok());
  EXPECT_EQ(info.status().code(), Code::kNotFound);
}

TEST_P(LogTransportContract, CreatesATopicTwiceWithoutComplaint) {
  OpenClient();
  const std::string name = MakeTopic("twice", 2);
  const std::string id = client_->DescribeTopic(name)->id;
  const Status again = client_->CreateTopic({name, 2, {{"retention.ms", "-1"}}});
  EXPECT_TRUE(again.ok()) << again.message();
  EXPECT_EQ(client_->DescribeTopic(name)->id, id);
}

TEST_P(LogTransportContract, RefusesAnotherPartitionCountAndNamesBoth) {
  OpenClient();
  const std::string name = MakeTopic("shape", 3);
  const Status refused = client_->CreateTopic({name, 7, {}});
  ASSERT_EQ(refused.code(), Code::kConfig) << refused.message();
  EXPECT_THAT(refused.message(), ::testing::HasSubstr(name));
  EXPECT_THAT(refused.message(), ::testing::HasSubstr("3"));
  EXPECT_THAT(refused.message(), ::testing::HasSubstr("7"));
  EXPECT_EQ(client_->DescribeTopic(name)->partitions, 3);
}

TEST_P(LogTransportContract, RefusesToJoinWhatIsNotThere) {
  OpenClient();
  const std::string name = world_->TopicName("nobody");
  const Status joined = client_->Join({name});
  ASSERT_FALSE(joined.ok());
  EXPECT_THAT(joined.message(), ::testing::HasSubstr(name));
}

// --- reading

TEST_P(LogTransportContract, AssignsEveryPartitionOfTheJoinedTopicsToASingleMember) {
  OpenClient();
  const std::string a = MakeTopic("a", 2);
  const std::string b = MakeTopic("b", 2);
  ASSERT_TRUE(client_->Join({a, b}).ok());
  const auto assigned = AwaitEvent(TransportEvent::Kind::kAssigned);
  ASSERT_TRUE(assigned.has_value());
  EXPECT_THAT(assigned->partitions, ::testing::UnorderedElementsAre(TopicPartition{a, 0}, TopicPartition{a, 1},
                                                                    TopicPartition{b, 0}, TopicPartition{b, 1}));
}

TEST_P(LogTransportContract, ReadsWhatAnotherProducerFedInOrder) {
  OpenClient();
  const std::string topic = MakeTopic("in", 1);
  world_->Feed(*client_, MakeRecords(topic, 0, "v", 5));
  JoinAndStart({topic});
  EXPECT_THAT(Values(ReadCount({topic, 0}, 5)), ElementsAre("v0", "v1", "v2", "v3", "v4"));
  EXPECT_THAT(ReadToEnd({topic, 0}), IsEmpty());
}

TEST_P(LogTransportContract, ReadsWhatIsFedAfterTheStart) {
  OpenClient();
  const std::string topic = MakeTopic("in", 1);
  JoinAndStart({topic});
  EXPECT_THAT(ReadToEnd({topic, 0}), IsEmpty());
  world_->Feed(*client_, MakeRecords(topic, 0, "v", 3));
  EXPECT_THAT(Values(ReadCount({topic, 0}, 3)), ElementsAre("v0", "v1", "v2"));
}

TEST_P(LogTransportContract, ReadsAPartitionWithoutGapOrRepetitionWhateverTheSizeOfAPoll) {
  OpenClient();
  const std::string topic = MakeTopic("in", 1);
  constexpr int kRecords = 500;
  world_->Feed(*client_, MakeRecords(topic, 0, "v", kRecords));
  JoinAndStart({topic});
  std::vector<SeenRecord> seen;
  size_t size = 1;
  ASSERT_TRUE(Await([&] {
    StepOnce();
    PollOnce({topic, 0}, seen, size);
    size = size % 37 + 1;
    return seen.size() >= kRecords;
  }));
  ASSERT_EQ(seen.size(), static_cast<size_t>(kRecords));
  for (int i = 0; i < kRecords; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)].value, "v" + std::to_string(i));
}

TEST_P(LogTransportContract, KeepsAPollWithinItsBytesButGivesAtLeastOneRecord) {
  OpenClient();
  const std::string topic = MakeTopic("in", 1);
  std::vector<OutputRecord> records;
  for (int i = 0; i < 20; ++i) records.push_back(MakeRecord(topic, 0, "k", std::string(1000, 'x')));
  world_->Feed(*client_, records);
  JoinAndStart({topic});
  std::vector<SeenRecord> seen;
  size_t most = 0;
  ASSERT_TRUE(Await([&] {
    StepOnce();
    const size_t before = seen.size();
    PollOnce({topic, 0}, seen, 1000, 3500);
    most = std::max(most, seen.size() - before);
    return seen.size() >= records.size();
  }));
  EXPECT_LE(most, 4U);
  std::vector<SeenRecord> rest;
  world_->Feed(*client_, {MakeRecord(topic, 0, "k", std::string(5000, 'y'))});
  ASSERT_TRUE(Await([&] {
    StepOnce();
    PollOnce({topic, 0}, rest, 1000, 10);
    return !rest.empty();
  }));
  EXPECT_EQ(rest.size(), 1U);
}

TEST_P(LogTransportContract, KeepsPartitionsApart) {
  OpenClient();
  const std::string topic = MakeTopic("in", 3);
  for (int32_t p = 0; p < 3; ++p) world_->Feed(*client_, MakeRecords(topic, p, "p" + std::to_string(p) + "-", 2));
  JoinAndStart({topic});
  for (int32_t p = 2; p >= 0; --p) {
    const std::string stem = "p" + std::to_string(p) + "-";
    EXPECT_THAT(Values(ReadCount({topic, p}, 2)), ElementsAre(stem + "0", stem + "1"));
  }
}

TEST_P(LogTransportContract, StartsExactlyAtTheAskedOffset) {
  OpenClient();
  const std::string topic = MakeTopic("in", 1);
  world_->Feed(*client_, MakeRecords(topic, 0, "v", 10));
  JoinAndStart({topic});
  const auto all = ReadCount({topic, 0}, 10);
  ASSERT_EQ(all.size(), 10U);
  ASSERT_TRUE(client_->StartAt(std::vector<Position>{{{topic, 0}, all[6].offset}}).ok());
  handles_ = {{{topic, 0}, 0}};
  EXPECT_THAT(Values(ReadCount({topic, 0}, 4)), ElementsAre("v6", "v7", "v8", "v9"));
}

TEST_P(LogTransportContract, DiscardsNothingButWhatLiesBelow) {
  OpenClient();
  const std::string topic = MakeTopic("in", 2);
  world_->Feed(*client_, MakeRecords(topic, 0, "v", 10));
  world_->Feed(*client_, MakeRecords(topic, 1, "w", 3));
  JoinAndStart({topic});
  const auto all = ReadCount({topic, 0}, 10);
  ASSERT_EQ(all.size(), 10U);
  client_->DiscardBelow(std::vector<Position>{{{topic, 0}, all[6].offset, {}}});
  if (world_->DiscardsAtOnce()) {
    EXPECT_TRUE(Await([&] {
      StepOnce();
      const auto reader = client_->OpenReader({topic, 0}, -2, true);
      return reader.ok() && (*reader)->begin_offset() == all[6].offset;
    }));
  }
  ASSERT_TRUE(client_->StartAt(std::vector<Position>{{{topic, 0}, all[6].offset, {}}, {{topic, 1}, -2, {}}}).ok());
  handles_ = {{{topic, 0}, 0}, {{topic, 1}, 1}};
  EXPECT_THAT(Values(ReadCount({topic, 0}, 4)), ElementsAre("v6", "v7", "v8", "v9"));
  EXPECT_THAT(Values(ReadCount({topic, 1}, 3)), ElementsAre("w0", "w1", "w2"));
}

TEST_P(LogTransportContract, EndOffsetIsWhereAReaderStandsOnceItIsAtTheEnd) {
  OpenClient();
  const std::string topic = MakeTopic("in", 1);
  world_->Feed(*client_, MakeRecords(topic, 0, "v", 4));
  JoinAndStart({topic});
  ReadCount({topic, 0}, 4);
  ReadToEnd({topic, 0});
  const auto end = client_->EndOffset({topic, 0});
  ASSERT_TRUE(end.ok()) << end.status().message();
  EXPECT_EQ(*end, (position_[{topic, 0}]));
}

TEST_P(LogTransportContract, CarriesKeysHeadersNullsAndRecordTime) {
  OpenClient();
  const std::string topic = MakeTopic("round", 1);
  OutputRecord full = MakeRecord(topic, 0, std::string("k\0\xff", 3), std::string("v\0\x80\n", 4));
  full.headers = {{"h", "1"}, {"h", "2"}, {"empty", ""}};
  full.record_time = EventTime::FromMillis(1'700'000'000'123);
  OutputRecord tombstone = MakeRecord(topic, 0, "gone", std::nullopt);
  tombstone.record_time = EventTime::FromMillis(1'700'000'000'124);
  OutputRecord empty = MakeRecord(topic, 0, "e", "");
  empty.record_time = EventTime::FromMillis(1'700'000'000'125);
  CommitRecords({full, tombstone, empty});
  JoinAndStart({topic});
  const auto seen = ReadCount({topic, 0}, 3);
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].key, full.key);
  EXPECT_EQ(seen[0].value, full.value);
  EXPECT_EQ(seen[0].record_time, full.record_time);
  EXPECT_THAT(seen[0].headers,
              ElementsAre(std::make_pair("h", "1"), std::make_pair("h", "2"), std::make_pair("empty", "")));
  EXPECT_EQ(seen[1].key, "gone");
  EXPECT_EQ(seen[1].value, std::nullopt);
  EXPECT_EQ(seen[1].record_time, tombstone.record_time);
  EXPECT_EQ(seen[2].value, "");
}

TEST_P(LogTransportContract, ABatchThatMayLeaveOutHeadersCarriesTheRest) {
  OpenClient();
  const std::string topic = MakeTopic("plain", 1);
  OutputRecord record = MakeRecord(topic, 0, "k", "v");
  record.headers = {{"h", "1"}};
  record.record_time = EventTime::FromMillis(1'700'000'000'123);
  CommitRecords({record, record});
  JoinAndStart({topic});
  auto batch = client_->MakeBatch();
  batch->LeaveOutHeaders();
  std::vector<SeenRecord> seen;
  EXPECT_TRUE(Await([&] {
    StepOnce();
    batch->Clear();
    EXPECT_TRUE(client_->Poll(handles_.at({topic, 0}), 1, 1 << 20, *batch).ok());
    for (const InputRecord& read : batch->records()) seen.push_back(Keep(read));
    return seen.size() == 2;
  }));
  for (const SeenRecord& read : seen) {
    EXPECT_EQ(read.key, "k");
    EXPECT_EQ(read.value, "v");
    EXPECT_EQ(read.record_time, record.record_time);
  }
}

TEST_P(LogTransportContract, ChoosesThePartitionByMurmur2OfTheKey) {
  OpenClient();
  const std::string topic = MakeTopic("keyed", 5);
  std::vector<OutputRecord> records;
  std::map<int32_t, std::vector<std::string>> expected;
  for (int i = 0; i < 20; ++i) {
    const std::string key = "sku-" + std::to_string(i);
    records.push_back(MakeRecord(topic, -1, key, key));
    expected[PartitionOf(key, 5)].push_back(key);
  }
  CommitRecords(records);
  for (int32_t p = 0; p < 5; ++p) EXPECT_EQ(AwaitValues({topic, p}, expected[p].size()), expected[p]) << p;
}

// --- transactions

TEST_P(LogTransportContract, ShowsWhatWasCommitted) {
  OpenClient();
  const std::string topic = MakeTopic("out", 2);
  Begin();
  Produce(MakeRecord(topic, 0, "a", "1"));
  Produce(MakeRecord(topic, 1, "b", "2"));
  Produce(MakeRecord(topic, 0, "a", "3"));
  const TransportEvent event = CommitNow();
  EXPECT_EQ(event.outcome, Outcome::kOk) << event.status.message();
  EXPECT_TRUE(event.status.ok());
  EXPECT_THAT(AwaitValues({topic, 0}, 2), ElementsAre("1", "3"));
  EXPECT_THAT(AwaitValues({topic, 1}, 1), ElementsAre("2"));
}

// Long runs of one partition, short ones, headers and tombstones between them: all that a transport may hand on
// together.
TEST_P(LogTransportContract, ManyRecordsKeepTheirOrderAndTheirForm) {
  OpenClient();
  const std::string topic = MakeTopic("out", 2);
  const std::string other = MakeTopic("other", 2);
  const HeaderView header{"id", "7"};
  PackedRecords records;
  std::map<TopicPartition, std::vector<SeenRecord>> expected;
  const auto add = [&](const std::string& to, int32_t partition, int n) {
    const std::string value = n % 50 == 13 ? std::string() : fmt::format("v{}", n);
    const std::string key = n % 7 == 3 ? std::string() : fmt::format("k{}", n);
    RecordView record{.topic = to, .partition = partition, .key = key, .value = value, .is_null = n % 90 == 17};
    if (record.is_null) record.value = {};
    if (n % 40 == 5) record.headers = {&header, 1};
    records.Add(record);
    SeenRecord& seen = expected[{to, partition}].emplace_back();
    if (!key.empty()) seen.key = key;
    if (!record.is_null) seen.value = value;
    if (n % 40 == 5) seen.headers = {{"id", "7"}};
  };
  for (int n = 0; n < 540; ++n) add(topic, 0, n);
  for (int n = 0; n < 40; ++n) add(n % 4 == 0 ? other : topic, n / 2 % 2, n);
  for (int n = 0; n < 30; ++n) add(other, 1, n);
  Begin();
  size_t next = 0;
  Status status;
  ASSERT_TRUE(Await([&] {
    status = client_->ProduceMany(records, &next);
    if (status.code() != Code::kWouldBlock) return true;
    StepOnce();
    return false;
  }));
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(next, records.size());
  EXPECT_EQ(CommitNow().outcome, Outcome::kOk);
  for (const auto& [source, wanted] : expected) {
    AwaitValues(source, wanted.size());
    const std::vector<SeenRecord> seen = ReadApart(source);
    ASSERT_EQ(seen.size(), wanted.size()) << source.topic << source.partition;
    for (size_t i = 0; i < seen.size(); ++i) {
      EXPECT_EQ(seen[i].key, wanted[i].key) << i;
      EXPECT_EQ(seen[i].value, wanted[i].value) << i;
      EXPECT_EQ(seen[i].headers, wanted[i].headers) << i;
    }
  }
}

TEST_P(LogTransportContract, NeverShowsWhatWasAborted) {
  OpenClient();
  const std::string topic = MakeTopic("out", 1);
  Begin();
  Produce(MakeRecord(topic, 0, "a", "dropped"));
  EXPECT_EQ(AbortNow().outcome, Outcome::kOk);
  CommitRecords({MakeRecord(topic, 0, "a", "kept")});
  EXPECT_THAT(AwaitValues({topic, 0}, 1), ElementsAre("kept"));
  JoinAndStart({topic});
  EXPECT_THAT(Values(ReadCount({topic, 0}, 1)), ElementsAre("kept"));
  EXPECT_THAT(ReadToEnd({topic, 0}), IsEmpty());
}

TEST_P(LogTransportContract, HidesAnOpenTransactionFromReaders) {
  OpenClient();
  const std::string topic = MakeTopic("both", 1);
  world_->Feed(*client_, {MakeRecord(topic, 0, "a", "before")});
  JoinAndStart({topic});
  EXPECT_THAT(Values(ReadCount({topic, 0}, 1)), ElementsAre("before"));
  Begin();
  Produce(MakeRecord(topic, 0, "a", "open"));
  std::vector<SeenRecord> seen;
  for (int i = 0; i < 20; ++i) {
    StepOnce();
    PollOnce({topic, 0}, seen);
  }
  EXPECT_THAT(seen, IsEmpty());
  EXPECT_EQ(CommitNow().outcome, Outcome::kOk);
  EXPECT_THAT(Values(ReadCount({topic, 0}, 1)), ElementsAre("open"));
}

TEST_P(LogTransportContract, DropsAnOpenTransactionWhenTheClientDies) {
  OpenClient();
  const std::string topic = MakeTopic("out", 1);
  Begin();
  Produce(MakeRecord(topic, 0, "a", "lost"));
  Reopen();
  CommitRecords({MakeRecord(topic, 0, "a", "kept")});
  EXPECT_THAT(AwaitValues({topic, 0}, 1), ElementsAre("kept"));
}

TEST_P(LogTransportContract, CommitsAnEmptyTransaction) {
  OpenClient();
  Begin();
  EXPECT_EQ(CommitNow().outcome, Outcome::kOk);
  Begin();
  EXPECT_EQ(AbortNow().outcome, Outcome::kOk);
}

TEST_P(LogTransportContract, MovesOutputsAndPositionsTogether) {
  OpenClient();
  const std::string in = MakeTopic("in", 1);
  const std::string out = MakeTopic("out", 1);
  world_->Feed(*client_, MakeRecords(in, 0, "v", 6));
  JoinAndStart({in});
  const auto input = ReadCount({in, 0}, 6);
  ASSERT_EQ(input.size(), 6U);

  Begin();
  Produce(MakeRecord(out, 0, "a", "first"));
  SendOffsets({{{in, 0}, input[2].offset}});
  ASSERT_EQ(CommitNow().outcome, Outcome::kOk);
  EXPECT_EQ(world_->CommittedPosition(*client_, {in, 0}), input[2].offset);

  Begin();
  Produce(MakeRecord(out, 0, "a", "dropped"));
  SendOffsets({{{in, 0}, input[5].offset}});
  ASSERT_EQ(AbortNow().outcome, Outcome::kOk);
  EXPECT_EQ(world_->CommittedPosition(*client_, {in, 0}), input[2].offset);
  EXPECT_THAT(AwaitValues({out, 0}, 1), ElementsAre("first"));
}

TEST_P(LogTransportContract, TellsTheCommittedPositionsAndTheirNotes) {
  OpenClient();
  const std::string in = MakeTopic("in", 2);
  world_->Feed(*client_, MakeRecords(in, 0, "v", 3));
  JoinAndStart({in});
  const auto input = ReadCount({in, 0}, 3);
  ASSERT_EQ(input.size(), 3U);
  const std::vector<TopicPartition> sources = {{in, 0}, {in, 1}};
  const auto committed = [&] {
    std::vector<Position> positions;
    EXPECT_TRUE(Await([&] {
      auto found = client_->CommittedPositions(sources);
      if (!found.ok()) {
        EXPECT_EQ(found.status().retry(), Retry::kBackoff) << found.status().message();
        StepOnce();
        return false;
      }
      positions = std::move(found).value();
      return true;
    }));
    return positions;
  };
  const auto before = committed();
  ASSERT_EQ(before.size(), 2U);
  EXPECT_LE(before[0].next_offset, 0);

  Begin();
  SendOffsets({{{in, 0}, input[1].offset, "by m1"}});
  ASSERT_EQ(CommitNow().outcome, Outcome::kOk);
  const auto after = committed();
  ASSERT_EQ(after.size(), 2U);
  EXPECT_EQ(after[0].source, sources[0]);
  EXPECT_EQ(after[0].next_offset, input[1].offset);
  EXPECT_LE(after[1].next_offset, 0);
  // A log without other hands on it (embedded) keeps no notes.
  if (client_->needs_changelog()) {
    EXPECT_EQ(after[0].note, "by m1");
  }
}

TEST_P(LogTransportContract, GoesOnAtTheCommittedPositionAfterAReopen) {
  OpenClient();
  const std::string in = MakeTopic("in", 1);
  const std::string out = MakeTopic("out", 1);
  constexpr size_t kRecords = 40;
  constexpr size_t kAtOnce = 7;
  world_->Feed(*client_, MakeRecords(in, 0, "v", kRecords));
  // Copies the input to the output, seven records a transaction; every second one dies before its commit.
  for (int round = 0; round < 40; ++round) {
    const auto at = world_->CommittedPosition(*client_, {in, 0});
    JoinAndStart({in}, {{{in, 0}, at.value_or(-2)}});
    if (HasFatalFailure()) return;
    std::vector<SeenRecord> taken;
    bool at_end = false;
    ASSERT_TRUE(Await([&] {
      StepOnce();
      at_end = PollOnce({in, 0}, taken, kAtOnce).at_end;
      return !taken.empty() || at_end;
    }));
    if (taken.empty()) break;
    Begin();
    for (const SeenRecord& record : taken) Produce(MakeRecord(out, 0, *record.key, record.value));
    SendOffsets({{{in, 0}, position_[{in, 0}]}});
    if (round % 2 == 1) {
      ASSERT_EQ(CommitNow().outcome, Outcome::kOk);
    }
    Reopen();
  }
  std::vector<std::string> expected;
  for (size_t i = 0; i < kRecords; ++i) expected.push_back("v" + std::to_string(i));
  EXPECT_EQ(AwaitValues({out, 0}, kRecords), expected);
}

TEST_P(LogTransportContract, WritesTheHandedStateOnlyWithTheCommit) {
  OpenClient();
  Begin();
  EXPECT_EQ(AbortNow().outcome, Outcome::kOk);
  EXPECT_EQ(world_->Row(Family::kPanes, "contract-row"), std::nullopt);
  StateBatch kept;
  kept.Put(Family::kPanes, "contract-row", "kept");
  Begin();
  const TransportEvent event = CommitNow(std::move(kept));
  EXPECT_EQ(event.outcome, Outcome::kOk);
  EXPECT_EQ(event.state_written, world_->WritesState());
  EXPECT_EQ(client_->needs_changelog(), !world_->WritesState());
  if (world_->WritesState()) {
    EXPECT_EQ(world_->Row(Family::kPanes, "contract-row"), "kept");
  }
}

// Refused by an error or by a check that ends the process: either way before anything is sent, so that a forked child
// (which has none of its parent's threads) can try it.
TEST_P(LogTransportContract, RefusesCallsOutOfOrder) {
  OpenClient();
  const std::string topic = MakeTopic("order", 1);
  EXPECT_DEATH_IF_SUPPORTED(
      {
        if (!client_->Produce(MakeRecord(topic, 0, "a", "1")).ok()) std::abort();
      },
      "");
  Begin();
  EXPECT_DEATH_IF_SUPPORTED(
      {
        if (!client_->Begin().ok()) std::abort();
      },
      "");
  EXPECT_EQ(AbortNow().outcome, Outcome::kOk);
}

TEST_P(LogTransportContract, WorksAfterTheProducerWasRenewed) {
  OpenClient();
  const std::string topic = MakeTopic("renew", 1);
  Begin();
  Produce(MakeRecord(topic, 0, "a", "lost"));
  const Status renewed = client_->RenewProducer();
  ASSERT_TRUE(renewed.ok()) << renewed.message();
  events_.clear();
  CommitRecords({MakeRecord(topic, 0, "a", "kept")});
  EXPECT_THAT(AwaitValues({topic, 0}, 1), ElementsAre("kept"));
}

TEST_P(LogTransportContract, RefusesToProduceToWhatIsNotThere) {
  OpenClient();
  const std::string topic = MakeTopic("narrow", 2);
  Begin();
  const Status refused = client_->Produce(MakeRecord(topic, 2, "a", "1"));
  // Refused at once, or by the outcome of the transaction; never accepted in silence.
  if (refused.ok()) {
    EXPECT_NE(CommitNow().outcome, Outcome::kOk);
  } else {
    EXPECT_EQ(AbortNow().outcome, Outcome::kOk);
  }
}

// --- readers apart from the group, compacted topics

TEST_P(LogTransportContract, AReaderEndsAtTheEndItWasOpenedWith) {
  OpenClient();
  const std::string topic = MakeTopic("apart", 1);
  CommitRecords(MakeRecords(topic, 0, "v", 4));
  ASSERT_THAT(AwaitValues({topic, 0}, 4), ElementsAre("v0", "v1", "v2", "v3"));
  const auto all = ReadApart({topic, 0});
  ASSERT_EQ(all.size(), 4U);
  EXPECT_THAT(Values(ReadApart({topic, 0}, all[2].offset)), ElementsAre("v2", "v3"));
  auto reader = client_->OpenReader({topic, 0}, -2, true);
  ASSERT_TRUE(reader.ok());
  EXPECT_LE((*reader)->begin_offset(), all.front().offset);
  EXPECT_GT((*reader)->end_offset(), all.back().offset);
}

TEST_P(LogTransportContract, AReaderOfAnEmptyPartitionIsAtItsEnd) {
  OpenClient();
  const std::string topic = MakeTopic("empty", 1);
  EXPECT_THAT(ReadApart({topic, 0}), IsEmpty());
}

TEST_P(LogTransportContract, AReaderOfWhatIsNotThereIsRefused) {
  OpenClient();
  EXPECT_FALSE(client_->OpenReader({world_->TopicName("absent"), 0}, -2, true).ok());
}

TEST_P(LogTransportContract, ACompactedTopicFoldsToTheNewestValueOfEachKey) {
  OpenClient();
  const std::string topic = MakeTopic("compacted", 1, true);
  CommitRecords({MakeRecord(topic, 0, "a", "1"), MakeRecord(topic, 0, "b", "2"), MakeRecord(topic, 0, "c", "3")});
  CommitRecords({MakeRecord(topic, 0, "a", "4"), MakeRecord(topic, 0, "b", std::nullopt)});
  std::map<std::string, std::string> fold;
  // A tombstone and old values may or may not still be there; the fold says the same either way.
  EXPECT_TRUE(Await([&] {
    fold.clear();
    for (const SeenRecord& record : ReadApart({topic, 0})) {
      if (record.value) {
        fold[*record.key] = *record.value;
      } else {
        fold.erase(*record.key);
      }
    }
    return fold == std::map<std::string, std::string>{{"a", "4"}, {"c", "3"}};
  })) << "the fold has "
      << fold.size() << " keys";
}

TEST_P(LogTransportContract, LeaveMayBeCalledTwiceAndEndsReading) {
  OpenClient();
  const std::string topic = MakeTopic("leave", 1);
  JoinAndStart({topic});
  client_->Leave();
  client_->Leave();
}

}  // namespace tidecast::contract
