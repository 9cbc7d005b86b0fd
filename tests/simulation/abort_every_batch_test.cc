// Every transaction is aborted once before it is committed; the bytes are those of a run without aborts.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/simulation/aborting_run.h"

namespace tidecast::simulation {
namespace {

void ExpectSameBytes(const Shop& shop) {
  const ShopRun plain = RunShop(shop, false);
  const ShopRun aborted = RunShop(shop, true);
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

// Without late events: into how many revisions the shares of a bucket are gathered is a matter of the epochs, too.
TEST(AbortEveryBatch, GivesTheSameBytesWithViewsOfFurtherStages) {
  ExpectSameBytes(MakeShop({.seed = 7, .partitions = 3, .series = 8, .days = 20, .late = false, .grouped = true}));
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
