#include "engine/app/backtest_page.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>
#include <string>

#include "engine/app/backtest_table.h"

namespace tidecast {
namespace {

size_t CountOf(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

ScoreFigures Figures(double wql) {
  ScoreFigures figures;
  figures.wql = wql;
  figures.mase = NAN;
  figures.bias = -.0213;
  figures.cover = {.51, .793, .9, .95};
  figures.forecasts = 12;
  return figures;
}

BacktestReport Report() {
  BacktestReport report;
  report.summary.series = 2;
  report.horizon = 2;
  report.table.all = Figures(.6821);
  report.table.by_horizon = {{"1", Figures(.67)}, {"2", Figures(.69)}};
  report.table.by_class = {{"lumpy", Figures(.7)}};
  report.table.by_column = {{"promo<1>", Figures(.5), Figures(.8)}};
  BaselineReport naive;
  naive.expert = "seasonal_naive_6";
  naive.seasonal_naive = true;
  naive.table = report.table;
  naive.table.all = Figures(1.035);
  naive.against = {-3.5, .0004, .66};
  BaselineReport best = naive;
  best.expert = "empirical_960";
  best.seasonal_naive = false;
  best.best = true;
  best.against = {NAN, NAN, 1};
  BaselineReport other = best;
  other.expert = "persistence";
  other.best = false;
  report.baselines = {best, other, naive};
  FanChart fan;
  fan.series = "tea & \"cups\"";
  fan.demand_class = "lumpy";
  fan.labels = {"2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"};
  fan.actual = {3, NAN, 5, 4};
  fan.forecast_from = 2;
  fan.mean = {4, 4};
  for (int h = 0; h < 2; ++h) {
    for (size_t l = 0; l < kLevelCount; ++l) fan.quantiles.push_back(static_cast<float>(l));
  }
  report.fans = {fan};
  return report;
}

TEST(BacktestTableTest, PutsTheBaselinesBesideTheModelInAlignedColumns) {
  const std::string text = BacktestTable(Report(), false);
  EXPECT_NE(text.find("Tidecast"), std::string::npos);
  EXPECT_TRUE(std::regex_search(text, std::regex("Tidecast +\\.682 ")));
  EXPECT_TRUE(
      std::regex_search(text, std::regex("seasonal naive \\(seasonal_naive_6\\) +1\\.035 .* -3\\.50 +<\\.001\n")));
  EXPECT_TRUE(std::regex_search(text, std::regex("best single expert \\(empirical_960\\) .* - +-\n")))
      << "no test, no figure";
  EXPECT_EQ(text.find("persistence"), std::string::npos) << "only what people ask for";
  EXPECT_TRUE(std::regex_search(text, std::regex("promo<1> on +\\.500 ")));
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_NE(BacktestTable(Report(), true).find('\033'), std::string::npos);
  const std::string head = text.substr(0, text.find('\n'));
  const size_t end = text.find('\n', head.size() + 1);
  EXPECT_EQ(head.find("WQL") + 3, text.substr(head.size() + 1, end).find(".682") + 4) << "right ends of a column meet";
}

TEST(BacktestPageTest, IsOneFileWithoutScriptAndEscapesNames) {
  const std::string page = BacktestPage(Report(), "a<b>.csv");
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos) << "nothing is fetched";
  EXPECT_EQ(page.find("a<b>"), std::string::npos);
  EXPECT_NE(page.find("a&lt;b&gt;.csv"), std::string::npos);
  EXPECT_NE(page.find("tea &amp; &quot;cups&quot;"), std::string::npos);
  EXPECT_NE(page.find("promo&lt;1&gt; on"), std::string::npos);
  EXPECT_EQ(page.find("nan"), std::string::npos) << "what is missing is a dash";
  EXPECT_EQ(page.find("inf"), std::string::npos);
}

TEST(BacktestPageTest, DrawsBandsMedianActualAndALineAContestant) {
  const std::string page = BacktestPage(Report(), "x.csv");
  EXPECT_EQ(CountOf(page, "<svg"), 3U) << "WQL by step, coverage, one fan";
  EXPECT_EQ(CountOf(page, "<polygon"), 3U) << "95, 80, 50 percent";
  EXPECT_EQ(CountOf(page, "class=median"), 1U);
  EXPECT_EQ(CountOf(page, "stroke=\"#0072b2\""), 2U) << "the model in both comparisons";
  EXPECT_EQ(CountOf(page, "stroke=\"#d55e00\""), 2U);
  std::smatch actual;
  ASSERT_TRUE(
      std::regex_search(page, actual, std::regex("<path d=\"([^\"]*)\" fill=none stroke-width=2 class=actual")));
  EXPECT_EQ(CountOf(actual[1], "M"), 2U) << "a missing value breaks the line";
}

}  // namespace
}  // namespace tidecast
