#include "engine/server/live_trends.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tidecast {
namespace {

std::string Value(const std::string& phase, double rise, double last = 10, double expected = 12) {
  return fmt::format(R"({{"phase":"{}","p_rise":{},"last":{},"expected":{}}})", phase, rise, last, expected);
}

std::vector<std::string> Names(const std::string& json) {
  std::vector<std::string> names;
  const nlohmann::json document = nlohmann::json::parse(json);
  for (const auto& item : document["items"])
    names.push_back(fmt::format("{}:{}", item["rank"].get<int>(), item["series"].get<std::string>()));
  return names;
}

TEST(LiveTrends, RanksByHowLikelyARiseIsThenByItsSize) {
  LiveTrends trends(100);
  trends.OnTrend("calm", Value("steady", .5));
  trends.OnTrend("small", Value("rising", .9, 10, 12));
  trends.OnTrend("large", Value("rising", .9, 10, 40));
  trends.OnTrend("down", Value("fading", .1));
  EXPECT_EQ(Names(trends.ListJson("", false, 10)),
            (std::vector<std::string>{"1:large", "2:small", "3:calm", "4:down"}));
  EXPECT_EQ(Names(trends.ListJson("", true, 2)), (std::vector<std::string>{"4:down", "3:calm"}));
  EXPECT_EQ(Names(trends.ListJson("fading", true, 10)), (std::vector<std::string>{"4:down"}));
  const auto all = nlohmann::json::parse(trends.ListJson("rising", false, 1));
  EXPECT_EQ(all["total"], 2);
  EXPECT_EQ(all["items"].size(), 1);
  EXPECT_EQ(all["items"][0]["trend"]["expected"], 40);
  const auto board = nlohmann::json::parse(trends.BoardJson(1));
  EXPECT_EQ(board["rising"]["items"][0]["series"], "large");
  EXPECT_EQ(board["fading"]["items"][0]["series"], "down");
}

TEST(LiveTrends, KeepsTheNewestOfASeriesAndForgetsTheRetired) {
  LiveTrends trends(100);
  EXPECT_FALSE(trends.TakeChanged());
  trends.OnTrend("a", Value("rising", .9));
  trends.OnTrend("a", Value("fading", .2));
  EXPECT_TRUE(trends.TakeChanged());
  EXPECT_FALSE(trends.TakeChanged());
  EXPECT_EQ(Names(trends.ListJson("", false, 10)), (std::vector<std::string>{"1:a"}));
  EXPECT_EQ(Names(trends.ListJson("rising", false, 10)).size(), 0);
  trends.Erase("a");
  EXPECT_TRUE(trends.TakeChanged());
  EXPECT_EQ(Names(trends.ListJson("", false, 10)).size(), 0);
}

TEST(LiveTrends, LeavesOutWhatIsNoTrend) {
  LiveTrends trends(100);
  for (const char* value :
       {"", "7", "{}", R"({"phase":"rising"})", R"({"phase":1,"p_rise":0.5,"last":1,"expected":1})"})
    trends.OnTrend("a", value);
  EXPECT_EQ(nlohmann::json::parse(trends.ListJson("", false, 10))["total"], 0);
}

TEST(LiveTrends, AFullTableLetsEvenOddsGo) {
  LiveTrends trends(80);
  for (int i = 0; i < 400; ++i)
    trends.OnTrend(fmt::format("s{}", i), Value(i % 10 == 0 ? "rising" : "steady", i % 10 == 0 ? .95 : .5 + i * 1e-4));
  const auto all = nlohmann::json::parse(trends.ListJson("", false, 1000));
  EXPECT_LE(all["total"], 90);
  EXPECT_EQ(nlohmann::json::parse(trends.ListJson("rising", false, 1000))["total"], 40);
}

}  // namespace
}  // namespace tidecast
