#include "operators/pane_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
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
class Rows final : public DeltaSink, public StateReader {
 public:
  Result<bool> Get(Family, std::string_view key, std::string* value) const override {
    ++reads;
    const auto at = rows.find(std::string(key));
    if (at != rows.end()) *value = at->second;
    return at != rows.end();
  }
  Status Scan(Family, std::string_view prefix, std::string_view from,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    for (auto at = rows.lower_bound(std::string(from)); at != rows.end() && at->first.starts_with(prefix); ++at) {
      if (!visit(at->first, at->second)) break;
    }
    return Status::Ok();
  }
  void Put(Family, std::string_view key, std::string_view value) override {
    rows[std::string(key)] = std::string(value);
  }
  void Delete(Family, std::string_view key) override {
    rows.erase(std::string(key));
    ++deletes;
  }
  std::map<std::string, std::string> rows;
  int deletes = 0;
  mutable int reads = 0;
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
    const uint32_t row = pane.FindOrLoad(id);
    if (row == PaneTable::kNoRow) return {};
    return {pane.Value(0, row), pane.Value(1, row)};
  }

  Accumulator layout_;
};

TEST_F(PaneTableTest, RowsThatWereLetGoComeBackAsTheyWere) {
  std::mt19937 random(3);
  PaneTable plain(layout_), attached(layout_);
  Rows plain_store, attached_store;
  StoredPanes stored{&attached_store, Status::Ok()};
  constexpr uint32_t kIds = 300;
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 20; ++i) {
      const uint32_t id = random() % kIds;
      const int units = static_cast<int>(random() % 9) + 1;
      const uint64_t customer = 1 + random() % 12;
      Add(plain, id, units, customer);
      Add(attached, id, units, customer);
    }
    if (round == 0) plain.Seal();
    plain.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, plain_store);
    attached.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, attached_store);
    EXPECT_EQ(attached_store.rows, plain_store.rows) << round;
    attached.Clear();
    attached.Seal();
    attached.Attach(stored, 0, EventTime{0});
    EXPECT_EQ(attached.size(), 0U);
  }
  for (uint32_t id = 0; id < kIds + 5; ++id) EXPECT_EQ(Values(attached, id), Values(plain, id)) << id;
  EXPECT_TRUE(stored.failure.ok());
}

TEST_F(PaneTableTest, ABlockIsReadOnce) {
  PaneTable pane(layout_);
  Rows store;
  StoredPanes stored{&store, Status::Ok()};
  for (uint32_t id = 0; id < 200; ++id) Add(pane, id, 3, id);
  pane.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, store);
  pane.Clear();
  pane.Seal();
  pane.Attach(stored, 0, EventTime{0});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Values(pane, 40), (std::vector<double>{3, 1}));
  EXPECT_EQ(Values(pane, 41), (std::vector<double>{3, 1}));
  EXPECT_EQ(store.reads, 1);
  EXPECT_EQ(pane.size(), PaneTable::kBlockIds);
  EXPECT_TRUE(Values(pane, 5000).empty());
  EXPECT_EQ(store.reads, 2);
}

TEST_F(PaneTableTest, AnErrorOfTheStoreIsKept) {
  PaneTable pane(layout_);
  Rows store;
  StoredPanes stored{&store, Status::Ok()};
  Add(pane, 40, 3, 1);
  pane.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, store);
  store.rows[PaneBlockKey(0, EventTime{0}, 1)] = "nonsense";
  pane.Clear();
  pane.Attach(stored, 0, EventTime{0});
  EXPECT_EQ(pane.FindOrLoad(40), PaneTable::kNoRow);
  EXPECT_EQ(stored.failure.code(), Code::kVersion) << stored.failure.message();
}

