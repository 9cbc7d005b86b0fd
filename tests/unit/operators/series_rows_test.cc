#include "operators/series_rows.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "operators/series_seasons.h"
#include "operators/series_steps.h"
#include "operators/series_table.h"

namespace tidecast {
namespace {

class SeriesRowsTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.series_path = testing::TempDir() + "series_rows_" + std::to_string(getpid()) + "_" +
                           testing::UnitTest::GetInstance()->current_test_info()->name();
  }
  void TearDown() override { std::filesystem::remove(options_.series_path); }
  void Write(const std::string& text) { std::ofstream(options_.series_path) << text; }
  SeriesTable Table() {
    Result<SeriesTable> table = SeriesTable::Read(options_);
    EXPECT_TRUE(table.ok()) << table.status().message();
    return table.ok() ? std::move(table).value() : SeriesTable();
  }
  /// The message of a file that cannot be read.
  std::string Refused() {
    const Result<SeriesRows> rows = SeriesRows::Read(options_);
    EXPECT_FALSE(rows.ok());
    return rows.ok() ? "" : rows.status().message();
  }
  BacktestOptions options_;
};

constexpr const char* kTwoSeries =
    R"({"item_id": "b", "start": "2024-02-28", "freq": "D", "target": [3, null, "NaN"], "feat_dynamic_real": [[0, 1, 0, 1]], "feat_static_cat": [7], "past_feat_dynamic_real": [[5, 6, 7]]}
{"item_id": "a", "start": "2024-02-29 00:00:00", "freq": "D", "target": [1.5, 2], "feat_dynamic_real": [[1, 1]], "feat_static_cat": [8], "past_feat_dynamic_real": [[8, 9]], "info": {"anything": []}}
)";

