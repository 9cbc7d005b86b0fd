#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/kafka_transport.h"
#include "tests/contract/log_world.h"

namespace tidecast::integration {

/// Address of the broker that the ctest fixture started, or TIDECAST_KAFKA_BOOTSTRAP; empty when there is none.
std::string BrokerAddress();
/// Why there is none, for GTEST_SKIP.
std::string NoBrokerReason();
/// Whether the broker is ours to kill (it is not under TIDECAST_KAFKA_BOOTSTRAP).
bool BrokerIsOurs();
/// Runs the broker script's verb (kill, restart, stop) on the fixture's broker; its exit code.
int RunBrokerScript(const std::string& verb);

/// Starts our broker again where a test that failed has left it dead, so that the others can tell for themselves.
void HealBroker();

/// A word that no other test and no earlier run has used.
std::string UniqueWord();

/// A broker and one group of clients on it; names are its own.
class KafkaWorld final : public contract::LogWorld {
 public:
  KafkaWorld();
  ~KafkaWorld() override;

  std::unique_ptr<LogTransport> MakeClient(const std::string& member) override;
  std::unique_ptr<LogTransport> MakeClientWith(const std::string& member,
                                               const std::map<std::string, std::string>& properties,
                                               const std::function<void(KafkaTransportOptions&)>& change = {});
  std::string TopicName(const std::string& base) override { return word_ + "." + base; }
  void Feed(LogTransport& client, const std::vector<OutputRecord>& records) override;
  std::optional<int64_t> CommittedPosition(LogTransport& client, const TopicPartition& source) override;

  /// Another client, for topics and feeding, that is always open.
  LogTransport& feeder();
  const std::string& word() const { return word_; }

 private:
  std::string word_;
  std::unique_ptr<LogTransport> feeder_;
};

}  // namespace tidecast::integration
