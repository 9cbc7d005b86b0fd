#include "engine/io/result_files.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/io/text_file.h"

namespace tidecast {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string ReadGzip(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  std::string text;
  char block[4096];
  for (int n = gzread(file, block, sizeof block); n > 0; n = gzread(file, block, sizeof block))
    text.append(block, static_cast<size_t>(n));
  gzclose(file);
  return text;
}

class ResultFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = std::filesystem::temp_directory_path() /
                 ("tidecast-" + std::string(info->name()) + "-" + std::to_string(getpid()));
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<ResultFiles> Make(bool gzip = false,
                                    std::vector<ResultFiles::View> views = {{"sku", {"units", "price"}}}) {
    auto files = ResultFiles::Create({directory_ + "/out", gzip, std::move(views)});
    EXPECT_TRUE(files.ok()) << files.status().message();
    return std::move(files).value();
  }
  static void Row(ResultFiles& files, int day, std::string_view series, double units, double price,
                  uint32_t revision = 1, uint16_t view = 0) {
    const std::vector<double> features = {units, price};
    ClosedBucket bucket;
    bucket.view = view;
    bucket.series = series;
    bucket.start = EventTime::FromSeconds(86'400 * day);
    bucket.revision = revision;
    bucket.features = features;
    files.OnBucket(bucket, "1970-01-0" + std::to_string(day + 1));
  }
  static void Forecast(ResultFiles& files, int day, std::string_view series, float mean, uint16_t view = 0) {
    const std::vector<float> means = {mean, mean + .5F};
    const std::vector<float> quantiles(2 * kLevelCount, .1F);
    const std::vector<std::string> steps = {"d1", "d2"};
    files.OnForecast(view, {series, means, quantiles, means, 1}, EventTime::FromSeconds(86'400 * day),
                     "c" + std::to_string(day), steps);
  }
  static OutputRecord Rejected(int offset, std::string value) {
    OutputRecord record;
    record.key = "k";
    record.value = std::move(value);
    record.headers = {{"__connect.errors.topic", "their own"},
                      {"__connect.errors.topic", "shop.orders"},
                      {"__connect.errors.partition", "2"},
                      {"__connect.errors.offset", std::to_string(offset)},
                      {"__connect.errors.exception.message", "why"},
                      {"tidecast_reason", "bad_value"},
                      {"tidecast_content_id", "dlq/shop.orders/2/" + std::to_string(offset)}};
    return record;
  }
  std::string Out(const std::string& name) const { return directory_ + "/out/" + name; }

  std::string directory_;
};

const double kNone = std::numeric_limits<double>::quiet_NaN();

TEST_F(ResultFilesTest, MeansOfARollupAreColumnsWhereThereAreSome) {
  auto files = Make(false, {{"sku", {"units"}}, {"total", {"units"}, true}});
  const std::vector<float> mean = {1}, up = {3}, both = {2.5F}, unknown = {std::nanf("")};
  const std::vector<float> quantiles(kLevelCount, .5F);
  const std::vector<std::string> steps = {"d1"};
  const auto at = [](int day) { return EventTime::FromSeconds(86'400 * day); };
  files->OnForecast(0, {"a", mean, quantiles, mean, 1}, at(0), "c0", steps);
  files->OnForecast(1, {"all", mean, quantiles, mean, 1}, at(0), "c0", steps, {up, both});
  files->OnForecast(1, {"all", mean, quantiles, mean, 1}, at(1), "c1", steps, {unknown, mean});
  ASSERT_TRUE(files->Finish("{}").ok());
  const std::string text = ReadAll(directory_ + "/out/forecasts.csv");
  const std::string levels = ",0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,";
  EXPECT_NE(text.find(",q0.99,mean_bottom_up,mean_reconciled\n"), std::string::npos) << text;
  EXPECT_NE(text.find("sku/a,d1,c0,1" + levels + ",\n"), std::string::npos) << text;
  EXPECT_NE(text.find("total/all,d1,c0,1" + levels + "3,2.5\n"), std::string::npos) << text;
  EXPECT_NE(text.find("total/all,d1,c1,1" + levels + ",1\n"), std::string::npos) << text;
}

TEST_F(ResultFilesTest, FeaturesStandOnceEachInOrderOfDayAndSeriesWithTheLastRevision) {
  auto files = Make();
  Row(*files, 0, "b", 1, kNone);
  Row(*files, 1, "b", 3, 1.5);
  Row(*files, 1, "a,\"x\"", 4, 0);
  Row(*files, 0, "b", 2, .1, 2);
  Row(*files, 0, "a,\"x\"", 7, 1e6 / 3);
  Row(*files, 0, "b", 1, kNone);  // the first publication again, after a rollback
  Row(*files, 0, "b", 2, .1, 2);
  ASSERT_TRUE(files->Finish("{}").ok());
  EXPECT_EQ(ReadAll(Out("features.csv")),
            "unique_id,ds,units,price\n"
            "\"a,\"\"x\"\"\",1970-01-01,7,333333.3333333333\n"
            "b,1970-01-01,2,0.1\n"
            "\"a,\"\"x\"\"\",1970-01-02,4,0\n"
            "b,1970-01-02,3,1.5\n");
}

TEST_F(ResultFilesTest, NoValueIsAnEmptyField) {
  auto files = Make();
  Row(*files, 0, "a", 0, kNone);
  ASSERT_TRUE(files->Finish("{}").ok());
  EXPECT_EQ(ReadAll(Out("features.csv")), "unique_id,ds,units,price\na,1970-01-01,0,\n");
}

TEST_F(ResultFilesTest, TrendsStandOnceEach) {
  auto files = Make();
  const std::array<double, 8> numbers = {.75, 10, kNone, 12.5, 9, 12, 17, -.5};
  for (int pass = 0; pass < 2; ++pass) {
    for (const char* series : {"a", "b,c"}) files->OnTrend(0, series, EventTime::FromSeconds(86'400), "c1", "rising", numbers);
  }
  ASSERT_TRUE(files->Finish("{}").ok());
  EXPECT_EQ(ReadAll(Out("trends.csv")),
            "unique_id,cutoff,phase,p_rise,last,before,expected,next_0.1,next_0.5,next_0.9,acceleration\n"
            "a,c1,rising,0.75,10,,12.5,9,12,17,-0.5\n"
            "\"b,c\",c1,rising,0.75,10,,12.5,9,12,17,-0.5\n");
}

TEST_F(ResultFilesTest, ForecastsHaveAColumnForEachLevelAndComeOnce) {
  auto files = Make();
  Forecast(*files, 0, "a", 1);
  Forecast(*files, 0, "b", 2);
  Forecast(*files, 0, "a", 1);
  Forecast(*files, 0, "b", 2);
  Forecast(*files, 1, "a", 3);
  ASSERT_TRUE(files->Finish("{}").ok());
  std::istringstream text(ReadAll(Out("forecasts.csv")));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 1 + 3 * 2U);
  EXPECT_EQ(lines[0],
            "unique_id,ds,cutoff,mean,q0.025,q0.05,q0.1,q0.2,q0.3,q0.4,q0.5,q0.6,q0.7,q0.8,q0.9,q0.95,q0.975,q0.99");
  EXPECT_EQ(lines[1], "a,d1,c0,1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1");
  EXPECT_EQ(lines[2].substr(0, 11), "a,d2,c0,1.5");
  EXPECT_EQ(lines[5].substr(0, 9), "a,d1,c1,3");
}

TEST_F(ResultFilesTest, ForecastsAndTrendsMayBeLeftOutAndOldOnesGo) {
  ASSERT_TRUE(Make()->Finish("{}").ok());
  ASSERT_TRUE(std::filesystem::exists(Out("forecasts.csv")));
  auto files = ResultFiles::Create({directory_ + "/out", false, {{"sku", {"units", "price"}}}, false});
  ASSERT_TRUE(files.ok()) << files.status().message();
  Row(**files, 0, "a", 1, 2);
  Forecast(**files, 0, "a", 1);
  (*files)->OnTrend(0, "a", EventTime::FromSeconds(0), "c", "rising", std::array<double, 8>{});
  ASSERT_TRUE((*files)->Finish("{}").ok());
  EXPECT_FALSE(std::filesystem::exists(Out("forecasts.csv")));
  EXPECT_FALSE(std::filesystem::exists(Out("trends.csv")));
  EXPECT_EQ(ReadAll(Out("features.csv")), "unique_id,ds,units,price\na,1970-01-01,1,2\n");
}

TEST_F(ResultFilesTest, SeveralViewsAreKeptApart) {
  auto files = Make(false, {{"sku", {"units", "price"}}, {"country", {"orders", "money"}}});
  Row(*files, 0, "a", 1, 2);
  Row(*files, 0, "UK", 3, 4, 1, 1);
  Forecast(*files, 0, "UK", 1, 1);
  ASSERT_TRUE(files->Finish("{}").ok());
  EXPECT_EQ(ReadAll(Out("features.csv")), "unique_id,ds,units,price\na,1970-01-01,1,2\n");
  EXPECT_EQ(ReadAll(Out("features.country.csv")), "unique_id,ds,orders,money\nUK,1970-01-01,3,4\n");
  EXPECT_NE(ReadAll(Out("forecasts.csv")).find("\ncountry/UK,d1,c0"), std::string::npos);
}

TEST_F(ResultFilesTest, GzipHoldsTheSameTextAndIsTheSameEachTime) {
  std::string first;
  for (int run = 0; run < 2; ++run) {
    auto files = Make(true);
    for (int i = 0; i < 2000; ++i) Forecast(*files, i, "a", static_cast<float>(i) / 7);
    ASSERT_TRUE(files->Finish("{}").ok());
    if (run == 0) first = ReadAll(Out("forecasts.csv.gz"));
  }
  EXPECT_EQ(ReadAll(Out("forecasts.csv.gz")), first);
  const std::string text = ReadGzip(Out("forecasts.csv.gz"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4001);
  EXPECT_FALSE(std::filesystem::exists(Out("forecasts.csv")));
}

TEST_F(ResultFilesTest, LinesOfLateAndDeadLettersNameTheirPlaceAndKeepTheBytes) {
  auto files = Make();
  files->OnDeadLetter(Rejected(5, "{\"a\": 1}"));
  files->OnDeadLetter(Rejected(6, "\xff\xfe!"));
  files->OnDeadLetter(Rejected(5, "{\"a\": 1}"));
  OutputRecord late = Rejected(9, "x");
  late.headers.push_back({"tidecast_event_time", "2011-01-01T00:00:00Z"});
  late.headers.push_back({"tidecast_watermark", "2011-01-09T00:00:00Z"});
  files->OnLate(late);
  ASSERT_TRUE(files->Finish("{}").ok());
  EXPECT_EQ(ReadAll(Out("dlq.jsonl")),
            "{\"topic\":\"shop.orders\",\"partition\":2,\"offset\":5,\"reason\":\"bad_value\",\"detail\":\"why\","
            "\"key\":\"k\","
            "\"value\":\"{\\\"a\\\": 1}\"}\n"
            "{\"topic\":\"shop.orders\",\"partition\":2,\"offset\":6,\"reason\":\"bad_value\",\"detail\":\"why\","
            "\"key\":\"k\","
            "\"value_base64\":\"//4h\"}\n");
  const auto json = nlohmann::json::parse(ReadAll(Out("late.jsonl")));
  EXPECT_EQ(json["event_time"], "2011-01-01T00:00:00Z");
  EXPECT_EQ(json["offset"], 9);
}

TEST_F(ResultFilesTest, AnAlertIsWrittenOnce) {
  auto files = Make();
  files->OnAlert("f/1/1", "{\"id\":1}");
  files->OnAlert("f/1/2", "{\"id\":2}");
  files->OnAlert("f/1/1", "{\"id\":1}");
  ASSERT_TRUE(files->Finish("{}").ok());
  EXPECT_EQ(ReadAll(Out("alerts.jsonl")), "{\"id\":1}\n{\"id\":2}\n");
}

TEST_F(ResultFilesTest, TheSummaryEndsWithItsLine) {
  auto files = Make();
  ASSERT_TRUE(files->Finish("{\"events_read\": 3}").ok());
  EXPECT_EQ(ReadAll(Out("summary.json")), "{\"events_read\": 3}\n");
}

TEST_F(ResultFilesTest, AFolderThatCannotBeMadeIsNamed) {
  std::filesystem::create_directories(directory_);
  std::ofstream(directory_ + "/file") << "x";
  const auto files = ResultFiles::Create({directory_ + "/file/out", false, {{"sku", {}}}});
  ASSERT_FALSE(files.ok());
  EXPECT_NE(files.status().message().find(directory_ + "/file/out"), std::string::npos) << files.status().message();
  EXPECT_FALSE(files.status().remedy().empty());
}

TEST(TextFileTest, AFullDiskIsToldWithTheFilesName) {
  auto file = TextFile::Create("/dev/full", false);
  ASSERT_TRUE(file.ok());
  (*file)->Write("some text");
  const Status status = (*file)->Close();
  EXPECT_EQ(status.code(), Code::kNoSpace);
  EXPECT_NE(status.message().find("/dev/full"), std::string::npos);
  EXPECT_NE(status.message().find("No space left"), std::string::npos);
  EXPECT_EQ((*file)->Close().code(), Code::kNoSpace) << "closing again says the same";
}

TEST(TextFileTest, AFullDiskIsToldByGzipToo) {
  auto file = TextFile::Create("/dev/full", true);
  ASSERT_TRUE(file.ok());
  (*file)->Write("some text");
  EXPECT_EQ((*file)->Close().code(), Code::kNoSpace);
}

TEST(TextFileTest, AMissingFolderIsTold) {
  const auto file = TextFile::Create("/nonexistent-folder/x.csv", false);
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace tidecast
