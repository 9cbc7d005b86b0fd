// From the means of series to what a rollup's key is expected to have: sums of a round, their split, the newest of each
// task.
#include "operators/bottom_up.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "operators/bottom_up_table.h"
#include "operators/contribution.h"
#include "state/state_store.h"
#include "state/task_keyspace.h"

namespace tidecast {
namespace {

constexpr int64_t kDay = 86'400;
EventTime Day(int64_t day) { return EventTime::FromSeconds(day * kDay); }

ViewOptions View(GroupBy group_by) {
  ViewOptions view;
  view.name = group_by == GroupBy::kKey ? "sku" : "rollup";
  view.group_by = group_by;
  FeatureOptions units;
  units.name = view.name + "_units";
  units.input = "orders";
  units.aggregate = Aggregate::kSum;
  units.sign = SignFilter::kPositive;
  view.features = {units};
  view.target = units.name;
  return view;
}

TEST(BottomUpSourceTest, IsTheViewWhoseMeansAddUp) {
  const std::vector<ViewOptions> views = {View(GroupBy::kAll),     View(GroupBy::kKey),      View(GroupBy::kKey),
                                          View(GroupBy::kCountry), View(GroupBy::kCategory), View(GroupBy::kCustomer)};
  for (const uint16_t rollup : {0, 3, 4}) EXPECT_EQ(BottomUpSource(views, rollup), 1) << rollup;
  EXPECT_EQ(BottomUpSource(views, 1), std::nullopt);
  EXPECT_EQ(BottomUpSource(views, 5), std::nullopt);
}

TEST(BottomUpSourceTest, IsNoneWhereMeansDoNotAddUp) {
  const std::vector<ViewOptions> both = {View(GroupBy::kKey), View(GroupBy::kAll)};
  ASSERT_EQ(BottomUpSource(both, 1), 0);
  const auto with = [&](size_t of, auto change) {
    std::vector<ViewOptions> views = both;
    change(views[of]);
    return BottomUpSource(views, 1);
  };
  EXPECT_EQ(with(0, [](ViewOptions& v) { v.forecast = false; }), std::nullopt);
  EXPECT_EQ(with(1, [](ViewOptions& v) { v.forecast = false; }), std::nullopt);
  EXPECT_EQ(with(0, [](ViewOptions& v) { v.emit_empty = false; }), std::nullopt);
  EXPECT_EQ(with(1, [](ViewOptions& v) { v.horizon += 1; }), std::nullopt);
  EXPECT_EQ(with(0, [](ViewOptions& v) { v.horizon += 1; }), 0);
  EXPECT_EQ(with(0, [](ViewOptions& v) { v.calendar.unit = BucketUnit::kWeek; }), std::nullopt);
  EXPECT_EQ(with(0, [](ViewOptions& v) { v.features[0].sign = SignFilter::kAll; }), std::nullopt);
  std::vector<ViewOptions> largest = both;
  for (ViewOptions& view : largest) view.features[0].aggregate = Aggregate::kMax;
  EXPECT_EQ(BottomUpSource(largest, 1), std::nullopt);
}

BucketContext At(int64_t day) {
  BucketContext context;
  context.now.start = Day(day);
  context.now.end = Day(day + 1);
  for (int h = 1; h <= 2; ++h) {
    context.ahead.emplace_back();
    context.ahead.back().start = Day(day + h);
    context.ahead.back().end = Day(day + h + 1);
  }
  return context;
}

using Given = std::map<std::tuple<uint16_t, uint16_t, std::string>, std::vector<int64_t>>;
Given Give(const BottomUpSums& sums, const std::map<uint16_t, KeySplit>& splits = {}) {
  Given given;
  sums.Give(At(10), splits, [&](const BottomUpShare& share) {
    EXPECT_EQ(std::tuple(share.start, share.end), std::tuple(Day(10), Day(11)));
    EXPECT_EQ(share.until, Day(11 + static_cast<int64_t>(share.micros.size())));
    EXPECT_TRUE(given.emplace(std::tuple(share.view, share.upstream, std::string(share.key)), share.micros).second);
  });
  return given;
}

std::vector<BottomUpSums::Feed> AllFeeds() {
  return {{1, GroupBy::kAll, 2}, {2, GroupBy::kCategory, 1}, {3, GroupBy::kCountry, 2}};
}

TEST(BottomUpSumsTest, SumByTaskAndKey) {
  BottomUpSums sums(AllFeeds());
  sums.Add(0, "toys", std::array{1.5F, 2.F});
  sums.Add(0, "toys", std::array{.25F, 1.F});
  sums.Add(0, "", std::array{1.F, 1.F});
  sums.Add(4, "tea", std::array{7.F, 8.F});
  const Given expected = {{{1, 0, "all"}, {2'750'000, 4'000'000}},
                          {{1, 4, "all"}, {7'000'000, 8'000'000}},
                          {{2, 0, "toys"}, {1'750'000}},
                          {{2, 0, "unknown"}, {1'000'000}},
                          {{2, 4, "tea"}, {7'000'000}}};
  EXPECT_EQ(Give(sums), expected);
}

TEST(BottomUpSumsTest, DoNotDependOnTheOrderAndGoOnWhereTheyWere) {
  const std::vector<std::array<float, 2>> means = {{.1F, 1e7F}, {3e-5F, .7F}, {123.456F, 2.F}, {1e-3F, 99.9F}};
  BottomUpSums forward(AllFeeds());
  BottomUpSums backward(AllFeeds());
  for (size_t i = 0; i < means.size(); ++i) {
    forward.Add(1, "a", means[i]);
    ByteWriter half;
    backward.Encode(&half);
    backward = BottomUpSums(AllFeeds());
    ASSERT_TRUE(backward.Decode(half.view()).ok());
    backward.Add(1, "a", means[means.size() - 1 - i]);
  }
  EXPECT_EQ(Give(forward), Give(backward));
  EXPECT_FALSE(forward.Decode("x").ok());
  forward.Clear();
  EXPECT_TRUE(forward.empty());
}

TEST(BottomUpSumsTest, ByCountryAreSplitAsTheTaskHasSold) {
  std::map<uint16_t, KeySplit> splits;
  KeySplit& split = splits[3];
  split.Add(0, "Norway", 30);
  split.Add(0, "Eire", 10);
  split.Add(0, "Eire", -500);  // what came back says nothing of demand
  split.Add(4, "Norway", 2);
  BottomUpSums sums({{3, GroupBy::kCountry, 2}});
  sums.Add(0, "", std::array{4.F, 8.F});
  sums.Add(4, "", std::array{1.F, 1.F});
  sums.Add(6, "", std::array{5.F, 5.F});  // has sold nothing yet: nobody's
  const Given expected = {{{3, 0, "Eire"}, {1'000'000, 2'000'000}},
                          {{3, 0, "Norway"}, {3'000'000, 6'000'000}},
                          {{3, 4, "Norway"}, {1'000'000, 1'000'000}}};
  EXPECT_EQ(Give(sums, splits), expected);
}

TEST(KeySplitTest, FadesForgetsAndReadsBack) {
  KeySplit split;
  split.Add(2, "Eire", 1);
  for (int i = 0; i < 800; ++i) {
    split.Fade();
    split.Add(2, "Norway", 3);
  }
  std::map<std::string, double> parts;
  const auto take = [&](std::string_view key, double part) { parts[std::string(key)] = part; };
  split.Visit(2, take);
  EXPECT_EQ(parts, (std::map<std::string, double>{{"Norway", 1}}));
  split.Add(2, "Eire", 50);
  parts.clear();
  split.Visit(2, take);
  EXPECT_NEAR(parts["Eire"], 50. / (50 + 3 / (1 - KeySplit::kMemory)), 1e-6);
  KeySplit back;
  ASSERT_TRUE(back.Decode(2, split.Encode(2)).ok());
  EXPECT_EQ(back.sums(), split.sums());
  EXPECT_FALSE(back.Decode(2, "\x02").ok());
}

class BottomUpTableTest : public ::testing::Test {
 protected:
  void Put(uint16_t upstream, int64_t day, std::vector<int64_t> units, std::string_view key = "all") {
    for (int64_t& unit : units) unit *= 1'000'000;
    const EventTime until = Day(day + 1 + static_cast<int64_t>(units.size()));
    table_.Put({1, upstream, key, Day(day), Day(day + 1), until, std::move(units)}, closed_);
  }
  std::vector<float> Take(int64_t day, std::string_view key = "all") {
    return table_.Take(1, key, Day(day), Day(day + 1), 2);
  }
  /// Commits and begins anew from the store.
  void Restart() {
    StateBatch batch;
    TaskDeltaSink sink(batch, kTask);
    table_.Save(sink);
    ASSERT_TRUE(store_->Write(batch).ok());
    table_ = BottomUpTable();
    ASSERT_TRUE(table_.Reload(TaskStateReader(*store_, kTask)).ok());
  }
  static constexpr TaskId kTask{Stage::kRollup, 3};
  std::unique_ptr<StateStore> store_ = MakeMemoryStore();
  BottomUpTable table_;
  EventTime closed_ = EventTime::Min();
};

using Means = std::vector<float>;

TEST_F(BottomUpTableTest, SumsTheNewestWordOfEachTask) {
  Put(0, 10, {1, 2});
  Put(0, 10, {3, 4});  // said again, after its task was set back
  Put(5, 10, {10, 20});
  Put(5, 11, {70, 80});  // is ahead
  Put(5, 10, {500, 500}, "other");
  EXPECT_EQ(Take(10), (Means{13, 24}));
  EXPECT_EQ(Take(10, "none"), Means());
  Put(0, 11, {7, 7});
  EXPECT_EQ(Take(11), (Means{77, 87}));
}

TEST_F(BottomUpTableTest, DoesNotKnowWhileATaskThatStillHasAForecastIsSilent) {
  Put(0, 10, {1, 2});
  Put(5, 10, {10, 20});
  EXPECT_EQ(Take(10), (Means{11, 22}));
  Put(0, 11, {1, 2});
  EXPECT_EQ(Take(11), Means());
  Put(0, 12, {1, 2});
  EXPECT_EQ(Take(12), (Means{1, 2}));  // what task 5 said reached two buckets far
}

TEST_F(BottomUpTableTest, GoesOnFromTheStore) {
  Put(0, 10, {1, 2});
  Put(5, 10, {10, 20});
  Put(5, 11, {70, 80});
  Restart();
  EXPECT_EQ(Take(10), (Means{11, 22}));
  Restart();
  Put(0, 11, {1, 1});
  EXPECT_EQ(Take(11), (Means{71, 81}));
  Restart();
  size_t rows = 0;
  ASSERT_TRUE(TaskStateReader(*store_, kTask)
                  .Scan(Family::kPanes, {}, {},
                        [&](std::string_view, std::string_view) {
                          ++rows;
                          return true;
                        })
                  .ok());
  EXPECT_EQ(rows, 2U);  // the last word of each task
  EXPECT_EQ(table_.dirty_bytes(), 0U);
}

TEST_F(BottomUpTableTest, DoesNotKnowWhereATaskSaysThatItHasNone) {
  Put(0, 10, {1, 2});
  table_.Put({1, 5, "all", Day(10), Day(11), EventTime{Day(11).us + 1}, {}}, closed_);
  EXPECT_EQ(Take(10), Means());
  Restart();
  Put(0, 11, {1, 2});
  EXPECT_EQ(Take(11), (Means{1, 2}));
}

TEST_F(BottomUpTableTest, KeepsWhatIsAheadOfABucketThatClosesLate) {
  for (int64_t day = 10; day < 20; ++day) Put(0, day, {day, 1});
  for (int64_t day = 10; day < 20; ++day) EXPECT_EQ(Take(day), (Means{static_cast<float>(day), 1}));
}

TEST_F(BottomUpTableTest, DoesNotFillUpWithAKeyThatHasNoRows) {
  for (int64_t day = 0; day < 100; ++day) {
    closed_ = Day(day);
    Put(0, day, {1, 2});
  }
  EXPECT_LT(table_.memory_bytes(), 1000U);
  EXPECT_EQ(Take(99), (Means{1, 2}));
}

}  // namespace
}  // namespace tidecast
