// What the transport does on Kafka beyond the contract of all logs.
#include "engine/io/kafka_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <mutex>
#include <random>

#include "tests/integration/kafka_transport_fixture.h"

namespace tidecast::integration {
namespace {

using ::testing::HasSubstr;

TEST_F(KafkaTransportTest, AZombieIsFencedByItsSuccessorAndNamesTheInstance) {
  const std::string in = MakeTopic("in", 1);
  const std::string out = MakeTopic("out", 1);
  world_->Feed(world_->feeder(), {RecordOf(in, "v")});
  auto zombie = world_->MakeClient("twin");
  ASSERT_TRUE(zombie->Open().ok());
  StartAll(*zombie, in);
  ASSERT_TRUE(zombie->Begin().ok());
  ASSERT_TRUE(zombie->Produce(RecordOf(out, "zombie")).ok());
  ASSERT_TRUE(zombie->SendOffsets(std::vector<Position>{{{in, 0}, 1}}).ok());

  auto successor = world_->MakeClient("twin");
  ASSERT_TRUE(successor->Open().ok());
  StartAll(*successor, in);

  zombie->Commit({});
  std::optional<TransportEvent> ended;
  std::optional<TransportEvent> failed;
  ASSERT_TRUE(Await([&] {
    std::vector<TransportEvent> events;
    zombie->Step(20, &events);
    for (const TransportEvent& event : events) {
      if (event.kind == Kind::kTransaction) ended = event;
      if (event.kind == Kind::kFailed) failed = event;
    }
    return ended && failed;
  }));
  EXPECT_EQ(ended->outcome, Outcome::kFenced) << ended->status.message();
  EXPECT_EQ(failed->status.code(), Code::kFenced);
  EXPECT_THAT(failed->status.message(), HasSubstr("twin"));

  ASSERT_TRUE(successor->Begin().ok());
  ASSERT_TRUE(successor->Produce(RecordOf(out, "successor")).ok());
  ASSERT_TRUE(successor->SendOffsets(std::vector<Position>{{{in, 0}, 1}}).ok());
  successor->Commit({});
  const auto committed = AwaitEvent(*successor, Kind::kTransaction);
  ASSERT_TRUE(committed.has_value());
  EXPECT_EQ(committed->outcome, Outcome::kOk) << committed->status.message();
  auto reader = successor->OpenReader({out, 0}, -2, true);
  ASSERT_TRUE(reader.ok());
  auto batch = (*reader)->MakeBatch();
  std::vector<std::string> values;
  ASSERT_TRUE(Await([&] {
    const auto read = (*reader)->Read(*batch, 10, 20);
    for (const InputRecord& record : batch->records()) values.emplace_back(record.value);
    return read->at_end;
  }));
  EXPECT_THAT(values, ::testing::ElementsAre("successor"));
}

TEST_F(KafkaTransportTest, AProducerThatIsPutOffAsksAgainWithANewClient) {
  const std::string out = MakeTopic("out", 1);
  auto dead = world_->MakeClient("twin");
  ASSERT_TRUE(dead->Open().ok());
  ASSERT_TRUE(dead->Begin().ok());
  ASSERT_TRUE(dead->Produce(RecordOf(out, "left open")).ok());
  std::vector<TransportEvent> events;
  ASSERT_TRUE(Await([&] {
    dead->Step(20, &events);
    const auto reader = world_->feeder().OpenReader({out, 0}, -2, false);
    return reader.ok() && (*reader)->end_offset() > 0;
  }));
  std::mutex mutex;
  std::string log;
  auto successor = world_->MakeClientWith("twin", {}, [&](KafkaTransportOptions& options) {
    options.log = [&](KafkaLogLevel, std::string_view text) {
      const std::lock_guard lock(mutex);
      log += text;
    };
  });
  const Status opened = successor->Open();
  EXPECT_TRUE(opened.ok()) << opened.message();
  successor.reset();
  EXPECT_THAT(log, HasSubstr("a new producer client asks again"));
}

TEST_F(KafkaTransportTest, AnOpenTransactionOfAnotherBlocksAndIsNotTheEnd) {
  const std::string in = MakeTopic("in", 1);
  auto client = world_->MakeClient("a");
  ASSERT_TRUE(client->Open().ok());
  StartAll(*client, in);
  auto batch = client->MakeBatch();
  std::vector<TransportEvent> events;
  const auto poll = [&] {
    client->Step(20, &events);
    return client->Poll(0, 100, 1 << 20, *batch).value();
  };
  ASSERT_TRUE(Await([&] { return poll().at_end; }));
  LogTransport& other = world_->feeder();
  ASSERT_TRUE(other.Begin().ok());
  ASSERT_TRUE(other.Produce(RecordOf(in, "open")).ok());
  PollResult result;
  ASSERT_TRUE(Await([&] { return (result = poll()).blocked; }));
  EXPECT_FALSE(result.at_end);
  EXPECT_EQ(result.next_offset, 0);
  other.Abort();
  ASSERT_TRUE(AwaitEvent(other, Kind::kTransaction).has_value());
  ASSERT_TRUE(Await([&] { return (result = poll()).at_end; }));
  EXPECT_EQ(result.next_offset, 2) << "the aborted record and its marker";
}

TEST_F(KafkaTransportTest, AFullSendQueueIsBackpressureAndNothingIsLost) {
  const std::string out = MakeTopic("out", 1);
  auto client = world_->MakeClientWith("a", {{"linger.ms", "1000"}},
                                       [](KafkaTransportOptions& options) { options.send_queue_bytes_max = 64 << 10; });
  ASSERT_TRUE(client->Open().ok());
  ASSERT_TRUE(client->Begin().ok());
  constexpr int kRecords = 300;
  int blocked = 0;
  std::vector<TransportEvent> events;
  for (int i = 0; i < kRecords;) {
    const Status status = client->Produce(RecordOf(out, std::string(1000, static_cast<char>('a' + i % 26))));
    if (status.ok()) {
      ++i;
      continue;
    }
    ASSERT_EQ(status.code(), Code::kWouldBlock) << status.message();
    ++blocked;
    client->Step(20, &events);
  }
  EXPECT_GT(blocked, 0);
  client->Commit({});
  const auto committed = AwaitEvent(*client, Kind::kTransaction);
  ASSERT_TRUE(committed.has_value());
  EXPECT_EQ(committed->outcome, Outcome::kOk);
  auto reader = client->OpenReader({out, 0}, -2, true);
  ASSERT_TRUE(reader.ok());
  auto batch = (*reader)->MakeBatch();
  size_t seen = 0;
  ASSERT_TRUE(Await([&] {
    const auto read = (*reader)->Read(*batch, 1000, 20);
    seen += batch->records().size();
    return read->at_end;
  }));
  EXPECT_EQ(seen, static_cast<size_t>(kRecords));
}

// Left to itself librdkafka looks once a second whether a full queue has room again: that would be half a minute here.
TEST_F(KafkaTransportTest, FetchesOnAsSoonAsItsQueueHasRoom) {
  const std::string in = MakeTopic("in", 1);
  constexpr size_t kRecords = 24000;
  std::mt19937 random(1);
  std::vector<OutputRecord> records;
  for (size_t i = 0; i < kRecords; ++i) {
    std::string value(1000, ' ');
    for (char& c : value) c = static_cast<char>(random());
    records.push_back(RecordOf(in, value));
  }
  world_->Feed(world_->feeder(), records);
  auto client = world_->MakeClientWith("a", {{"fetch.message.max.bytes", "65536"}}, [](KafkaTransportOptions& options) {
    options.fetch_queue_bytes_max = 128 << 10;
  });
  ASSERT_TRUE(client->Open().ok());
  StartAll(*client, in);
  auto batch = client->MakeBatch();
  std::vector<TransportEvent> events;
  size_t seen = 0;
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(Await([&] {
    client->Step(seen == 0 ? 20 : 1, &events);
    const PollResult result = client->Poll(0, 100, 1 << 20, *batch).value();
    seen += batch->records().size();
    return result.at_end && seen > 0;
  }));
  EXPECT_EQ(seen, kRecords);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST_F(KafkaTransportTest, RefusesInputsThatAreNotCoPartitionedAndNamesBoth) {
  const std::string orders = MakeTopic("orders", 3);
  const std::string clicks = MakeTopic("clicks", 5);
  auto client = world_->MakeClient("a");
  ASSERT_TRUE(client->Open().ok());
  const Status refused = client->Join({orders, clicks});
  EXPECT_EQ(refused.code(), Code::kConfig);
  EXPECT_THAT(refused.message(), HasSubstr(orders + " has 3"));
  EXPECT_THAT(refused.message(), HasSubstr(clicks + " has 5"));
}

TEST_F(KafkaTransportTest, RefusesAPositionOutsideOfTheLogAndNamesItsBounds) {
  const std::string in = MakeTopic("in", 1);
  world_->Feed(world_->feeder(), {RecordOf(in, "v")});
  auto client = world_->MakeClient("a");
  ASSERT_TRUE(client->Open().ok());
  ASSERT_TRUE(client->Join({in}).ok());
  ASSERT_TRUE(AwaitEvent(*client, Kind::kAssigned).has_value());
  const Status refused = client->StartAt(std::vector<Position>{{{in, 0}, 77}});
  EXPECT_EQ(refused.code(), Code::kNotFound);
  EXPECT_THAT(refused.message(), HasSubstr("77, the log holds 0 to 2"));
}

TEST_F(KafkaTransportTest, RefusesATopicWithAnotherCleanupPolicy) {
  const std::string topic = MakeTopic("changelog", 1);
  const Status refused = world_->feeder().CreateTopic({topic, 1, {{"cleanup.policy", "compact"}}});
  EXPECT_EQ(refused.code(), Code::kConfig);
  EXPECT_THAT(refused.message(), HasSubstr("it has delete, needed is compact"));
}

TEST_F(KafkaTransportTest, TellsWhenTheBrokerGoesAndComesBack) {
  if (!BrokerIsOurs()) GTEST_SKIP() << "the broker was started by somebody else, so that it is not killed";
  const std::string in = MakeTopic("in", 1);
  auto client = world_->MakeClient("a");
  ASSERT_TRUE(client->Open().ok());
  StartAll(*client, in);
  ASSERT_EQ(RunBrokerScript("kill"), 0);
  const auto gone = AwaitEvent(*client, Kind::kUnreachable);
  std::vector<TransportEvent> events;
  const std::clock_t spent = std::clock();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  while (std::chrono::steady_clock::now() < until) client->Step(50, &events);
  EXPECT_LT(std::clock() - spent, CLOCKS_PER_SEC) << "waiting for a broker takes no core";
  ASSERT_EQ(RunBrokerScript("restart"), 0);
  ASSERT_TRUE(gone.has_value());
  EXPECT_THAT(gone->status.message(), HasSubstr(BrokerAddress()));
  EXPECT_TRUE(AwaitEvent(*client, Kind::kReachable).has_value());
}

// No connection breaks, and a client that has nothing to send would wait for its fetches for a minute.
TEST_F(KafkaTransportTest, TellsWhenTheBrokerStandsStillAndGoesOn) {
  if (!BrokerIsOurs()) GTEST_SKIP() << "the broker was started by somebody else, so that it is not stopped";
  const std::string in = MakeTopic("in", 1);
  auto client = world_->MakeClient("a");
  ASSERT_TRUE(client->Open().ok());
  StartAll(*client, in);
  const auto batch = client->MakeBatch();
  const auto is_at_end = [&] {
    const Result<PollResult> polled = client->Poll(0, 10, 1 << 20, *batch);
    return polled.ok() && polled->at_end;
  };
  const auto await_end = [&] {
    std::vector<TransportEvent> events;
    for (int i = 0; i < 500 && !is_at_end(); ++i) client->Step(20, &events);
    return is_at_end();
  };
  EXPECT_TRUE(await_end());
  ASSERT_EQ(RunBrokerScript("pause"), 0);
  const auto gone = AwaitEvent(*client, Kind::kUnreachable);
  EXPECT_FALSE(is_at_end()) << "nobody knows what has come there since";
  ASSERT_EQ(RunBrokerScript("resume"), 0);
  ASSERT_TRUE(gone.has_value());
  EXPECT_THAT(gone->status.message(), HasSubstr(BrokerAddress()));
  EXPECT_TRUE(AwaitEvent(*client, Kind::kReachable).has_value());
  EXPECT_TRUE(await_end()) << "asked for anew, since nothing tells it";
}

// Needs no broker.
TEST(KafkaUnreachableTest, OpenNamesTheBrokersAndARemedyInBoundedTime) {
  KafkaTransportOptions options;
  options.properties = {{"bootstrap.servers", "127.0.0.1:1"}};
  options.name_space = "shop";
  options.instance = "i1";
  options.open_timeout = std::chrono::milliseconds(500);
  auto client = MakeKafkaTransport(std::move(options));
  ASSERT_TRUE(client.ok());
  const auto begin = std::chrono::steady_clock::now();
  const Status status = (*client)->Open();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("127.0.0.1:1"));
  EXPECT_THAT(status.message(), HasSubstr("Connection refused"));
  EXPECT_THAT(status.remedy(), HasSubstr("bootstrap.servers"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace tidecast::integration
