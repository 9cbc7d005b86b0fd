// The contract of LogTransport on a real broker.
#include "tests/contract/log_transport_contract.h"
#include "tests/integration/kafka_world.h"

namespace tidecast::contract {
namespace {

std::vector<LogWorldFactory> Worlds() {
  return {[]() -> std::unique_ptr<LogWorld> { return std::make_unique<integration::KafkaWorld>(); }};
}

// The suite's own SetUp must not run without a broker: a skip in the environment's SetUp skips every test.
class NeedsBroker final : public ::testing::Environment {
  void SetUp() override {
    if (integration::BrokerAddress().empty()) GTEST_SKIP() << integration::NoBrokerReason();
  }
};
const auto* const kNeedsBroker = ::testing::AddGlobalTestEnvironment(new NeedsBroker);

INSTANTIATE_TEST_SUITE_P(Kafka, LogTransportContract, ::testing::ValuesIn(Worlds()));

}  // namespace
}  // namespace tidecast::contract
