// Dormant, retired and reborn series, and a target that leaves its domain: the whole engine over made orders.
// Everything again with each transaction aborted once: what is remembered of a series's life is saved, dropped and
// reloaded.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/simulation/aborting_run.h"

namespace tidecast::simulation {
namespace {

constexpr int kDays = 60;
constexpr int kDormantAfter = 10;

/// "busy" sells each day; the others on the days given, `quantity` at a time.
Shop MakeLives(const std::map<std::string, std::vector<int>>& days_by_sku) {
  Shop shop = MakeShop({.seed = 1, .series = 1, .days = 0, .unruly = false});
  shop.options.views[0].dormant_after = kDormantAfter;
  shop.options.views[0].windows.clear();
  for (int day = 0; day < kDays; ++day) {
    const EventTime noon = ShopStart() + std::chrono::hours(24 * day + 12);
    // Both partitions have a clock.
    for (const char* busy : {"busy0", "busy1", "busy2", "busy3"}) {
      shop.records.push_back(MakeOrder(busy, noon, 1 + day % 3, fmt::format("{}{}", busy, day), "c"));
    }
    for (const auto& [sku, days] : days_by_sku) {
      if (std::find(days.begin(), days.end(), day) == days.end()) continue;
      shop.records.push_back(MakeOrder(sku, noon + Duration(1), 4, fmt::format("{}-{}", sku, day), "c"));
    }
  }
  return shop;
}

int DayOf(const std::string& label) {
  int year = 0;
  unsigned month = 0, day = 0;
  EXPECT_EQ(std::sscanf(label.c_str(), "%d-%u-%u", &year, &month, &day), 3);
  const std::chrono::sys_days date{std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day)};
  return static_cast<int>((date - std::chrono::floor<std::chrono::days>(
                                      std::chrono::sys_seconds(std::chrono::seconds(ShopStart().us / 1'000'000))))
                              .count());
}

/// What the topics say of one series: the days with a row, the cutoffs with a forecast, the tombstones among the
/// forecasts.
struct Life {
  std::vector<int> rows;
  std::map<int, nlohmann::json> forecasts;
  int tombstones = 0;
  bool ends_with_tombstone = false;
};

Life LifeOf(const ShopRun& run, const std::string& sku) {
  Life life;
  for (const OutputRecord& record : run.outputs) {
    if (record.key != sku) continue;
    if (record.topic == "shop.features") life.rows.push_back(DayOf(nlohmann::json::parse(*record.value)["ds"]));
    if (record.topic != "shop.forecasts") continue;
    life.ends_with_tombstone = !record.value;
    if (!record.value) {
      ++life.tombstones;
      continue;
    }
    nlohmann::json forecast = nlohmann::json::parse(*record.value);
    const int cutoff = DayOf(forecast["cutoff"]);
    life.forecasts[cutoff] = std::move(forecast);
  }
  return life;
}

/// The run, once it has been seen to have the bytes of one with every transaction aborted.
ShopRun RunBothWays(const Shop& shop) {
  ShopRun plain = RunShop(shop, false);
  const ShopRun aborted = RunShop(shop, true);
  EXPECT_GT(aborted.aborted, 20);
  EXPECT_EQ(plain.records, aborted.records);
  EXPECT_EQ(plain.state, aborted.state);
  return plain;
}

std::vector<int> Range(int from, int to) {
  std::vector<int> days;
  for (int day = from; day < to; ++day) days.push_back(day);
  return days;
}

size_t CountOf(const std::string& text, const std::string& in) {
  size_t count = 0;
  for (size_t at = in.find(text); at != std::string::npos; at = in.find(text, at + 1)) ++count;
  return count;
}

TEST(SeriesLife, ADormantSeriesIsForecastFromThePriorAndPublishedOnChangeOnly) {
  const ShopRun run = RunBothWays(MakeLives({{"sleeper", {0, 1, 2, 3, 40}}}));
  const Life life = LifeOf(run, "sleeper");
  EXPECT_EQ(life.rows, Range(0, kDays)) << "its rows of zeros go on";
  const int dormant_from = 3 + kDormantAfter;
  for (int day = 0; day <= dormant_from; ++day) EXPECT_TRUE(life.forecasts.contains(day)) << day;
  int while_dormant = 0;
  float published = life.forecasts.at(dormant_from)["mean"][0];
  for (int day = dormant_from + 1; day < 40; ++day) {
    if (!life.forecasts.contains(day)) continue;
    ++while_dormant;
    const float mean = life.forecasts.at(day)["mean"][0];
    EXPECT_GT(std::abs(mean - published), .1F * published) << "published without a change on day " << day;
    published = mean;
  }
  EXPECT_LE(while_dormant, 4);
  // The prior: hardly ever a wake, so that all quantiles but the highest are zero, and the same at every horizon.
  const nlohmann::json& prior = life.forecasts.at(dormant_from);
  EXPECT_NEAR(prior["mean"][0], .01, .002);
  EXPECT_EQ(prior["mean"][0], prior["mean"][2]);
  EXPECT_EQ(prior["quantiles"]["0.95"][0], 0);
  EXPECT_GT(prior["p0"][0], .98);
  // Awake again, with a forecast each day until it sleeps once more.
  for (int day = 40; day <= 40 + kDormantAfter; ++day) EXPECT_TRUE(life.forecasts.contains(day)) << day;
  EXPECT_GT(life.forecasts.at(40)["mean"][0], .05);
  EXPECT_LT(LifeOf(run, "busy0").forecasts.size(), static_cast<size_t>(kDays + 1));
  EXPECT_GE(LifeOf(run, "busy0").forecasts.size(), static_cast<size_t>(kDays - 1)) << "who sells is never dormant";
}

TEST(SeriesLife, ASeriesRetiresWithATombstoneAndIsBornAgain) {
  Shop shop = MakeLives({{"retiree", {0, 1, 2, 3, 45, 46}}, {"regular", {0, 15, 30, 45}}});
  shop.options.views[0].retire_after = std::chrono::hours(24 * 20);
  const ShopRun run = RunBothWays(shop);
  const Life life = LifeOf(run, "retiree");
  std::vector<int> rows = Range(0, 23);
  for (const int day : Range(45, kDays)) rows.push_back(day);
  EXPECT_EQ(life.rows, rows) << "no row from its retirement to its second birth";
  EXPECT_EQ(life.tombstones, 1);
  EXPECT_FALSE(life.ends_with_tombstone);
  for (const int day : Range(23, 45)) EXPECT_FALSE(life.forecasts.contains(day)) << day;
  EXPECT_TRUE(life.forecasts.contains(45));
  const Life regular = LifeOf(run, "regular");
  EXPECT_EQ(regular.rows, Range(0, kDays));
  EXPECT_EQ(regular.tombstones, 0);
}

TEST(SeriesLife, NothingOfARetiredSeriesIsLeftBehind) {
  Shop shop = MakeLives({{"retiree", {0, 1, 2, 3}}});
  shop.options.views[0].retire_after = std::chrono::hours(24 * 20);
  const ShopRun run = RunBothWays(shop);
  EXPECT_EQ(LifeOf(run, "retiree").tombstones, 1);
  EXPECT_TRUE(LifeOf(run, "retiree").ends_with_tombstone);
  // Its name stays: ids are dense, and a name is all that an id costs.
  EXPECT_EQ(CountOf("retiree", run.state), 1U);
}

TEST(SeriesLife, TheDomainIsThatOfTheFirstValuesAndWidensAtTheFirstOneOutside) {
  Shop shop = MakeLives({});
  ViewOptions& view = shop.options.views[0];
  view.domain.reset();
  view.features[0].sign = SignFilter::kAll;
  std::vector<OutputRecord> records;
  for (const OutputRecord& record : shop.records) {
    records.push_back(record);
    const EventTime time = record.record_time + Duration(2);
    if (record.key != "busy0") continue;
    const int64_t day = (time - ShopStart()).count() / Duration(std::chrono::hours(24)).count();
    if (day != 20 && day != 40) continue;
    OutputRecord odd = record;
    nlohmann::json value = nlohmann::json::parse(*record.value);
    value["order_id"] = fmt::format("odd{}", day);
    value["quantity"] = day == 20 ? 0.5 : -7.0;
    odd.value = value.dump();
    records.push_back(odd);
  }
  shop.records = std::move(records);
  const ShopRun run = RunBothWays(shop);
  ASSERT_EQ(run.notes.size(), 2U);
  EXPECT_NE(run.notes[0].find("2024-01-21: the target's values are nonneg, no longer count"), std::string::npos)
      << run.notes[0];
  EXPECT_NE(run.notes[1].find("2024-02-10: the target's values are real, no longer nonneg"), std::string::npos)
      << run.notes[1];
  const Life life = LifeOf(run, "busy0");
  EXPECT_EQ(life.forecasts.size(), static_cast<size_t>(kDays));
  EXPECT_EQ(life.forecasts.at(39)["quantiles"]["0.025"][0].get<float>() < 0, false);
  // The rows of the narrower domains' models are gone, the one of the widest is there.
  EXPECT_EQ(CountOf("real/pool\"", run.state), 1U);
  EXPECT_EQ(CountOf("pool\"", run.state), 1U);
}

TEST(SeriesLife, ADomainThatIsGivenStays) {
  Shop shop = MakeLives({});
  shop.options.views[0].features[0].sign = SignFilter::kAll;
  shop.options.views[0].domain = ValueDomain::kCount;
  shop.records.push_back(MakeOrder("busy1", ShopStart() + std::chrono::hours(24 * kDays), -9, "odd", "c"));
  const ShopRun run = RunBothWays(shop);
  EXPECT_TRUE(run.notes.empty());
}

}  // namespace
}  // namespace tidecast::simulation
