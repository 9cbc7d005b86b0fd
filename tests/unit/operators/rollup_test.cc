// Views of another stage: shares of the series tasks (kPartial), merged by the rollup's task (kMerged).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "operators/category_table.h"
#include "operators/contribution_table.h"
#include "tests/unit/operators/windows_fixture.h"

namespace tidecast::testing {
namespace {

struct Sent {
  uint16_t view = 0;
  uint16_t upstream = 0;
  std::string key;
  EventTime start;
  EventTime end;
  uint32_t revision = 1;
  bool target_active = false;
  std::string row;
  Contribution View() const { return {view, upstream, key, start, end, revision, target_active, row}; }
};

class ShareSink final : public WindowSink {
 public:
  void OnBucket(const ClosedBucket&) override { ADD_FAILURE() << "a row of a view of another stage"; }
  void OnWindow(const ClosedBucket&, uint16_t) override { ADD_FAILURE() << "a window of a view of another stage"; }
  void OnBucketEnd(uint16_t, EventTime, EventTime, bool) override {}
  void OnContribution(const Contribution& c) override {
    sent.push_back(
        {c.view, upstream, std::string(c.key), c.start, c.end, c.revision, c.target_active, std::string(c.row)});
  }
  uint16_t upstream = 0;
  std::vector<Sent> sent;
};

Event Sale(std::string_view key, int64_t seconds, double quantity, uint64_t customer, std::string_view country) {
  Event event = Order(key, seconds, quantity, customer);
  event.texts[static_cast<size_t>(TextField::kCountry)] = country;
  return event;
}

Event CatalogRow(std::string_view key, int64_t seconds, std::string_view category) {
  Event event;
  event.kind = InputKind::kCatalog;
  event.input = 1;
  event.key = key;
  event.time = At(seconds);
  event.texts[static_cast<size_t>(TextField::kCategory)] = category;
  return event;
}

WindowAggregator::Options Grouped(GroupBy group_by, WindowRole role, int64_t lateness = 0) {
  WindowAggregator::Options options = HourlyUnits(lateness);
  options.input_names = {"orders", "catalog"};
  options.input_kinds = {InputKind::kOrders, InputKind::kCatalog};
  options.dedupe_keep = {Duration{}, Duration{}};
  options.views[0].group_by = group_by;
  options.views[0].features = {Feature("units", Aggregate::kSum),         Feature("orders", Aggregate::kCount),
                               Feature("most", Aggregate::kMax),          Feature("least", Aggregate::kMin),
                               Feature("mean", Aggregate::kMean),         Feature("newest", Aggregate::kLast),
                               Feature("customers", Aggregate::kDistinct)};
  options.roles = {role};
  return options;
}

/// Everything an event counts in, kept plainly.
struct Plain {
  std::vector<Event> events;
  std::vector<double> Values() const {
    double units = 0, most = -1e18, least = 1e18;
    std::set<uint64_t> customers;
    const Event* newest = nullptr;
    for (const Event& event : events) {
      const double q = event.Number(NumberField::kQuantity).ToDouble();
      units += q;
      most = std::max(most, q);
      least = std::min(least, q);
      customers.insert(event.customer);
      const bool is_newer =
          newest == nullptr ||
          std::pair(event.time, q) > std::pair(newest->time, newest->Number(NumberField::kQuantity).ToDouble());
      if (is_newer) newest = &event;
    }
    const auto n = static_cast<double>(events.size());
    return {units,
            n,
            most,
            least,
            units / n,
            newest->Number(NumberField::kQuantity).ToDouble(),
            static_cast<double>(customers.size())};
  }
};

constexpr int64_t kLateness = 3 * kHour;
const FixedActivity kActivity;

/// Shares of three upstream tasks merged by one; whole numbers, so that sums of doubles are exact.
class RollupDifferential : public ::testing::TestWithParam<std::tuple<GroupBy, int>> {};

TEST_P(RollupDifferential, EqualsThePlainSumsOfAllEvents) {
  const auto [group_by, seed] = GetParam();
  std::mt19937_64 random(static_cast<uint64_t>(seed));
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  std::vector<std::unique_ptr<WindowAggregator>> upstream;
  std::vector<ShareSink> sinks(3);
  for (uint16_t u = 0; u < 3; ++u) {
    upstream.push_back(WindowAggregator::Make(Grouped(group_by, WindowRole::kPartial, kLateness)).value());
    sinks[u].upstream = u;
  }
  auto merged = WindowAggregator::Make(Grouped(group_by, WindowRole::kMerged, kLateness)).value();
  Committer committer;
  RecordingSink rows;
  std::map<std::pair<std::string, int64_t>, Plain> truth;
  std::vector<EventTime> watermarks(3, EventTime::Min());
  std::map<std::string, std::map<int64_t, std::string>> categories;
  const std::vector<std::string> keys = {"a", "b", "c", "d", "e", "f"};
  const std::vector<std::string> countries = {"Eire", "Norway", ""};
  std::deque<std::string> texts;
  int64_t now = 10 * kHour;
  size_t revisions = 0;
  for (int step = 0; step < 600; ++step) {
    now += below(600);
    const auto u = static_cast<size_t>(below(3));
    const std::string& key = keys[u * 2 + static_cast<size_t>(below(2))];
    if (below(20) == 0) {
      const std::string& name = texts.emplace_back("c" + std::to_string(below(3)));
      if (categories[key].emplace(now, name).second) upstream[u]->OnEvent(CatalogRow(key, now, name), EventTime::Min());
    }
    const int64_t time = below(6) == 0 ? now - below(4 * kHour) : now;
    const std::string& country = countries[static_cast<size_t>(below(3))];
    const Event event =
        Sale(key, time, static_cast<double>(below(9) - 2), 1 + static_cast<uint64_t>(below(5)), country);
    const Verdict verdict = upstream[u]->OnEvent(event, watermarks[u]);
    if (verdict != Verdict::kTooLate) {
      const int64_t start = time / kHour * kHour;
      std::string group = "all";
      if (group_by == GroupBy::kCountry) group = country.empty() ? "unknown" : country;
      if (group_by == GroupBy::kCategory) {
        const auto& known = categories[key];
        const auto at = known.upper_bound(start);
        group = at == known.begin() ? "unknown" : std::prev(at)->second;
      }
      truth[{group, start}].events.push_back(event);
    }
    if (below(8) == 0) {
      watermarks[u] = std::max(watermarks[u], At(now));
      while (!upstream[u]->OnWatermark(watermarks[u], kActivity, sinks[u], 2)) {
      }
      for (const Sent& one : sinks[u].sent) {
        revisions += one.revision > 1;
        const auto taken = merged->OnContribution(one.View(), EventTime::Min());
        ASSERT_TRUE(taken.ok()) << taken.status().message();
        ASSERT_NE(*taken, Verdict::kTooLate);
        ASSERT_EQ(*merged->OnContribution(one.View(), EventTime::Min()), Verdict::kDuplicate);
      }
      sinks[u].sent.clear();
      const EventTime least = *std::min_element(watermarks.begin(), watermarks.end());
      while (least != EventTime::Min() && !merged->OnWatermark(least, kActivity, rows, 2)) {
      }
      committer.Commit(*merged);
      if (below(3) == 0) {
        ASSERT_TRUE(merged->Reload(committer.reader()).ok());
      }
    }
  }
  for (size_t u = 0; u < 3; ++u) {
    while (!upstream[u]->OnWatermark(EventTime::Max(), kActivity, sinks[u], 100)) {
    }
    for (const Sent& one : sinks[u].sent) ASSERT_TRUE(merged->OnContribution(one.View(), EventTime::Min()).ok());
  }
  while (!merged->OnWatermark(EventTime::Max(), kActivity, rows, 100)) {
  }
  EXPECT_GT(revisions, 5U);
  std::map<std::pair<std::string, int64_t>, std::vector<double>> found;
  for (const SeenRow& row : rows.rows) found[{row.series, row.start.us / 1'000'000}] = row.features;
  for (const auto& [place, plain] : truth) {
    ASSERT_TRUE(found.contains(place)) << place.first << " at " << place.second;
    EXPECT_EQ(found[place], plain.Values()) << place.first << " at " << place.second;
  }
  for (const auto& [place, values] : found) {
    if (!truth.contains(place)) {
      EXPECT_EQ(values[1], 0) << place.first << " at " << place.second;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RollupDifferential,
                         ::testing::Combine(::testing::Values(GroupBy::kAll, GroupBy::kCountry, GroupBy::kCategory),
                                            ::testing::Range(1, 9)));

TEST(RollupTest, TheNewestRevisionOfAnUpstreamTaskReplacesItsOlderOnes) {
  auto upstream = WindowAggregator::Make(Grouped(GroupBy::kAll, WindowRole::kPartial, 5 * kHour)).value();
  auto merged = WindowAggregator::Make(Grouped(GroupBy::kAll, WindowRole::kMerged, 5 * kHour)).value();
  ShareSink sink;
  RecordingSink rows;
  upstream->OnEvent(Sale("a", 100, 7, 1, ""), EventTime::Min());
  upstream->OnWatermark(At(kHour), kActivity, sink, 100);
  upstream->OnEvent(Sale("a", 200, -3, 2, ""), At(kHour));
  upstream->OnWatermark(At(kHour), kActivity, sink, 100);
  ASSERT_EQ(sink.sent.size(), 2U);
  EXPECT_EQ(sink.sent[1].revision, 2U);
  EXPECT_EQ(*merged->OnContribution(sink.sent[1].View(), EventTime::Min()), Verdict::kAccepted);
  EXPECT_EQ(*merged->OnContribution(sink.sent[0].View(), EventTime::Min()),
            Verdict::kDuplicate);  // older than what is there
  merged->OnWatermark(At(kHour), kActivity, rows, 100);
  ASSERT_EQ(rows.rows.size(), 1U);
  EXPECT_EQ(rows.rows[0].series, "all");
  EXPECT_EQ(rows.rows[0].features, (std::vector<double>{4, 2, 7, -3, 2, -3, 2}));
}

TEST(RollupTest, AContributionComesInUntilItsBucketIsLetGo) {
  auto merged = WindowAggregator::Make(Grouped(GroupBy::kAll, WindowRole::kMerged, kHour)).value();
  auto upstream = WindowAggregator::Make(Grouped(GroupBy::kAll, WindowRole::kPartial, kHour)).value();
  ShareSink sink;
  RecordingSink rows;
  upstream->OnEvent(Sale("a", 100, 7, 1, ""), EventTime::Min());
  upstream->OnEvent(Sale("a", 5 * kHour, 1, 1, ""), EventTime::Min());
  upstream->OnWatermark(At(6 * kHour), kActivity, sink, 100);
  ASSERT_EQ(sink.sent.size(), 2U);
  Sent other = sink.sent[0];
  other.upstream = 1;
  ASSERT_TRUE(merged->OnContribution(sink.sent[0].View(), EventTime::Min()).ok());
  merged->OnWatermark(EventTime{At(2 * kHour).us - 1}, kActivity, rows, 100);
  EXPECT_EQ(*merged->OnContribution(other.View(), EventTime::Min()), Verdict::kLate);
  merged->OnWatermark(At(2 * kHour), kActivity, rows, 100);
  ASSERT_GE(rows.rows.size(), 2U);
  EXPECT_EQ(rows.rows[1].revision, 2U);
  EXPECT_EQ(rows.rows[1].features[0], 14);
  other.upstream = 2;
  EXPECT_EQ(*merged->OnContribution(other.View(), EventTime::Min()), Verdict::kTooLate);
}

TEST(RollupTest, RefusesAContributionThatIsNotOfTheView) {
  auto merged = WindowAggregator::Make(Grouped(GroupBy::kAll, WindowRole::kMerged)).value();
  auto upstream = WindowAggregator::Make(Grouped(GroupBy::kAll, WindowRole::kPartial)).value();
  ShareSink sink;
  upstream->OnEvent(Sale("a", 100, 7, 1, ""), EventTime::Min());
  upstream->OnWatermark(At(kHour), kActivity, sink, 100);
  Sent bad = sink.sent.at(0);
  bad.end = At(2 * kHour);
  EXPECT_EQ(merged->OnContribution(bad.View(), EventTime::Min()).status().code(), Code::kConfig);
  bad = sink.sent[0];
  bad.view = 4;
  EXPECT_EQ(merged->OnContribution(bad.View(), EventTime::Min()).status().code(), Code::kConfig);
  bad = sink.sent[0];
  bad.row.pop_back();
  EXPECT_EQ(merged->OnContribution(bad.View(), EventTime::Min()).status().code(), Code::kCorruption);
  bad.row[0] = 3;
  EXPECT_EQ(merged->OnContribution(bad.View(), EventTime::Min()).status().code(), Code::kConfig);
  EXPECT_EQ(*merged->OnContribution(sink.sent[0].View(), EventTime::Min()), Verdict::kAccepted);
}

TEST(RollupTest, AnEventIsForwardedWhereItHasACustomerAndIsNotTooLate) {
  auto options = Grouped(GroupBy::kCustomer, WindowRole::kForwarded, kHour);
  auto windows = WindowAggregator::Make(options).value();
  EXPECT_EQ(windows->OnEvent(Sale("a", 100, 1, 9, ""), EventTime::Min()), Verdict::kAccepted);
  EXPECT_EQ(windows->forwards(), 1U);
  EXPECT_EQ(windows->OnEvent(Sale("a", 100, 1, 0, ""), EventTime::Min()), Verdict::kAccepted);
  EXPECT_EQ(windows->forwards(), 0U);
  EXPECT_EQ(windows->OnEvent(Sale("a", 100, 1, 9, ""), EventTime{At(2 * kHour).us - 1}), Verdict::kLate);
  EXPECT_EQ(windows->forwards(), 1U);
  EXPECT_EQ(windows->OnEvent(Sale("a", 100, 1, 9, ""), At(2 * kHour)), Verdict::kTooLate);
  EXPECT_EQ(windows->forwards(), 0U);
}

TEST(CategoryTableTest, HoldsFromItsAnnouncementOnAndSurvivesAReload) {
  CategoryTable table;
  table.Add(3, CatalogRow("a", 100, "mugs"));
  table.Add(3, CatalogRow("a", 200, "bags"));
  EXPECT_EQ(table.At(3, At(99)), "");
  EXPECT_EQ(table.At(3, At(100)), "mugs");
  EXPECT_EQ(table.At(3, At(199)), "mugs");
  EXPECT_EQ(table.At(3, At(200)), "bags");
  EXPECT_EQ(table.At(4, At(200)), "");
}

TEST(CategoryTest, RowsOfAForecastTellTheirCategoryAsOfTheBucketsStart) {
  WindowAggregator::Options options = Grouped(GroupBy::kKey, WindowRole::kRows);
  for (const bool forecast : {true, false}) {
    options.views[0].forecast = forecast;
    const auto windows = MakeWindows(options);
    (void)windows->OnEvent(CatalogRow("lamp", 0, "lights"), At(0));
    (void)windows->OnEvent(Order("lamp", 10), At(10));
    (void)windows->OnEvent(Order("card", 10), At(10));
    (void)windows->OnEvent(CatalogRow("lamp", kHour + 600, "garden"), At(kHour + 600));
    (void)windows->OnEvent(Order("lamp", kHour + 700), At(kHour + 700));
    (void)windows->OnEvent(Order("lamp", 2 * kHour), At(2 * kHour));
    RecordingSink sink;
    Drain(*windows, At(3 * kHour), sink, kActivity);
    std::vector<std::string> of_lamp;
    for (const SeenRow& row : sink.rows) {
      if (row.series == "lamp") of_lamp.push_back(row.category);
      if (row.series == "card") {
        EXPECT_EQ(row.category, "");
      }
    }
    const auto told = std::vector<std::string>{"lights", "lights", "garden"};
    EXPECT_EQ(of_lamp, forecast ? told : std::vector<std::string>(3)) << "nobody asks without a forecast";
  }
}

}  // namespace
}  // namespace tidecast::testing