TEST_F(PaneTableTest, ARevisionIsKeptWhenItsRowIsLetGo) {
  PaneTable pane(layout_);
  Rows store;
  StoredPanes stored{&store, Status::Ok()};
  Add(pane, 7, 1, 1);
  pane.Seal();
  pane.MarkRevised(pane.Find(7));
  EXPECT_EQ(pane.PublishRevision(pane.Find(7)), 2U);
  pane.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, store);
  pane.Clear();
  pane.Attach(stored, 0, EventTime{0});
  const uint32_t row = pane.FindOrLoad(7);
  ASSERT_NE(row, PaneTable::kNoRow);
  pane.MarkRevised(row);
  EXPECT_EQ(pane.PublishRevision(row), 3U);
}

TEST_F(PaneTableTest, RowsAreStoredInBlocksAndReadBack) {
  PaneTable pane(layout_);
  Rows store;
  for (uint32_t id = 0; id < 400; id += 3) Add(pane, id, static_cast<int>(id) + 1, id);
  pane.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, store);
  EXPECT_LE(store.rows.size() - 134, 400 / PaneTable::kBlockIds + 1);  // beside the distinct counts
  Add(pane, 33, 1, 1);                                                 // writes the row's whole block again
  pane.Seal();
  pane.MarkRevised(pane.Find(36));
  Rows delta;
  pane.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, delta);
  EXPECT_EQ(delta.rows.size(), 2U);
  for (const auto& [key, value] : delta.rows) store.rows[key] = value;

  PaneTable again(layout_);
  for (const auto& [key, value] : store.rows) {
    if (static_cast<WindowTable>(key[0]) != WindowTable::kPaneBlock) continue;
    const uint32_t block = static_cast<unsigned char>(key[key.size() - 1]) |
                           static_cast<uint32_t>(static_cast<unsigned char>(key[key.size() - 2])) << 8;
    ASSERT_TRUE(again.LoadBlock(block, 400, value).ok());
  }
  ASSERT_EQ(again.size(), pane.size());
  for (uint32_t id = 0; id < 400; ++id) {
    const uint32_t row = again.Find(id);
    ASSERT_EQ(row == PaneTable::kNoRow, pane.Find(id) == PaneTable::kNoRow) << id;
    if (row == PaneTable::kNoRow) continue;
    EXPECT_EQ(again.Value(0, row), pane.Value(0, pane.Find(id))) << id;
    EXPECT_EQ(again.revised(row), id == 36) << id;
  }
  EXPECT_FALSE(again.dirty());
  EXPECT_FALSE(again.LoadBlock(0, 400, store.rows.begin()->second).ok());                      // the same rows twice
  EXPECT_FALSE(PaneTable(layout_).LoadBlock(1u << 30, 400, store.rows.begin()->second).ok());  // no such series
}

TEST_F(PaneTableTest, AFewChangedRowsGoIntoADeltaWhichASealedTableGivesUp) {
  std::mt19937 random(7);
  PaneTable pane(layout_);
  Rows store;
  const auto is = [](const std::string& key, WindowTable table) { return static_cast<WindowTable>(key[0]) == table; };
  const auto deltas = [&] {
    return std::count_if(store.rows.begin(), store.rows.end(),
                         [&](const auto& row) { return is(row.first, WindowTable::kPaneDelta); });
  };
  const auto expect_stored = [&] {
    PaneTable again(layout_);
    for (const auto& [key, value] : store.rows) {
      KeyReader at(std::string_view(key).substr(11));
      if (is(key, WindowTable::kPaneBlock)) {
        ASSERT_TRUE(again.LoadBlock(at.U32(), 500, value).ok());
      }
      if (is(key, WindowTable::kPaneDelta)) {
        ASSERT_TRUE(again.LoadDelta(at.U64(), 500, value).ok());
      }
    }
    const std::string sketches = DistinctPrefix(0, EventTime{0});
    for (auto at = store.rows.lower_bound(sketches); at != store.rows.end() && at->first.starts_with(sketches); ++at) {
      KeyReader key(std::string_view(at->first).substr(sketches.size()));
      const uint32_t id = key.U32();
      ASSERT_TRUE(again.LoadSketch(id, key.U16(), at->second).ok());
    }
    ASSERT_EQ(again.size(), pane.size());
    for (uint32_t id = 0; id < 500; ++id) EXPECT_EQ(Values(again, id), Values(pane, id)) << id;
  };
  for (uint32_t id = 0; id < 500; id += 1 + id % 2) Add(pane, id, 1, id);
  pane.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, store);
  EXPECT_EQ(deltas(), 0);
  for (int round = 0; round < 40; ++round) {
    for (uint32_t block = 0; block < 15; ++block)
      Add(pane, block * 32 + random() % 32, 1 + static_cast<int>(random() % 4), random() % 9);
    pane.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, store);
    EXPECT_GT(deltas(), 0) << round;
    expect_stored();
  }
  EXPECT_FALSE(pane.needs_save());
  pane.Seal();
  EXPECT_TRUE(pane.needs_save());
  pane.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, store);
  EXPECT_EQ(deltas(), 0);
  EXPECT_FALSE(pane.needs_save() || pane.has_deltas());
  expect_stored();
}

