#include "operators/series_audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "operators/audit_advice.h"

namespace tidecast {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class SeriesAuditTest : public testing::Test {
 protected:
  void SetUp() override { path_ = testing::TempDir() + "series_audit_" + std::to_string(getpid()) + ".csv"; }
  void TearDown() override { std::filesystem::remove(path_); }
  SeriesAudit Audit(const std::string& text, const std::vector<std::string>& columns = {}) {
    std::ofstream(path_) << text;
    BacktestOptions options;
    options.series_path = path_;
    options.known_columns = columns;
    const Result<SeriesRows> rows = SeriesRows::Read(options);
    EXPECT_TRUE(rows.ok()) << rows.status().message();
    const Result<SeriesAudit> audit = AuditSeries(*rows, "auto");
    EXPECT_TRUE(audit.ok()) << audit.status().message();
    return audit.ok() ? *audit : SeriesAudit();
  }
  std::string path_;
};

std::vector<std::string> WordsOf(const SeriesAudit& audit) {
  std::vector<std::string> words;
  for (const Advice& one : AdviceOf(audit, AuditSource::kSeriesFile)) words.push_back(one.finding + " | " + one.remedy);
  return words;
}

std::string Day(int day) { return TimeLabel(19723LL * 86400 + 86400LL * day, "2024-01-01"); }  // 0 = Monday, 2024-01-01

double Uniform(uint64_t* state) {
  *state = *state * 6364136223846793005U + 1442695040888963407U;
  return static_cast<double>(*state >> 11) / 9007199254740992.0;
}

TEST_F(SeriesAuditTest, FindsGapsDuplicatesAndMissingValues) {
  std::string text = "unique_id,ds,y\n";
  for (int day = 0; day < 28; ++day) {
    if (day % 7 >= 5 || day == 9) continue;  // no weekend; one Wednesday is lost
    text += "a," + Day(day) + "," + std::to_string(3 + day % 2) + "\n";
    if (day > 3 && day != 15) text += "b," + Day(day) + ",1\n";
  }
  text += "a," + Day(1) + ",4\na," + Day(2) + ",99\n";
  const SeriesAudit audit = Audit(text);
  EXPECT_EQ(audit.series, 2U);
  EXPECT_EQ(audit.frequency, SeriesFrequency::kDay);
  EXPECT_EQ(audit.buckets, 19U);
  EXPECT_EQ(audit.closed_weekdays, (std::vector<std::string>{"Saturday", "Sunday"}));
  EXPECT_EQ(audit.calendar_gaps, 1U) << "closed days are no gaps";
  EXPECT_EQ(audit.gap_example, "2024-01-10");
  EXPECT_EQ(audit.duplicates, 2U);
  EXPECT_EQ(audit.conflicting, 1U);
  EXPECT_THAT(audit.duplicate_example, HasSubstr("a at 2024-01-02"));
  ASSERT_EQ(audit.findings.size(), 2U);
  EXPECT_EQ(audit.findings[0].missing, 0U);
  EXPECT_EQ(audit.findings[1].missing, 1U) << "before its first row a series does not exist";
  EXPECT_EQ(audit.findings[1].buckets, 15U);
  const auto advice = WordsOf(audit);
  EXPECT_THAT(advice.front(), HasSubstr("`tidecast backtest` refuses the file")) << "what must be mended comes first";
  EXPECT_THAT(
      advice,
      Contains(HasSubstr("2 rows stand a second time, 1 of them with another value (line 35: a at 2024-01-02)")));
  EXPECT_THAT(advice, Contains(HasSubstr("no row on any Saturday or Sunday")));
  EXPECT_THAT(advice, Contains(HasSubstr("1 step has no row of any series, e.g. 2024-01-10")));
}

TEST_F(SeriesAuditTest, FindsOutliersAndKeepsThem) {
  std::string text = "unique_id,ds,y\n";
  uint64_t state = 5;
  for (int day = 0; day < 60; ++day) {
    const int y = day == 30 ? 900 : 8 + static_cast<int>(8 * Uniform(&state));
    text += "steady," + Day(day) + "," + std::to_string(y) + "\n";
    text += "rare," + Day(day) + "," + (day % 4 == 0 ? std::to_string(1 + day % 3) : "0") + "\n";
  }
  const SeriesAudit audit = Audit(text);
  const SeriesFinding& rare = audit.findings[0];
  const SeriesFinding& steady = audit.findings[1];
  EXPECT_EQ(rare.demand_class, 2);
  EXPECT_EQ(rare.zeros, 45U);
  EXPECT_TRUE(rare.outliers.empty()) << "a sale among zeros is none";
  ASSERT_EQ(steady.outliers.size(), 1U);
  EXPECT_EQ(steady.outliers[0].ds, "2024-01-31");
  EXPECT_EQ(steady.outliers[0].value, 900);
  EXPECT_GT(steady.outliers[0].z, 10);
  EXPECT_GT(steady.outliers[0].winsorised, 15);
  EXPECT_LT(steady.outliers[0].winsorised, 100);
  EXPECT_GT(steady.mean, 20) << "the value counts";
  EXPECT_EQ(audit.totals.classes, (std::array<size_t, 4>{0, 1, 1, 0})) << "the outlier alone makes it erratic";
}

TEST_F(SeriesAuditTest, TellsASeasonFromNoise) {
  std::string text = "unique_id,ds,y\n", flat = text;
  uint64_t state = 7;
  for (int day = 0; day < 140; ++day) {
    const double noise = 10 * Uniform(&state);
    text += "a," + Day(day) + "," + std::to_string(50 + (day % 7 == 4 ? 40 : 0) + noise) + "\n";
    flat += "a," + Day(day) + "," + std::to_string(50 + noise) + "\n";
  }
  const SeriesAudit seasonal = Audit(text);
  ASSERT_EQ(seasonal.seasons.size(), 3U);
  EXPECT_EQ(seasonal.seasons[0].buckets, 7);
  EXPECT_TRUE(seasonal.seasons[0].natural);
  EXPECT_EQ(seasonal.seasons[1].buckets, 30);
  EXPECT_EQ(seasonal.seasons[2].buckets, 364);
  EXPECT_FALSE(seasonal.seasons[2].natural);
  EXPECT_GT(seasonal.totals.seasonality[0], .8);
  EXPECT_TRUE(std::isnan(seasonal.totals.seasonality[2])) << "too short for a year";
  const SeriesAudit noise = Audit(flat);
  EXPECT_LT(noise.totals.seasonality[0], .1);
  EXPECT_THAT(WordsOf(noise), Contains(HasSubstr("no season is strong")));
  EXPECT_THAT(WordsOf(seasonal), Not(Contains(HasSubstr("no season is strong"))));
}

TEST_F(SeriesAuditTest, TellsLoadsByTheHourFromSales) {
  const auto hours = [](double noise, double level, int step_s) {
    std::string text = "unique_id,ds,y\n";
    uint64_t state = 11;
    for (int hour = 0; hour < 240; ++hour) {
      const double value = level * (1.5 + std::sin(hour * 2 * M_PI / 24)) + noise * Uniform(&state);
      text += "a," + TimeLabel(19723LL * 86400 + int64_t{step_s} * hour, "2024-01-01 00:00:00") + "," +
              std::to_string(std::floor(value)) + "\n";
    }
    return text;
  };
  const auto says = Contains(HasSubstr("loads, not sales"));
  const SeriesAudit load = Audit(hours(100, 1000, 3600));
  ASSERT_EQ(load.frequency, SeriesFrequency::kHour);
  EXPECT_GT(load.totals.load_step, .05);
  EXPECT_LT(load.totals.load_step, .2);
  EXPECT_THAT(WordsOf(load), says);
  EXPECT_THAT(WordsOf(Audit(hours(6, 1, 3600))), Not(says)) << "noise moves small counts further";
  EXPECT_THAT(WordsOf(Audit(hours(100, 1000, 86400))), Not(says)) << "days have no hours";
}

TEST_F(SeriesAuditTest, AWeekIsAWeekAlsoWhereDaysAreMissing) {
  std::string text = "unique_id,ds,y\n";
  uint64_t state = 3;
  for (int day = 0; day < 200; ++day) {
    if (day % 23 == 5) continue;  // no row of any series
    text += "a," + Day(day) + "," + std::to_string(50 + (day % 7 == 4 ? 40 : 0) + 5 * Uniform(&state)) + "\n";
  }
  const SeriesAudit audit = Audit(text);
  EXPECT_EQ(audit.calendar_gaps, 9U);
  EXPECT_GT(audit.totals.seasonality[0], .8);
}

TEST_F(SeriesAuditTest, NamesASeasonThatAModelDoesNotTakeByItself) {
  std::string text = "unique_id,ds,y\n";
  uint64_t state = 13;
  for (int day = 0; day < 300; ++day) {
    text += "a," + Day(day) + "," + std::to_string(50 + (day % 30 == 4 ? 90 : 0) + 5 * Uniform(&state)) + "\n";
  }
  EXPECT_THAT(WordsOf(Audit(text)),
              Contains(HasSubstr("a season of 30 buckets tells more than those taken by themselves")));
  EXPECT_THAT(WordsOf(Audit(text)), Contains(HasSubstr("| --season 7 30")));
}

TEST_F(SeriesAuditTest, TellsWhichColumnsAreWorthTheirPlace) {
  std::string text = "unique_id,ds,y,price,cost,moon,size,gap\n";
  uint64_t state = 11;
  for (const char* name : {"a", "b", "c"}) {
    for (int day = 0; day < 120; ++day) {
      const double price = 2 + Uniform(&state);
      const double moon = Uniform(&state);
      const double y = 200 * std::pow(price, -2) * (.9 + .2 * Uniform(&state));
      text += fmt::format("{},{},{},{},{},{},{},{}\n", name, Day(day), y, price, .5 * price + 1, moon, name[0] - 'a',
                          day % 3 == 0 ? "" : "1");
    }
  }
  const SeriesAudit audit = Audit(text, {"price", "moon", "size"});
  const auto& columns = audit.covariates.columns;
  ASSERT_EQ(columns.size(), 3U);
  EXPECT_LT(columns[0].correlation, -.9);
  EXPECT_LT(columns[0].t, -20);
  EXPECT_LT(std::fabs(columns[1].t), 3);
  EXPECT_TRUE(columns[2].constant);
  EXPECT_EQ(audit.covariates.used, (std::vector<size_t>{0, 1}));
  EXPECT_NEAR(audit.covariates.components.shares[0] + audit.covariates.components.shares[1], 1, 1e-12);
  const auto advice = WordsOf(audit);
  EXPECT_THAT(advice, Contains(HasSubstr("more than the past is told by price (|t| of 3 or more) | --known price")));
  EXPECT_THAT(advice, Contains(HasSubstr("never changing within a series: size | --static size")));

  const SeriesAudit twice = Audit(text, {"price", "cost", "gap"});
  EXPECT_NEAR(twice.covariates.columns[2].missing, 1 / 3., 1e-9);
  EXPECT_TRUE(twice.covariates.columns[2].constant);
  EXPECT_TRUE(std::isnan(twice.covariates.columns[0].t))
      << "columns that depend on one another exactly cannot be told apart";
  EXPECT_THAT(WordsOf(twice),
              Contains(HasSubstr("the same is said by price and cost (1.000), by their correlation | keep one")));
}

TEST_F(SeriesAuditTest, TellsZerosFromBeforeALaunchFromRareSales) {
  std::string text = "unique_id,ds,y\n";
  for (int day = 0; day < 60; ++day) {
    text += "new," + Day(day) + "," + (day < 20 ? "0" : "3") + "\n";
    text += "rare," + Day(day) + "," + (day % 10 == 9 ? "1" : "0") + "\n";
  }
  const SeriesAudit audit = Audit(text);
  EXPECT_EQ(audit.findings[0].leading_zeros, 20U);
  EXPECT_EQ(audit.findings[1].leading_zeros, 9U);
  EXPECT_EQ(audit.findings[1].zeros, 54U);
  EXPECT_THAT(WordsOf(audit), Contains(HasSubstr("1 series begins with a long run of zeros")));
}

TEST_F(SeriesAuditTest, AsksForTimesOnTheSteps) {
  std::string text = "unique_id,ds,y\n";
  for (int day = 0; day < 10; ++day) text += "a," + Day(day) + ",1\n";
  const SeriesAudit audit = Audit(text + "a,2024-01-05 06:00:00,1\n");
  EXPECT_EQ(audit.off_step, 1U);
  EXPECT_THAT(WordsOf(audit), Contains(HasSubstr("1 time does not lie on the steps from 2024-01-01")));
  EXPECT_EQ(AuditSeries(SeriesRows(), "1d").status().code(), Code::kData);
  SeriesRows one;
  one.names = {"a"};
  one.times = {"2024-01-01"};
  one.seconds = {19723LL * 86400};
  one.rows = {{0, 0, 1, 2}};
  EXPECT_EQ(AuditSeries(one, "fortnight").status().code(), Code::kUsage);
  EXPECT_TRUE(AuditSeries(one, "auto").ok());
}

}  // namespace
}  // namespace tidecast
