// Processes that die, brokers that die: nothing is lost, nothing comes twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "tests/integration/copier_process.h"
#include "tests/integration/kafka_world.h"

namespace tidecast::integration {
namespace {

constexpr int kPartitions = 4;
constexpr std::chrono::seconds kDeadline{120};

class KafkaProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BrokerAddress().empty()) GTEST_SKIP() << NoBrokerReason();
    HealBroker();
    world_ = std::make_unique<KafkaWorld>();
    task_.group = world_->word();
    task_.inputs = {world_->TopicName("orders"), world_->TopicName("clicks")};
    task_.output = world_->TopicName("copies");
    task_.changelog = world_->TopicName("changelog");
    for (const std::string& topic : {task_.inputs[0], task_.inputs[1], task_.output}) Create(topic, {});
    Create(task_.changelog, {{"cleanup.policy", "compact"}});
  }

  void Create(const std::string& name, std::vector<std::pair<std::string, std::string>> config) {
    const Status created = world_->feeder().CreateTopic({name, kPartitions, std::move(config)});
    ASSERT_TRUE(created.ok()) << created.message();
  }

  CopierTask TaskOf(const std::string& instance, const std::string& die_at = {}) {
    CopierTask task = task_;
    task.instance = instance;
    task.die_at = die_at;
    return task;
  }

  /// Adds `count` records to each partition of both inputs.
  void Feed(int count) {
    std::vector<OutputRecord> records;
    for (const std::string& topic : task_.inputs) {
      for (int32_t p = 0; p < kPartitions; ++p) {
        for (int i = fed_; i < fed_ + count; ++i) {
          records.push_back(
              {.topic = topic, .partition = p, .key = "k", .value = fmt::format("{}/{}/{:06}", topic, p, i)});
        }
      }
    }
    world_->Feed(world_->feeder(), records);
    fed_ += count;
  }
  size_t expected_total() const { return task_.inputs.size() * kPartitions * static_cast<size_t>(fed_); }

  bool Await(const std::function<bool()>& attempt, std::chrono::seconds deadline = kDeadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!attempt()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return true;
  }

  /// Everything that read_committed shows of the output, by partition.
  std::map<int32_t, std::vector<std::string>> Output() {
    std::map<int32_t, std::vector<std::string>> output;
    for (int32_t p = 0; p < kPartitions; ++p) {
      auto reader = world_->feeder().OpenReader({task_.output, p}, -2, true);
      if (!reader.ok()) continue;
      auto batch = (*reader)->MakeBatch();
      for (bool at_end = false; !at_end;) {
        const auto read = (*reader)->Read(*batch, 10'000, 20);
        if (!read.ok()) break;
        for (const InputRecord& record : batch->records()) output[p].emplace_back(record.value);
        at_end = read->at_end || read->blocked;  // what is hidden is not there yet
      }
    }
    return output;
  }
  size_t OutputCount() {
    size_t count = 0;
    for (const auto& [p, values] : Output()) count += values.size();
    return count;
  }

  /// Waits until all is copied; then each input partition must stand in its output partition, once and in order.
  void ExpectExactlyOnce(std::chrono::seconds deadline = kDeadline) {
    EXPECT_TRUE(Await([&] { return OutputCount() >= expected_total(); }, deadline))
        << "of " << expected_total() << " records only " << OutputCount() << " were copied";
    std::map<std::string, std::vector<std::string>> by_source;
    for (const auto& [p, values] : Output()) {
      for (const std::string& value : values) by_source[value.substr(0, value.rfind('/'))].push_back(value);
    }
    ASSERT_EQ(by_source.size(), task_.inputs.size() * kPartitions);
    for (const auto& [source, values] : by_source) {
      std::vector<std::string> expected;
      for (int i = 0; i < fed_; ++i) expected.push_back(fmt::format("{}/{:06}", source, i));
      EXPECT_EQ(values, expected) << source;
    }
  }

  std::unique_ptr<KafkaWorld> world_;
  CopierTask task_;
  int fed_ = 0;
};

class KafkaKillTest : public KafkaProcessTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(KafkaKillTest, GoesOnExactlyOnce) {
  Feed(100);
  for (const int at : {1, 4, 9}) {
    CopierProcess doomed(TaskOf("a", fmt::format("{}:{}", GetParam(), at)));
    ASSERT_EQ(doomed.Await(60), -SIGKILL);
  }
  CopierProcess successor(TaskOf("a"));
  ExpectExactlyOnce();
}

INSTANTIATE_TEST_SUITE_P(AtStep, KafkaKillTest, ::testing::Values("produced", "sent", "committed"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(KafkaProcessTest, AStaticMemberComesBackWithoutARebalanceOfTheOther) {
  CopierProcess other(TaskOf("b"));
  ASSERT_TRUE(Await([&] { return other.Assigned().size() == 2 * kPartitions; }));
  std::vector<std::string> before;
  {
    CopierProcess killed(TaskOf("a"));
    ASSERT_TRUE(
        Await([&] { return killed.Assigned().size() == kPartitions && other.Assigned().size() == kPartitions; }));
    before = other.Lines();
    Feed(50);
    ASSERT_TRUE(Await([&] { return OutputCount() > 0; }));
  }
  CopierProcess back(TaskOf("a"));
  ASSERT_TRUE(Await([&] { return back.Assigned().size() == kPartitions; }, std::chrono::seconds(20)));
  Feed(50);
  ExpectExactlyOnce();
  EXPECT_EQ(other.Lines(), before) << "the other member was rebalanced";
}

TEST_F(KafkaProcessTest, TwoMembersShareThePartitionsAndOneTakesOver) {
  task_.session_ms = 3000;
  CopierProcess survivor(TaskOf("b"));
  {
    CopierProcess killed(TaskOf("a"));
    ASSERT_TRUE(
        Await([&] { return killed.Assigned().size() == kPartitions && survivor.Assigned().size() == kPartitions; }));
    // The same partitions of both inputs meet in one member.
    for (const CopierProcess* member : {&killed, &survivor}) {
      std::map<std::string, std::set<std::string>> numbers;
      for (const std::string& partition : member->Assigned()) {
        const size_t at = partition.find('[');
        numbers[partition.substr(0, at)].insert(partition.substr(at));
      }
      ASSERT_EQ(numbers.size(), 2U);
      EXPECT_EQ(numbers[task_.inputs[0]], numbers[task_.inputs[1]]);
    }
    Feed(100);
    ASSERT_TRUE(Await([&] { return OutputCount() > 0; }));
  }
  ASSERT_TRUE(Await([&] { return survivor.Assigned().size() == 2 * kPartitions; })) << "nobody took over";
  Feed(100);
  ExpectExactlyOnce();
}

TEST_F(KafkaProcessTest, AKilledBrokerLosesAndDoublesNothing) {
  if (!BrokerIsOurs()) GTEST_SKIP() << "the broker was started by somebody else, so that it is not killed";
  CopierProcess copier(TaskOf("a"));
  ASSERT_TRUE(Await([&] { return copier.Assigned().size() == 2 * kPartitions; }));
  for (int kill = 0; kill < 2; ++kill) {
    const size_t before = expected_total();
    Feed(500);
    ASSERT_TRUE(Await([&] { return OutputCount() > before; }));
    ASSERT_EQ(RunBrokerScript("kill"), 0);
    ASSERT_EQ(RunBrokerScript("restart"), 0);
  }
  ExpectExactlyOnce();
}

}  // namespace
}  // namespace tidecast::integration
