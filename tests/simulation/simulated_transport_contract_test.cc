// The contract of LogTransport on the simulated Kafka: the same suite as the embedded log and a real broker, so that
// what the simulation finds out about the engine can be believed.
#include "tests/contract/log_transport_contract.h"
#include "tests/simulation/simulated_transport.h"

namespace tidecast::simulation {
namespace {

/// A wire on which fetches bring little at a time, and outcomes take a while.
class SlowWire final : public Wire {
 public:
  CommitFate OnCommit() override { return {.delay = std::chrono::milliseconds(7)}; }
  Duration AbortDelay() override { return std::chrono::milliseconds(3); }
  bool SendQueueIsFull() override { return ++sends_ % 3 == 1; }
  size_t Fetched(const TopicPartition&, size_t) override { return ++fetches_ % 2 == 0 ? 3 : 0; }

 private:
  size_t sends_ = 0;
  size_t fetches_ = 0;
};

class SimulatedWorld final : public contract::LogWorld {
 public:
  explicit SimulatedWorld(bool slow) : wire_(slow ? std::make_unique<SlowWire>() : std::make_unique<Wire>()) {}

  std::unique_ptr<LogTransport> MakeClient(const std::string& member) override {
    return std::make_unique<SimulatedTransport>(broker_, clock_, *wire_, "contract." + member, member);
  }
  std::string TopicName(const std::string& base) override { return "contract." + base; }
  void Feed(LogTransport&, const std::vector<OutputRecord>& records) override { broker_.Feed(records); }
  std::optional<int64_t> CommittedPosition(LogTransport&, const TopicPartition& source) override {
    return broker_.CommittedPosition(source);
  }
  std::chrono::milliseconds Deadline() const override { return std::chrono::seconds(10); }

 private:
  ManualClock clock_{ProcessingTime{1'700'000'000'000'000}};
  SimulatedBroker broker_{clock_};
  std::unique_ptr<Wire> wire_;
};

}  // namespace
}  // namespace tidecast::simulation

namespace tidecast::contract {
namespace {

INSTANTIATE_TEST_SUITE_P(Simulated, LogTransportContract, ::testing::Values(LogWorldFactory([] {
                           return std::make_unique<simulation::SimulatedWorld>(false);
                         })));
INSTANTIATE_TEST_SUITE_P(SimulatedSlow, LogTransportContract, ::testing::Values(LogWorldFactory([] {
                           return std::make_unique<simulation::SimulatedWorld>(true);
                         })));

}  // namespace
}  // namespace tidecast::contract
