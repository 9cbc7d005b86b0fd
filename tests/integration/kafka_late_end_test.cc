// The request that ends a transaction, delayed on its way, on a real broker: librdkafka sends it again, and the first
// copy comes in the middle of the next transaction (KIP-890).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <mutex>

#include "tests/integration/kafka_transport_fixture.h"
#include "tests/integration/late_request_proxy.h"

namespace tidecast::integration {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

uint16_t PortIn(const char* name) {
  uint16_t port = 0;
  std::ifstream(std::string(TIDECAST_KAFKA_FOLDER "/broker/") + name) >> port;
  return port;
}

class KafkaLateEnd : public KafkaTransportTest {
 protected:
  void SetUp() override {
    KafkaTransportTest::SetUp();
    if (IsSkipped()) return;
    if (!BrokerIsOurs()) GTEST_SKIP() << "needs the fixture's broker, which has a listener for this";
    proxy_ = std::make_unique<LateRequestProxy>(PortIn("proxy_port"), PortIn("proxied_port"));
    ASSERT_TRUE(proxy_->ok()) << "port " << PortIn("proxy_port") << " cannot be listened on";
    topic_ = MakeTopic("out", 1);
    client_ =
        world_->MakeClientWith("late", {{"bootstrap.servers", fmt::format("127.0.0.1:{}", PortIn("proxied_port"))}},
                               [this](KafkaTransportOptions& options) {
                                 options.log = [this](KafkaLogLevel, std::string_view text) {
                                   const std::lock_guard lock(mutex_);
                                   log_ += std::string(text) + "\n";
                                 };
                               });
    const Status opened = client_->Open();
    ASSERT_TRUE(opened.ok()) << opened.message();
  }
  void TearDown() override { client_.reset(); }

  void Begin() {
    const Status begun = client_->Begin();
    ASSERT_TRUE(begun.ok()) << begun.message();
  }
  /// Until the broker has it.
  void Produce(const std::string& value) {
    const int64_t before = End();
    std::vector<TransportEvent> events;
    ASSERT_TRUE(Await([&] {
      client_->Step(20, &events);
      return client_->Produce(RecordOf(topic_, value)).ok();
    }));
    ASSERT_TRUE(Await([&] {
      client_->Step(20, &events);
      return End() > before;
    }));
  }
  Outcome EndBy(bool commit) {
    if (commit) {
      client_->Commit({});
    } else {
      client_->Abort();
    }
    const auto ended = AwaitEvent(*client_, Kind::kTransaction);
    EXPECT_TRUE(ended.has_value());
    return ended ? ended->outcome : Outcome::kUnknown;
  }
  /// The first copy of the request is delayed: the second one does the work.
  void EndLate(bool commit) {
    proxy_->HoldNext(LateRequestProxy::kEndTxn);
    ASSERT_EQ(EndBy(commit), Outcome::kOk);
    ASSERT_TRUE(proxy_->holds());
  }
  int64_t End() {
    const auto reader = world_->feeder().OpenReader({topic_, 0}, -2, false);
    return reader.ok() ? (*reader)->end_offset() : -1;
  }
  std::vector<std::string> Committed() {
    auto reader = world_->feeder().OpenReader({topic_, 0}, -2, true);
    EXPECT_TRUE(reader.ok());
    auto batch = (*reader)->MakeBatch();
    std::vector<std::string> values;
    EXPECT_TRUE(Await([&] {
      batch->Clear();
      const auto read = (*reader)->Read(*batch, 100, 20);
      for (const InputRecord& record : batch->records()) values.emplace_back(record.value);
      return read->at_end;
    }));
    return values;
  }
  std::string log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  std::unique_ptr<LateRequestProxy> proxy_;
  std::string topic_;
  std::mutex mutex_;
  std::string log_;
  std::unique_ptr<LogTransport> client_;
};

TEST_F(KafkaLateEnd, OfACommitDoesNotCommitAPartOfTheNextTransaction) {
  Begin();
  Produce("a");
  EndLate(true);
  Begin();
  Produce("b");
  ASSERT_TRUE(proxy_->Deliver().has_value());
  EXPECT_EQ(EndBy(false), Outcome::kOk);
  EXPECT_THAT(Committed(), ElementsAre("a"));
  EXPECT_THAT(log(), HasSubstr("new producer epoch"));
}

TEST_F(KafkaLateEnd, OfAnAbortDoesNotAbortAPartOfTheNextTransaction) {
  Begin();
  Produce("gone");
  EndLate(false);
  Begin();
  Produce("a");
  ASSERT_TRUE(proxy_->Deliver().has_value());
  Produce("b");
  EXPECT_EQ(EndBy(true), Outcome::kOk);
  EXPECT_THAT(Committed(), ElementsAre("a", "b"));
}

TEST_F(KafkaLateEnd, IsNotSuspectedWhereNoConnectionBroke) {
  for (int i = 0; i < 5; ++i) {
    Begin();
    Produce("a");
    EXPECT_EQ(EndBy(i % 2 == 0), Outcome::kOk);
  }
  EXPECT_EQ(Committed().size(), 3U);
  EXPECT_EQ(log().find("new producer epoch"), std::string::npos) << log();
}

}  // namespace
}  // namespace tidecast::integration
