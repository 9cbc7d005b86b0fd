#include "engine/io/embedded_transport.h"
#include "state/testing/scratch_directory.h"
#include "tests/contract/log_transport_contract.h"

namespace tidecast::contract {
namespace {

/// The embedded log on a store that outlives its clients; on RocksDB the store is reopened with each client.
class EmbeddedWorld final : public LogWorld {
 public:
  explicit EmbeddedWorld(bool on_disk) : on_disk_(on_disk) {
    if (!on_disk_) store_ = MakeMemoryStore();
  }

  bool DiscardsAtOnce() const override { return false; }
  std::unique_ptr<LogTransport> MakeClient(const std::string&) override {
    if (on_disk_) {
      store_.reset();
      auto opened = OpenRocksStore({directory_.path(), 16 << 20, false});
      TC_CHECK(opened.ok(), "{}", opened.status().message());
      store_ = std::move(opened).value();
    }
    return std::make_unique<EmbeddedTransport>(*store_, clock_);
  }
  std::string TopicName(const std::string& base) override { return "contract." + base; }
  void Feed(LogTransport& client, const std::vector<OutputRecord>& records) override {
    const auto appended = static_cast<EmbeddedTransport&>(client).Append(records);
    ASSERT_TRUE(appended.ok()) << appended.status().message();
  }
  std::optional<int64_t> CommittedPosition(LogTransport& client, const TopicPartition& source) override {
    const auto position = static_cast<EmbeddedTransport&>(client).CommittedPosition(source);
    EXPECT_TRUE(position.ok()) << position.status().message();
    return position.ok() ? *position : std::nullopt;
  }
  bool WritesState() const override { return true; }
  std::optional<std::string> Row(Family family, const std::string& key) override {
    std::string value;
    const auto found = store_->Get(family, key, &value);
    EXPECT_TRUE(found.ok());
    return found.ok() && *found ? std::optional(value) : std::nullopt;
  }
  std::chrono::milliseconds Deadline() const override { return std::chrono::seconds(10); }
  int WaitMs() const override { return 0; }

 private:
  bool on_disk_;
  ManualClock clock_{ProcessingTime{1'700'000'000'000'000}};
  testing::ScratchDirectory directory_;
  std::unique_ptr<StateStore> store_;
};

INSTANTIATE_TEST_SUITE_P(EmbeddedInMemory, LogTransportContract,
                         ::testing::Values(LogWorldFactory([] { return std::make_unique<EmbeddedWorld>(false); })));
INSTANTIATE_TEST_SUITE_P(EmbeddedOnRocksDb, LogTransportContract,
                         ::testing::Values(LogWorldFactory([] { return std::make_unique<EmbeddedWorld>(true); })));

}  // namespace
}  // namespace tidecast::contract
