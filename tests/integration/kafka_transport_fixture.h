#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/kafka_world.h"

namespace tidecast::integration {

using Kind = TransportEvent::Kind;

/// A world of its own on the fixture's broker, for each test of what the transport does beyond the contract.
class KafkaTransportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BrokerAddress().empty()) GTEST_SKIP() << NoBrokerReason();
    HealBroker();
    world_ = std::make_unique<KafkaWorld>();
  }

  std::string MakeTopic(const std::string& base, int32_t partitions) {
    const std::string name = world_->TopicName(base);
    const Status created = world_->feeder().CreateTopic({name, partitions, {}});
    EXPECT_TRUE(created.ok()) << created.message();
    return name;
  }

  static bool Await(const std::function<bool()>& attempt, std::chrono::seconds deadline = std::chrono::seconds(30)) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!attempt()) {
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }
  /// Steps until an event of the kind comes.
  static std::optional<TransportEvent> AwaitEvent(LogTransport& client, Kind kind) {
    std::optional<TransportEvent> found;
    std::vector<TransportEvent> events;
    Await([&] {
      events.clear();
      client.Step(20, &events);
      for (TransportEvent& event : events) {
        if (event.kind == kind && !found) found = std::move(event);
      }
      return found.has_value();
    });
    return found;
  }
  static void StartAll(LogTransport& client, const std::string& topic) {
    ASSERT_TRUE(client.Join({topic}).ok());
    const auto assigned = AwaitEvent(client, Kind::kAssigned);
    ASSERT_TRUE(assigned.has_value());
    std::vector<Position> positions;
    for (const TopicPartition& source : assigned->partitions) positions.push_back({source, -2});
    ASSERT_TRUE(client.StartAt(positions).ok());
  }
  static OutputRecord RecordOf(const std::string& topic, const std::string& value) {
    return {.topic = topic, .partition = 0, .key = "k", .value = value};
  }

  std::unique_ptr<KafkaWorld> world_;
};

}  // namespace tidecast::integration
