// The contract of LogTransport on a real broker.
#include <cstdio>
#include <cstdlib>

#include "tests/contract/log_transport_contract.h"
#include "tests/integration/kafka_world.h"

namespace tidecast::contract {
namespace {

std::vector<LogWorldFactory> Worlds() {
  return {[]() -> std::unique_ptr<LogWorld> { return std::make_unique<integration::KafkaWorld>(); }};
}

// The suite's own SetUp must not run without a broker: a skip in the environment's SetUp keeps every test from running.
// GoogleTest then calls them passed, so the line that ctest takes for a skip is printed here.
class NeedsBroker final : public ::testing::Environment {
  void SetUp() override {
    if (!integration::BrokerAddress().empty()) return;
    const char* ci = std::getenv("CI");
    ASSERT_FALSE(ci != nullptr && std::string_view(ci) == "true") << integration::NoBrokerReason();
    std::printf("[  SKIPPED ] %s\n", integration::NoBrokerReason().c_str());
    GTEST_SKIP() << integration::NoBrokerReason();
  }
};
const auto* const kNeedsBroker = ::testing::AddGlobalTestEnvironment(new NeedsBroker);

INSTANTIATE_TEST_SUITE_P(Kafka, LogTransportContract, ::testing::ValuesIn(Worlds()));

}  // namespace
}  // namespace tidecast::contract
