#include "operators/pane_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "engine/core/event.h"
#include "operators/view_options.h"
#include "operators/window_keys.h"

namespace tidecast {
namespace {

/// What a store would hold.
class Rows final : public DeltaSink {
 public:
  void Put(Family, std::string_view key, std::string_view value) override { rows[std::string(key)] = std::string(value); }
  void Delete(Family, std::string_view key) override {
    rows.erase(std::string(key));
    ++deletes;
  }
  std::map<std::string, std::string> rows;
  int deletes = 0;
};

class PaneTableTest : public ::testing::Test {
 protected:
  PaneTableTest() {
    ViewOptions view;
    view.name = "sku";
    view.target = "units";
    FeatureOptions units;
    units.name = "units";
    units.input = "orders";
    units.aggregate = Aggregate::kSum;
    FeatureOptions customers = units;
    customers.name = "customers";
    customers.aggregate = Aggregate::kDistinct;
    view.features = {units, customers};
    layout_ = Accumulator::Make(view, {"orders"}, {InputKind::kOrders}).value();
  }

  void Add(PaneTable& pane, uint32_t id, int units, uint64_t customer) {
    Event event;
    event.kind = InputKind::kOrders;
    event.input = 0;
    event.time = EventTime{1};
    event.Set(NumberField::kQuantity, Decimal{units * Decimal::kOne});
    event.customer = customer;
    pane.AddEvent(pane.FindOrAdd(id), event);
  }

  static std::vector<double> Values(PaneTable& pane, uint32_t id) {
    const uint32_t row = pane.FindOrThaw(id);
    if (row == PaneTable::kNoRow) return {};
    return {pane.Value(0, row), pane.Value(1, row)};
  }

  Accumulator layout_;
};

TEST_F(PaneTableTest, FrozenRowsComeBackAsTheyWere) {
  std::mt19937 random(3);
  PaneTable plain(layout_), frozen(layout_);
  Rows plain_store, frozen_store;
  constexpr uint32_t kIds = 300;
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 200; ++i) {
      const uint32_t id = random() % kIds;
      const int units = static_cast<int>(random() % 9) + 1;
      const uint64_t customer = 1 + random() % 12;
      Add(plain, id, units, customer);
      Add(frozen, id, units, customer);
    }
    if (round == 0) {
      plain.Seal();
      frozen.Seal();
    }
    plain.Save(0, EventTime{0}, plain_store);
    frozen.Save(0, EventTime{0}, frozen_store);
    EXPECT_EQ(frozen_store.rows, plain_store.rows) << round;
    frozen.Freeze();
    EXPECT_EQ(frozen.size(), 0U);
  }
  for (uint32_t id = 0; id < kIds + 5; ++id) EXPECT_EQ(Values(frozen, id), Values(plain, id)) << id;
}

TEST_F(PaneTableTest, FrozenTakesLessMemory) {
  PaneTable pane(layout_);
  Rows store;
  for (uint32_t id = 0; id < 10000; ++id) Add(pane, id, 3, id);
  pane.Seal();
  pane.Save(0, EventTime{0}, store);
  const size_t before = pane.memory_bytes();
  ASSERT_TRUE(pane.worth_freezing());
  pane.Freeze();
  EXPECT_LT(pane.memory_bytes() * 2, before);
  EXPECT_FALSE(pane.worth_freezing());
}

TEST_F(PaneTableTest, ARevisionIsKeptThroughFreezing) {
  PaneTable pane(layout_);
  Rows store;
  Add(pane, 7, 1, 1);
  pane.Seal();
  pane.MarkRevised(pane.Find(7));
  EXPECT_EQ(pane.PublishRevision(pane.Find(7)), 2U);
  pane.Save(0, EventTime{0}, store);
  pane.Freeze();
  const uint32_t row = pane.FindOrThaw(7);
  ASSERT_NE(row, PaneTable::kNoRow);
  pane.MarkRevised(row);
  EXPECT_EQ(pane.PublishRevision(row), 3U);
}

TEST_F(PaneTableTest, DeletesAllThatIsStoredInPortions) {
  PaneTable pane(layout_);
  Rows store;
  for (uint32_t id = 0; id < 500; ++id) Add(pane, id * 3, 1, id);
  pane.Seal();
  pane.Save(0, EventTime{0}, store);
  pane.Freeze();
  for (uint32_t id = 0; id < 100; ++id) Add(pane, id * 5, 1, id);  // some thawed, some new
  pane.Save(0, EventTime{0}, store);
  Add(pane, 1000000, 1, 1);  // never saved
  const size_t rows = store.rows.size();
  ASSERT_GT(rows, 1000U);
  int portions = 1;
  while (!pane.DeleteStored(0, EventTime{0}, 64, store)) {
    ++portions;
    ASSERT_LT(portions, 100);
  }
  EXPECT_GT(portions, 5);
  EXPECT_TRUE(store.rows.empty()) << store.rows.size() << " of " << rows << " are left";
  EXPECT_EQ(static_cast<size_t>(store.deletes), rows);
}

}  // namespace
}  // namespace tidecast