void ExpectTwoSeries(const SeriesTable& table) {
  EXPECT_EQ(table.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(table.labels, (std::vector<std::string>{"2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"}));
  EXPECT_EQ(table.frequency, SeriesFrequency::kDay);
  EXPECT_EQ(table.first_row, (std::vector<size_t>{1, 0}));
  EXPECT_EQ(table.last_actual, 2U);
  EXPECT_FLOAT_EQ(table.Actual(0, 1), 1.5F);
  EXPECT_FLOAT_EQ(table.Actual(1, 0), 3);
  EXPECT_TRUE(std::isnan(table.Actual(1, 1))) << "null is missing";
  EXPECT_TRUE(std::isnan(table.Actual(1, 2))) << "so is NaN as text";
  ASSERT_EQ(table.known_width, 2U);
  EXPECT_EQ(table.known_names, (std::vector<std::string>{"feat_dynamic_real_0"})) << "static columns have no name";
  EXPECT_FLOAT_EQ(table.known[(1 * 4 + 3) * 2], 1) << "known beyond the target";
  EXPECT_FLOAT_EQ(table.known[(1 * 4 + 3) * 2 + 1], 7);
  EXPECT_FLOAT_EQ(table.known[(0 * 4 + 2) * 2 + 1], 8);
  ASSERT_EQ(table.past_width, 1U);
  EXPECT_FLOAT_EQ(table.past[1 * 4 + 2], 7);
}

TEST_F(SeriesRowsTest, ReadsJsonLines) {
  Write(kTwoSeries);
  ExpectTwoSeries(Table());
}

TEST_F(SeriesRowsTest, ReadsThemCompressedAndBehindBlankLines) {
  gzFile file = gzopen(options_.series_path.c_str(), "wb");
  gzputs(file, "\n  \n");
  gzputs(file, kTwoSeries);
  gzclose(file);
  ExpectTwoSeries(Table());
}

TEST_F(SeriesRowsTest, BothFormsOfTheSameSeriesAreTheSameTable) {
  Write("unique_id,ds,y,promo\na,2024-01-31,1,0\na,2024-02-29,2,1\na,2024-03-31,,0\n");
  options_.known_columns = {"promo"};
  options_.frequency = "1mo";
  const SeriesTable csv = Table();
  options_.known_columns = {};
  Write(R"({"item_id": "a", "start": "2024-01-31", "target": [1, 2, null], "feat_dynamic_real": [[0, 1, 0]]})");
  const SeriesTable json = Table();
  EXPECT_EQ(csv.labels, json.labels) << "months end where they end";
  EXPECT_EQ(csv.seconds, json.seconds);
  EXPECT_EQ(csv.known, json.known);
  EXPECT_EQ(csv.phases, json.phases);
  EXPECT_EQ(csv.last_actual, json.last_actual);
}

TEST_F(SeriesRowsTest, NamesTheLineOfWhatIsWrong) {
  const std::string good = R"({"item_id": "a", "start": "2024-01-01", "freq": "H", "target": [1, 2]})";
  const auto refused = [&](const std::string& line) {
    Write(good + "\n" + line + "\n");
    const std::string message = Refused();
    EXPECT_NE(message.find(":2: "), std::string::npos) << message;
    return message.substr(message.find(":2: ") + 4);
  };
  EXPECT_EQ(refused(R"({"item_id": "b", "start": "2024-01-01", "freq": "H", "target": [1, NaN]})"), "not JSON");
  EXPECT_EQ(refused("[1]"), "not a JSON object");
  EXPECT_EQ(refused(good), "a second series a; the first is in line 1");
  EXPECT_EQ(refused(R"({"item_id": "b", "freq": "H", "target": [1]})"), "start is missing, or no text");
  EXPECT_EQ(refused(R"({"item_id": "b", "start": "soon", "freq": "H", "target": [1]})"), "start is not a time: soon");
  EXPECT_EQ(refused(R"({"item_id": "b", "start": "2024-01-01", "freq": "Q", "target": [1]})"), "unknown freq: Q");
  EXPECT_EQ(refused(R"({"item_id": "b", "start": "2024-01-01", "freq": "D", "target": [1]})"),
            "freq is D, above it was H");
  EXPECT_EQ(refused(R"({"item_id": "b", "start": "2024-01-01", "target": [1]})"), "it has no freq");
  EXPECT_EQ(refused(R"({"item_id": "b", "start": "2024-01-01", "freq": "H"})"), "target is missing");
  EXPECT_EQ(refused(R"({"item_id": "b", "start": "2024-01-01", "freq": "H", "target": []})"), "target is empty");
  EXPECT_EQ(refused(R"({"item_id": "b", "start": "2024-01-01", "freq": "H", "target": [[1], [2]]})"),
            "target: entry 0 is not a number: [1]");
  EXPECT_EQ(refused(R"({"item_id": "b", "start": "2024-01-01", "freq": "H", "target": [)" +
                    std::string(1'000'000, '[') + std::string(1'000'000, ']') + "]}"),
            "nests deeper than 1000 levels");
  EXPECT_EQ(
      refused(R"({"item_id": "b", "start": "2024-01-01", "freq": "H", "target": [1], "feat_dynamic_real": [[]]})"),
      "feat_dynamic_real: feature 0 has 0 values, the target 1");
  EXPECT_EQ(refused(R"({"item_id": "b", "start": "2024-01-01", "freq": "H", "target": [1], "feat_static_real": [1]})"),
            "0 dynamic, 0 past and 1 static features; the first series has 0, 0 and 0");
  EXPECT_EQ(
      refused(R"({"item_id": "b", "start": "2024-01-01", "freq": "H", "target": [1], "feat_dynamic_cat": [[1]]})"),
      "feat_dynamic_cat cannot be used");
}

TEST_F(SeriesRowsTest, ColumnsAreChosenFromCsvOnly) {
  Write(kTwoSeries);
  options_.known_columns = {"promo"};
  EXPECT_NE(Refused().find("all features of the file are taken"), std::string::npos);
}

TEST_F(SeriesRowsTest, AStaticColumnOfTextsIsTheCategory) {
  Write(
      "unique_id,ds,y,shelf,size,band\nb,2024-01-01,1,lamps,3,2 to 4\na,2024-01-01,2,,4,\nb,2024-01-02,2,cards,3,2 to "
      "4\n");
  options_.static_columns = {"shelf", "size", "band"};
  const SeriesTable table = Table();
  EXPECT_EQ(table.categories, (std::vector<std::string>{"", "lamps / 2 to 4"})) << "by name; the first row's";
  ASSERT_EQ(table.known_width, 1U) << "numbers are a column";
  EXPECT_FLOAT_EQ(table.known[0], 4);
  options_.static_columns = {"size"};
  EXPECT_TRUE(Table().categories.empty());
}

TEST_F(SeriesRowsTest, AStaticCategoryOfJsonLinesIsTheCategory) {
  Write(kTwoSeries);
  EXPECT_EQ(Table().categories, (std::vector<std::string>{"[8]", "[7]"}));
}

TEST_F(SeriesRowsTest, AnEmptyFileHasNoHeader) {
  Write("");
  EXPECT_NE(Refused().find("no header"), std::string::npos);
}

TEST(SeriesStepsTest, KnowsTheNamesOfBothCamps) {
  EXPECT_EQ(ParseSeriesFrequency("1mo"), SeriesFrequency::kMonth);
  EXPECT_EQ(ParseSeriesFrequency("ME"), SeriesFrequency::kMonth);
  EXPECT_EQ(ParseSeriesFrequency("W-SUN"), SeriesFrequency::kWeek);
  EXPECT_EQ(ParseSeriesFrequency("5T"), SeriesFrequency::kFiveMinutes);
  EXPECT_EQ(ParseSeriesFrequency("D"), SeriesFrequency::kDay);
  EXPECT_EQ(ParseSeriesFrequency("2D"), std::nullopt);
  EXPECT_EQ(ParseSeriesFrequency(""), std::nullopt);
  EXPECT_EQ(ParseSeriesFrequency("99999999999999999999h"), std::nullopt);
}

TEST(SeriesStepsTest, ADayIsMadeOfAnyMinutesOrHours) {
  for (const char* name : {"1min", "15min", "90min", "1h", "6h", "12h"}) {
    const auto frequency = ParseSeriesFrequency(name);
    ASSERT_TRUE(frequency) << name;
    EXPECT_EQ(NameOf(*frequency), name);
  }
  EXPECT_EQ(ParseSeriesFrequency("60min"), SeriesFrequency::kHour);
  EXPECT_EQ(ParseSeriesFrequency("30T"), SeriesFrequency::OfSeconds(1800));
  for (const char* name : {"7min", "25min", "5h", "24h", "0min", "-15min"}) {
    EXPECT_EQ(ParseSeriesFrequency(name), std::nullopt) << name;
  }
  EXPECT_EQ(NaturalSeasons(*ParseSeriesFrequency("15min"), 7), (std::vector<int>{96, 672}));
  // 1970 began on a Thursday: 06:30 is the 26th quarter of the fourth day.
  EXPECT_EQ(SeasonPhases(*ParseSeriesFrequency("15min"), {6 * 3600 + 1800}, {}, 672),
            (std::vector<int32_t>{3 * 96 + 26}));
  EXPECT_EQ(SeasonPhases(*ParseSeriesFrequency("15min"), {6 * 3600 + 1800}, {}, 96), (std::vector<int32_t>{26}));
}

TEST(SeriesStepsTest, AutoIsTheLeastCommonStepThatIsNoShorterThanTheMedian) {
  const auto by = [](int64_t step) { return NameOf(*FrequencyOf("auto", {0, step, 2 * step, 9 * step})); };
  EXPECT_EQ(by(60), "1min");
  EXPECT_EQ(by(900), "15min");
  EXPECT_EQ(by(1000), "20min");
  EXPECT_EQ(by(3600), "1h");
  EXPECT_EQ(by(7200), "2h");
  EXPECT_EQ(by(86400), "1d");
  EXPECT_EQ(by(7 * 86400), "1w");
  EXPECT_EQ(by(30 * 86400), "1mo");
}

}  // namespace
}  // namespace tidecast