TEST_F(PaneTableTest, ARowOfAnOlderFormatIsReadAndWrittenAsABlock) {
  PaneTable pane(layout_);
  const ByteWriter old = [&] {
    ByteWriter value;
    value.U8(1).Bool(true).Varint(2).Varint(layout_.slots()).SignedVarint(5).SignedVarint(7 * Decimal::kOne);
    return value;
  }();
  ASSERT_TRUE(pane.LoadRow(40, old.view()).ok());
  EXPECT_EQ(pane.Value(0, pane.Find(40)), 7);
  EXPECT_TRUE(pane.revised(pane.Find(40)));
  EXPECT_EQ(pane.PublishRevision(pane.Find(40)), 3U);
  Rows store;
  pane.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, store);
  ASSERT_EQ(store.rows.size(), 1U);
  PaneTable again(layout_);
  ASSERT_TRUE(again.LoadBlock(1, 41, store.rows.begin()->second).ok());
  EXPECT_EQ(again.Value(0, again.Find(40)), 7);
}

TEST_F(PaneTableTest, RanksFindWhatASearchFinds) {
  std::mt19937 random(5);
  PaneTable searched(layout_), ranked(layout_);
  for (int i = 0; i < 300; ++i) {
    const uint32_t id = random() % 1000;
    Add(searched, id, 1, 1);
    Add(ranked, id, 1, 1);
  }
  searched.Seal();
  ranked.Seal(true);
  for (const uint32_t late : {5000U, 77U, 0U}) {
    Add(searched, late, 2, 2);
    Add(ranked, late, 2, 2);
  }
  for (uint32_t id = 0; id < 5100; ++id) EXPECT_EQ(ranked.Find(id), searched.Find(id)) << id;
}

TEST_F(PaneTableTest, ASealedTableKeepsNoRoomForRowsThatDoNotCome) {
  ViewOptions view;
  view.features = {{.name = "units", .input = "orders", .aggregate = Aggregate::kSum}};
  view.target = "units";
  const Accumulator layout = Accumulator::Make(view, {"orders"}, {InputKind::kOrders}).value();
  PaneTable just_grown(layout), full(layout);
  for (uint32_t id = 0; id < 1025; ++id) Add(just_grown, id, 1, 1);
  for (uint32_t id = 0; id < 2048; ++id) Add(full, id, 1, 1);
  just_grown.Seal(true);
  full.Seal(true);
  EXPECT_LT(just_grown.memory_bytes() * 10, full.memory_bytes() * 6);
}

TEST_F(PaneTableTest, DeletesAllThatIsStoredInPortions) {
  PaneTable pane(layout_);
  Rows store;
  for (uint32_t id = 0; id < 500; ++id) Add(pane, id * 3, 1, id);
  pane.Seal();
  pane.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, store);
  for (uint32_t id = 0; id < 100; ++id) Add(pane, id * 5, 1, id);  // some changed, some new
  pane.Save(0, EventTime{0}, BlockJournal::kDeltaBlocks, store);
  Add(pane, 1000000, 1, 1);  // never saved
  const size_t rows = store.rows.size();
  ASSERT_GT(rows, 500U);
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
