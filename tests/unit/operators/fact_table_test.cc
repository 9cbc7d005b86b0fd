#include "operators/fact_table.h"

#include <gtest/gtest.h>

#include "tests/unit/operators/windows_fixture.h"

namespace tidecast {
namespace {

using namespace testing;  // NOLINT

Event Fact(InputKind kind, int64_t announced, NumberField field, double value, int64_t from, int64_t to = 0) {
  Event event;
  event.key = "a";
  event.kind = kind;
  event.input = kind == InputKind::kPromotions ? 1 : kind == InputKind::kInventory ? 2 : 0;
  event.time = At(announced);
  event.valid_from = At(from);
  if (to > 0) event.valid_to = At(to);
  event.Set(field, Decimal{static_cast<int64_t>(value * 1e6)});
  return event;
}

TEST(FactTableTest, SeesOnlyWhatWasAnnouncedByThen) {
  FactTable facts(3);
  facts.Add(0, Fact(InputKind::kInventory, 100, NumberField::kOnHand, 7, 100));
  facts.Add(0, Fact(InputKind::kInventory, 200, NumberField::kOnHand, 5, 200));
  EXPECT_FALSE(facts.ValueAt(0, 2, NumberField::kOnHand, At(99), At(99)));
  EXPECT_EQ(facts.ValueAt(0, 2, NumberField::kOnHand, At(100), At(150))->ToDouble(), 7);
  EXPECT_EQ(facts.ValueAt(0, 2, NumberField::kOnHand, At(199), At(300))->ToDouble(),
            7);  // the newer one is still unknown
  EXPECT_EQ(facts.ValueAt(0, 2, NumberField::kOnHand, At(200), At(300))->ToDouble(), 5);
  EXPECT_FALSE(facts.ValueAt(1, 2, NumberField::kOnHand, At(200), At(300)));
}

TEST(FactTableTest, APromotionIsKnownAheadFromItsAnnouncementAndMayBeWithdrawn) {
  FactTable facts(3);
  Event promotion = Fact(InputKind::kPromotions, 10, NumberField::kDepth, .3, 1000, 2000);
  promotion.texts[static_cast<size_t>(TextField::kPromotion)] = "spring";
  facts.Add(0, promotion);
  EXPECT_EQ(facts.PromotionDepth(0, At(9), At(1000), At(1100)), 0);
  EXPECT_DOUBLE_EQ(facts.PromotionDepth(0, At(10), At(1000), At(1100)), .3);
  EXPECT_DOUBLE_EQ(facts.PromotionDepth(0, At(10), At(900), At(1001)), .3);
  EXPECT_EQ(facts.PromotionDepth(0, At(10), At(900), At(1000)), 0);
  EXPECT_EQ(facts.PromotionDepth(0, At(10), At(2000), At(2100)), 0);
  promotion.time = At(500);
  promotion.valid_to = At(1500);
  facts.Add(0, promotion);
  EXPECT_DOUBLE_EQ(facts.PromotionDepth(0, At(499), At(1600), At(1700)), .3);
  EXPECT_EQ(facts.PromotionDepth(0, At(500), At(1600), At(1700)), 0);
}

TEST(FactTableTest, PriceRatioComparesWithSixtyDaysBefore) {
  FactTable facts(3);
  EXPECT_EQ(facts.PriceRatio(0, At(10), At(20)), 1);
  facts.Add(0, Fact(InputKind::kCatalog, 0, NumberField::kUnitPrice, 4, 0));
  facts.Add(0, Fact(InputKind::kCatalog, 10 * kDay, NumberField::kUnitPrice, 3, 20 * kDay));
  EXPECT_EQ(facts.PriceRatio(0, At(10 * kDay), At(20 * kDay)), 1);
  EXPECT_DOUBLE_EQ(facts.PriceRatio(0, At(10 * kDay), At(21 * kDay)), .75);
  EXPECT_EQ(facts.PriceRatio(0, At(9 * kDay), At(21 * kDay)), 1);
  EXPECT_EQ(facts.PriceRatio(0, At(90 * kDay), At(91 * kDay)), 1);
}

TEST(FactTableTest, SavesLoadsAndForgetsWhatWasSuperseded) {
  FactTable facts(3);
  facts.Add(0, Fact(InputKind::kCatalog, 0, NumberField::kUnitPrice, 4, 0));
  facts.Add(0, Fact(InputKind::kCatalog, 10 * kDay, NumberField::kUnitPrice, 3, 10 * kDay));
  facts.Add(0, Fact(InputKind::kCatalog, 10 * kDay, NumberField::kUnitPrice, 3, 10 * kDay));  // the same once more
  const auto store = MakeMemoryStore();
  const auto save = [&] {
    StateBatch batch;
    TaskDeltaSink sink(batch, {Stage::kSeries, 0});
    facts.Save(sink);
    ASSERT_TRUE(store->Write(batch).ok());
  };
  const TaskStateReader reader(*store, {Stage::kSeries, 0});
  const auto rows = [&] {
    size_t count = 0;
    TC_CHECK(
        reader.Scan(Family::kPanes, "", "", [&count](std::string_view, std::string_view) { return ++count > 0; }).ok());
    return count;
  };
  save();
  EXPECT_EQ(rows(), 2U);
  facts.Expire(At(80 * kDay));
  save();
  EXPECT_EQ(rows(), 2U);
  facts.Expire(At(200 * kDay));
  save();
  EXPECT_EQ(rows(), 1U);
  FactTable other(3);
  ASSERT_TRUE(reader
                  .Scan(Family::kPanes, "", "",
                        [&other](std::string_view key, std::string_view value) {
                          return other.Load(key.substr(1), value).ok();
                        })
                  .ok());
  EXPECT_EQ(other.ValueAt(0, 0, NumberField::kUnitPrice, At(200 * kDay), At(200 * kDay))->ToDouble(), 3);
}

TEST(FactTableTest, ClosedBucketsCarryWhatIsKnownAhead) {
  auto options = HourlyUnits();
  options.views[0].calendar.unit = BucketUnit::kDay;
  options.views[0].forecast = true;
  options.views[0].horizon = 2;
  options.views[0].features.push_back(Feature("stock", Aggregate::kLast, NumberField::kOnHand, "stock"));
  options.input_names = {"orders", "promotions", "stock"};
  options.input_kinds = {InputKind::kOrders, InputKind::kPromotions, InputKind::kInventory};
  options.dedupe_keep.resize(3);
  const auto windows = MakeWindows(options);
  RecordingSink sink;
  FixedActivity activity;
  windows->OnEvent(Order("a", 10), EventTime::Min());
  windows->OnEvent(Fact(InputKind::kPromotions, 20, NumberField::kDepth, .25, 2 * kDay, 3 * kDay), EventTime::Min());
  windows->OnEvent(Fact(InputKind::kInventory, 30, NumberField::kOnHand, 8, 30), EventTime::Min());
  windows->OnEvent(Fact(InputKind::kInventory, 30 + kDay, NumberField::kOnHand, 6, 30 + kDay), EventTime::Min());
  windows->OnEvent(Fact(InputKind::kPromotions, kDay + 1, NumberField::kDepth, .5, kDay, 3 * kDay), EventTime::Min());
  Drain(*windows, At(2 * kDay), sink, activity);
  ASSERT_EQ(sink.rows.size(), 2U);
  EXPECT_EQ(sink.rows[0].known, (std::vector<float>{0, 1, 0, 1, .25F, 1}));
  EXPECT_EQ(sink.rows[0].features[1], 8);
  EXPECT_EQ(sink.rows[1].features[1], 6);
  EXPECT_EQ(sink.rows[1].known, (std::vector<float>{.5F, 1, .5F, 1, 0, 1}));
}

TEST(FactTableTest, OpenHolidaysAreKnownAhead) {
  auto options = HourlyUnits();
  options.views[0].calendar.unit = BucketUnit::kDay;
  options.views[0].calendar.holidays = {"1970-01-03"};
  options.views[0].calendar.closed_on_holidays = false;
  options.views[0].forecast = true;
  options.views[0].horizon = 2;
  const auto windows = MakeWindows(options);
  EXPECT_EQ(KnownCovariates(options.input_kinds, options.views[0].calendar), 1U);
  RecordingSink sink;
  FixedActivity activity;
  windows->OnEvent(Order("a", 10), EventTime::Min());
  windows->OnEvent(Order("a", 2 * kDay + 10), EventTime::Min());
  Drain(*windows, At(3 * kDay), sink, activity);
  ASSERT_EQ(sink.rows.size(), 3U) << "a holiday that is open has its bucket";
  EXPECT_EQ(sink.rows[0].known, (std::vector<float>{0, 0, 1}));
  EXPECT_EQ(sink.rows[2].known, (std::vector<float>{1, 0, 0}));
}

}  // namespace
}  // namespace tidecast
