// Power loss on the embedded log: it stands where it was synced last, inputs, outputs, positions and state together,
// and goes on from there as if the rest had never been.
#include <gtest/gtest.h>

#include "engine/core/hash.h"
#include "engine/io/embedded_transport.h"
#include "tests/simulation/engine_process.h"
#include "tests/simulation/oracle.h"

namespace tidecast::simulation {
namespace {

/// A disk without a wire before it.
class DiskStore final : public StateStore {
 public:
  explicit DiskStore(std::shared_ptr<Disk> disk) : disk_(std::move(disk)) {}
  Status Write(const StateBatch& batch) override { return disk_->Write(batch); }
  Result<bool> Get(Family family, std::string_view key, std::string* value) const override {
    return disk_->rows().Get(family, key, value);
  }
  Status Scan(Family family, std::string_view from, std::string_view to,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    return disk_->rows().Scan(family, from, to, visit);
  }
  Status Sync() override { return Status::Ok(); }
  size_t MemoryBytes() const override { return disk_->rows().MemoryBytes(); }

 private:
  std::shared_ptr<Disk> disk_;
};

/// `tidecast run` on the embedded log, with tasks on threads of their own. Destroying it is kill -9.
class EmbeddedEngine {
 public:
  EmbeddedEngine(const Shop& shop, ManualClock& clock, std::shared_ptr<Disk> disk)
      : executor_(MakeExecutor(3)), store_(std::move(disk)), transport_(store_, clock) {
    EngineOptions options = shop.options;
    options.transport = TransportKind::kEmbedded;
    options.commit_interval = std::chrono::milliseconds(5);
    instance_ = std::make_unique<Instance>(TaskPlan::Make(options, true, false).value(),
                                           Instance::Parts{.transport = transport_,
                                                           .store = store_,
                                                           .executor = *executor_,
                                                           .clock = clock,
                                                           .metrics = metrics_,
                                                           .faults = faults_,
                                                           .readers = 3});
    TC_CHECK(instance_->Start().ok());
  }
  Instance& instance() { return *instance_; }
  EmbeddedTransport& log() { return transport_; }

 private:
  MetricRegistry metrics_;
  FaultPoints faults_;
  std::unique_ptr<Executor> executor_;
  DiskStore store_;
  EmbeddedTransport transport_;
  std::unique_ptr<Instance> instance_;
};

class EmbeddedPowerLoss : public ::testing::Test {
 protected:
  /// How many of the shop's records the log holds: they went in one after the other.
  size_t Held(EmbeddedEngine& engine) {
    int64_t held = 0;
    for (const std::string& topic : shop_.input_topics) {
      for (int32_t p = 0; p < shop_.spec.partitions; ++p) held += *engine.log().EndOffset({topic, p});
    }
    return static_cast<size_t>(held);
  }
  void Append(EmbeddedEngine& engine, size_t count) {
    const size_t held = Held(engine);
    const size_t end = std::min(shop_.records.size(), held + count);
    for (size_t i = held; i < end; ++i) {
      OutputRecord record = shop_.records[i];
      record.partition = PartitionOf(record.key, shop_.spec.partitions);
      ASSERT_TRUE(engine.log().Append({&record, 1}).ok());
    }
  }
  void Step(EmbeddedEngine& engine, int steps) {
    for (int i = 0; i < steps; ++i) {
      clock_.Advance(std::chrono::milliseconds(2));
      const auto progress = engine.instance().Step(0);
      ASSERT_TRUE(progress.ok()) << progress.status().message();
    }
  }
  /// The engine's output topics as a broker holds them, for the oracle.
  void Copy(EmbeddedEngine& engine, SimulatedBroker& broker) {
    const std::vector<TopicInfo> topics = engine.log().ListTopics().value();
    for (const TopicInfo& topic : topics) {
      ASSERT_TRUE(broker.CreateTopic({topic.name, topic.partitions, {}}).ok());
      for (int32_t p = 0; p < topic.partitions; ++p) {
        auto reader = engine.log().OpenReader({topic.name, p}, -2, true);
        ASSERT_TRUE(reader.ok());
        auto batch = (*reader)->MakeBatch();
        for (bool at_end = false; !at_end;) {
          const auto read = (*reader)->Read(*batch, 1000, 0);
          ASSERT_TRUE(read.ok());
          at_end = read->at_end;
          for (const InputRecord& record : batch->records()) {
            OutputRecord copy{.topic = topic.name, .partition = p, .key = std::string(record.key)};
            if (!record.is_null) copy.value = std::string(record.value);
            for (const HeaderView& header : record.headers)
              copy.headers.push_back({std::string(header.name), std::string(header.value)});
            copy.record_time = record.record_time;
            broker.Feed({copy});
          }
          batch->Clear();
        }
      }
    }
  }

  const Shop shop_ = MakeShop({.seed = 31, .partitions = 2, .series = 5, .days = 16, .orders_a_day = 30});
  ManualClock clock_{ProcessingTime{ShopStart().us}};
  std::shared_ptr<Disk> disk_ = std::make_shared<Disk>();
};

TEST_F(EmbeddedPowerLoss, GoesBackToTheLastSyncAndOnFromThere) {
  for (const size_t lost : {1U, 3U, 17U, 60U}) {
    EmbeddedEngine engine(shop_, clock_, disk_);
    Append(engine, 150);
    Step(engine, 40);
    const size_t before = disk_->writes();
    disk_->LoseTail(lost);
    ASSERT_EQ(disk_->writes(), before - lost);
  }
  EmbeddedEngine engine(shop_, clock_, disk_);
  Append(engine, shop_.records.size());
  ASSERT_EQ(Held(engine), shop_.records.size());
  bool bounded = false;
  for (int steps = 0;; ++steps) {
    ASSERT_LT(steps, 100'000) << "the engine does not come to its end";
    if (!bounded && engine.instance().running()) {
      bounded = true;
      ASSERT_TRUE(engine.instance().FinishAtEnd().ok());
    }
    clock_.Advance(std::chrono::milliseconds(2));
    const auto progress = engine.instance().Step(0);
    ASSERT_TRUE(progress.ok()) << progress.status().message();
    if (*progress == Instance::Progress::kFinished) break;
  }
  SimulatedBroker broker(clock_);
  Copy(engine, broker);
  EXPECT_EQ(CheckOutputs(shop_, broker), "");
  const ShopTruth truth = ComputeTruth(shop_);
  EXPECT_EQ(engine.instance().counts().events_read, truth.read);
  EXPECT_EQ(engine.instance().counts().events_accepted, truth.accepted);
}

}  // namespace
}  // namespace tidecast::simulation
