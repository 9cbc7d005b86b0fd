// Every transaction is aborted once before it is committed; the bytes are those of a run without aborts.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/runtime/epoch_committer.h"
#include "tests/simulation/engine_process.h"

namespace tidecast::simulation {
namespace {

/// Takes in a few records at a time, so that there are many batches; aborts the first try of each commit.
class AbortingWire final : public Wire {
 public:
  explicit AbortingWire(bool aborts) : aborts_(aborts) {}
  CommitFate OnCommit() override {
    ++commits;
    if (!aborts_ || commits % 2 == 0) return {};
    ++aborted;
    return {.told = Outcome::kAbortable, .happens = false};
  }
  size_t Fetched(const TopicPartition&, size_t) override { return 7; }
  int commits = 0;
  int aborted = 0;

 private:
  bool aborts_;
};

struct Run {
  std::vector<std::string> records;             ///< of all output topics, read_committed
  std::map<std::string, std::string> activity;  ///< what instances tell each other, folded
  std::string state;
  int commits = 0;
  int aborted = 0;
  EventCounts counts;
};

Run RunShop(const Shop& shop, bool aborts) {
  ManualClock clock{ProcessingTime{ShopStart().us}};
  SimulatedBroker broker(clock);
  CreateInputTopics(shop, broker);
  broker.Feed(shop.records);
  AbortingWire wire(aborts);
  const auto disk = std::make_shared<Disk>();
  EngineOptions options = shop.options;
  options.commit_interval = Duration{};
  EngineProcess engine(options, {broker, clock, wire, disk, {}, nullptr});
  EXPECT_TRUE(engine.Start().ok());
  bool bounded = false;
  for (int steps = 0;; ++steps) {
    if (steps > 1'000'000) {
      ADD_FAILURE() << "the engine does not come to its end";
      break;
    }
    if (!bounded && engine.instance().running()) {
      EXPECT_TRUE(engine.instance().FinishAtEnd().ok());
      bounded = true;
    }
    const auto progress = engine.Step();
    if (!progress.ok()) {
      ADD_FAILURE() << progress.status().message();
      break;
    }
    clock.Advance(std::chrono::milliseconds(1));
    if (*progress == Instance::Progress::kFinished) break;
  }
  Run run;
  std::vector<std::string> except = shop.input_topics;
  except.insert(except.end(), {"shop.changelog.series", "shop.changelog.model"});
  for (const auto& [tp, records] : ReadCommitted(broker, except)) {
    for (const OutputRecord& record : records) {
      // Told once an epoch, so how often is a matter of the epochs; the newest word on each key is not.
      if (tp.topic == "shop.activity") {
        run.activity[record.key] = record.value.value_or("");
      } else {
        run.records.push_back(TextOf(record));
      }
    }
  }
  // Left out: commit records (they name the epoch's number, which an abort uses up) and how far a changelog was read.
  run.state = DumpRows(disk->rows(), [](Family family, std::string_view key) {
    return IsCommitRecordKey(family, key) ||
           (family == Family::kMeta && key.size() > 3 && static_cast<unsigned char>(key[3]) == 0xF7);
  });
  run.commits = wire.commits;
  run.aborted = wire.aborted;
  run.counts = engine.instance().counts();
  return run;
}

void ExpectSameBytes(const Shop& shop) {
  const Run plain = RunShop(shop, false);
  const Run aborted = RunShop(shop, true);
  EXPECT_GT(plain.commits, 20);
  EXPECT_GT(aborted.aborted, 20);
  for (const char* topic : {"shop.features[", "shop.features.three_days[", "shop.features.visit[", "shop.forecasts[",
                            "shop.alerts[", "shop.dlq["}) {
    const auto is_of = [&](const std::string& record) { return record.starts_with(topic); };
    EXPECT_TRUE(std::any_of(plain.records.begin(), plain.records.end(), is_of)) << "nothing was written to " << topic;
  }
  ASSERT_EQ(plain.records.size(), aborted.records.size());
  for (size_t i = 0; i < plain.records.size(); ++i) ASSERT_EQ(plain.records[i], aborted.records[i]);
  EXPECT_EQ(plain.activity, aborted.activity);
  EXPECT_EQ(plain.state, aborted.state);
  const ShopTruth truth = ComputeTruth(shop);
  EXPECT_EQ(aborted.counts.events_read, truth.read);
  EXPECT_EQ(aborted.counts.events_accepted, truth.accepted);
  EXPECT_EQ(aborted.counts.duplicates, truth.duplicates);
  EXPECT_EQ(aborted.counts.too_late, static_cast<int64_t>(truth.late.size()));
  EXPECT_EQ(aborted.counts.dead_lettered, static_cast<int64_t>(truth.dead.size()));
}

TEST(AbortEveryBatch, GivesTheBytesOfARunWithoutAborts) {
  ExpectSameBytes(MakeShop({.seed = 3, .series = 10, .days = 28}));
}

TEST(AbortEveryBatch, GivesTheBytesOfARunWithoutAbortsWithFactsAndADayOfRest) {
  ExpectSameBytes(MakeShop({.seed = 4, .series = 10, .days = 28, .facts = true, .open = OpenRule::kLearned}));
}

// No late events here: a redo takes its records in other batches, and how many late events one revision takes up is a
// matter of the batch (the newest revision is the same).
TEST(AbortEveryBatch, GivesTheSameBytesWhenARoundIsCutIntoEpochs) {
  Shop shop = MakeShop({.seed = 5, .series = 40, .days = 14, .orders_a_day = 60, .late = false});
  shop.options.epoch_bytes_max = 8 << 10;
  ExpectSameBytes(shop);
}

#ifdef TIDECAST_NET_MODULE
TEST(AbortEveryBatch, GivesTheSameBytesWithTheNetOn) {
  Shop shop = MakeShop({.seed = 6, .series = 8, .days = 24, .facts = true});
  shop.options.model.net = NetKind::kLstm;
  shop.options.model.device = "cpu";
  shop.options.model.net_module = TIDECAST_NET_MODULE;
  ExpectSameBytes(shop);
}
#endif

}  // namespace
}  // namespace tidecast::simulation
