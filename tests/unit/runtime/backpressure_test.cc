// An input without end before a broker that does not keep up: what waits inside the instance stays within its bounds,
// reading stops, and goes on once the broker does.
#include <gtest/gtest.h>

#include "engine/runtime/instance.h"
#include "tests/unit/runtime/scripted_transport.h"

namespace tidecast {
namespace {

using testing::ScriptedTransport;

constexpr size_t kEpochBytes = 1 << 20;
constexpr size_t kTurnBytes = 16 << 20;  // a turn makes 8 MiB (instance.cc), and has changed some state
constexpr int kIdleSteps = 50;           // so many in a row: it waits

/// Orders of 200 products, a second apart, made when they are polled.
class EndlessTransport final : public ScriptedTransport {
 public:
  int64_t polled = 0;
  int64_t polled_at_begin = 0;  ///< of the newest transaction
  bool answers_commits = false;

  Status Join(const std::vector<std::string>& topics) override {
    events_.push_back({.kind = TransportEvent::Kind::kAssigned, .partitions = {{topics[0], 0}}});
    return Status::Ok();
  }
  void Step(int, std::vector<TransportEvent>* events) override {
    events->insert(events->end(), events_.begin(), events_.end());
    events_.clear();
    if (!answers_commits || commits_waiting_ == 0) return;
    for (; commits_waiting_ > 0; --commits_waiting_)
      events->push_back({.kind = TransportEvent::Kind::kTransaction, .outcome = Outcome::kOk});
  }
  Status Begin() override {
    polled_at_begin = polled;
    return Status::Ok();
  }
  void Commit(StateBatch&&) override { ++commits_waiting_; }
  Result<PollResult> Poll(uint32_t, size_t records_max, size_t bytes_max, RecordBatch& out) override {
    size_t bytes = 0;
    for (size_t n = 0; n < records_max && bytes < bytes_max; ++n, ++polled) {
      OutputRecord& record = records_[static_cast<size_t>(polled) % records_.size()];
      record.key = fmt::format("sku{}", polled % 200);
      record.value = fmt::format(R"({{"sku":"{}","ts":{},"quantity":1,"order_id":"o{}"}})", record.key,
                                 1'700'000'000 + polled, polled);
      bytes += record.Bytes();
      static_cast<testing::VectorBatch&>(out).Add(polled, record);
    }
    return PollResult{false, false, polled};
  }

 private:
  std::vector<TransportEvent> events_;
  int commits_waiting_ = 0;
  std::vector<OutputRecord> records_ = std::vector<OutputRecord>(1 << 16);  // more than a batch: its views stay good
};

class BackpressureTest : public ::testing::Test {
 protected:
  BackpressureTest() {
    transport_.changelog = false;
    EngineOptions options;
    options.name_space = "shop";
    options.epoch_bytes_max = kEpochBytes;
    options.model_enabled = false;
    InputOptions orders;
    orders.name = "orders";
    orders.topic = "shop.orders";
    orders.key_check = false;
    orders.time_format = TimeFormat::kSeconds;
    options.inputs = {orders};
    ViewOptions view;
    view.calendar.unit = BucketUnit::kMinute;
    FeatureOptions units;
    units.name = "units";
    units.input = "orders";
    units.aggregate = Aggregate::kSum;
    view.features = {units};
    options.views = {view};
    auto plan = TaskPlan::Make(options, true, false);
    TC_CHECK(plan.ok(), "{}", plan.status().message());
    instance_ = std::make_unique<Instance>(std::move(plan).value(),
                                           Instance::Parts{transport_, *store_, *executor_, clock_, metrics_, faults_});
    TC_CHECK(instance_->Start().ok());
  }

  double Part(const char* part) const { return metrics_.Value("tidecast_memory_bytes", {{"part", part}}); }

  /// Steps until nothing happens any more; how many records were polled then.
  int64_t RunUntilItWaits() {
    int idle = 0;
    for (int i = 0; i < 100'000 && idle < kIdleSteps; ++i) {
      clock_.Advance(std::chrono::milliseconds(20));
      const Result<Instance::Progress> progress = instance_->Step(0);
      TC_CHECK(progress.ok(), "{}", progress.status().message());
      idle = *progress == Instance::Progress::kIdle ? idle + 1 : 0;
      most_open_ = std::max(most_open_, Part("open_epoch"));
      most_flying_ = std::max(most_flying_, Part("epoch_in_flight"));
    }
    EXPECT_GE(idle, kIdleSteps) << "it never waits";
    return transport_.polled;
  }

  EndlessTransport transport_;
  std::unique_ptr<StateStore> store_ = MakeMemoryStore();
  std::unique_ptr<Executor> executor_ = MakeExecutor(1);
  ManualClock clock_{{1'700'000'000'000'000}};
  MetricRegistry metrics_;
  FaultPoints faults_;
  std::unique_ptr<Instance> instance_;
  double most_open_ = 0;
  double most_flying_ = 0;
};

TEST_F(BackpressureTest, ACommitThatDoesNotEndStopsReading) {
  const int64_t polled = RunUntilItWaits();
  EXPECT_GT(polled, 1000);
  EXPECT_GT(most_open_, kEpochBytes / 2.0) << "the next epoch was filled";
  EXPECT_GT(most_flying_, 0.0);
  EXPECT_LT(most_open_, static_cast<double>(kEpochBytes + kTurnBytes));
  EXPECT_LT(most_flying_, static_cast<double>(2 * (kEpochBytes + kTurnBytes)));
  EXPECT_EQ(RunUntilItWaits(), polled) << "reading has stopped";

  transport_.answers_commits = true;
  for (int i = 0; i < 60; ++i) {
    clock_.Advance(std::chrono::milliseconds(20));
    ASSERT_TRUE(instance_->Step(0).ok());
  }
  EXPECT_GT(transport_.polled, 2 * polled) << "and goes on";
  EXPECT_GT(instance_->committed_epochs(), 2U);
}

TEST_F(BackpressureTest, WhatWaitsForACommitToEndIsOnItsWayBeforeMoreIsRead) {
  const int64_t polled = RunUntilItWaits();
  transport_.answers_commits = true;
  ASSERT_TRUE(instance_->Step(0).ok());
  EXPECT_EQ(instance_->committed_epochs(), 1U);
  EXPECT_EQ(transport_.polled_at_begin, polled) << "the next epoch was cut first";
  EXPECT_GT(transport_.polled, polled) << "and the step went on reading while it commits";
}

TEST_F(BackpressureTest, AFullSendQueueStopsReading) {
  transport_.answers_commits = true;
  transport_.produce_room = 500;
  const int64_t polled = RunUntilItWaits();
  EXPECT_EQ(transport_.produced.size(), 500U);
  EXPECT_LT(most_open_ + most_flying_, static_cast<double>(3 * (kEpochBytes + kTurnBytes)));
  EXPECT_EQ(RunUntilItWaits(), polled);
  transport_.produce_room = 1 << 30;
  for (int i = 0; i < 60; ++i) {
    clock_.Advance(std::chrono::milliseconds(20));
    ASSERT_TRUE(instance_->Step(0).ok());
  }
  EXPECT_GT(transport_.polled, polled);
}

}  // namespace
}  // namespace tidecast
