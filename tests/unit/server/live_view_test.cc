#include "engine/server/live_view.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tidecast {
namespace {

using Json = nlohmann::json;

OutputRecord Record(const std::string& topic, const std::string& key, std::string value) {
  OutputRecord record;
  record.topic = topic;
  record.key = key;
  record.value = std::move(value);
  return record;
}

OutputRecord Bucket(const std::string& key, const std::string& ds, double units, int revision = 1) {
  return Record(
      "shop.features", key,
      fmt::format(R"({{"unique_id":"{}","view":"sku","ds":"{}","end":"x","revision":{},"orders":999,"units":{}}})", key,
                  ds, revision, units));
}

OutputRecord Forecast(const std::string& key, const std::string& cutoff, const std::string& first, double median) {
  return Record(
      "shop.forecasts", key,
      fmt::format(R"({{"unique_id":"{}","view":"sku","cutoff":"{}","ds":["{}"],"mean":[{}],"quantiles":{{"0.1":[{}],)"
                  R"("0.5":[{}],"0.9":[{}]}},"model":"tidecast","model_version":1,"revision":1}})",
                  key, cutoff, first, median, median - 1.28155 * 5, median, median + 1.28155 * 5));
}

OutputRecord Alert(const std::string& key, int episode, int revision, const std::string& status, double observed) {
  return Record(
      "shop.alerts", key,
      fmt::format(R"({{"specversion":"1.0","data":{{"id":"f00d/{}/{}","status":"{}","labels":{{"unique_id":"{}"}},)"
                  R"("observed":{},"revision":{}}}}})",
                  episode, revision, status, key, observed, revision));
}

class LiveViewTest : public testing::Test {
 protected:
  LiveViewTest() {
    options_.targets["sku"] = "units";
    Make();
  }
  void Make() { view_ = std::make_unique<LiveView>(options_, clock_); }
  void Commit(std::vector<OutputRecord> records) { view_->OnCommitted(records); }
  Json Series(const std::string& key, size_t history = 100, size_t past = 100) {
    const std::optional<std::string> json = view_->SeriesJson(key, history, past);
    return json ? Json::parse(*json) : Json();
  }
  std::string Read(uint64_t* cursor, const LiveEventFilter& filter = {}) {
    std::string out;
    EXPECT_EQ(view_->events().ReadAfter(cursor, filter, 1 << 20, &out), LiveEventLog::ReadOutcome::kOk);
    return out;
  }

  ManualClock clock_{{1'000'000}};
  LiveViewOptions options_;
  std::unique_ptr<LiveView> view_;
};

TEST_F(LiveViewTest, KeepsTheTargetFeatureOfClosedBuckets) {
  Commit({Bucket("A", "2011-01-04", 7), Bucket("A", "2011-01-05", 9)});
  const Json json = Series("A");
  ASSERT_EQ(json["actuals"].size(), 2U);
  EXPECT_EQ(json["actuals"][0]["ds"], "2011-01-04");
  EXPECT_EQ(json["actuals"][1]["y"], 9);
  EXPECT_EQ(json["view"], "sku");
}

TEST_F(LiveViewTest, AnotherViewsTopicAndTombstonesChangeNothing) {
  OutputRecord tombstone = Bucket("B", "2011-01-04", 1);
  tombstone.value.reset();
  OutputRecord window = Bucket("C", "2011-01-04", 1);
  window.topic = "shop.features.hour";
  Commit({tombstone, window, Record("shop.features", "D", "not json"), Record("shop.features", "E", "[]")});
  EXPECT_EQ(view_->series_count(), 0U);
}

TEST_F(LiveViewTest, ARevisionReplacesItsBucketAndAnOlderOneDoesNot) {
  Commit({Bucket("A", "2011-01-04", 7), Bucket("A", "2011-01-05", 9), Bucket("A", "2011-01-04", 8, 3),
          Bucket("A", "2011-01-04", 1, 2)});
  const Json json = Series("A");
  ASSERT_EQ(json["actuals"].size(), 2U);
  EXPECT_EQ(json["actuals"][0]["y"], 8);
  EXPECT_EQ(json["actuals"][0]["revision"], 3);
}

TEST_F(LiveViewTest, KeepsNoMoreThanItsLimits) {
  options_.actuals_max = 5;
  options_.past_forecasts_max = 3;
  options_.alerts_max = 4;
  Make();
  for (int i = 0; i < 20; ++i) {
    const std::string ds = fmt::format("2011-01-{:02}", i + 1);
    Commit(
        {Bucket("A", ds, i), Forecast("A", ds, fmt::format("2011-01-{:02}", i + 2), i), Alert("A", i, 1, "firing", i)});
  }
  const Json json = Series("A");
  EXPECT_EQ(json["actuals"].size(), 5U);
  EXPECT_EQ(json["actuals"][4]["y"], 19);
  EXPECT_EQ(json["past"].size(), 3U);
  EXPECT_EQ(json["past"][2]["cutoff"], "2011-01-19");
  EXPECT_EQ(json["forecast"]["cutoff"], "2011-01-20");
  EXPECT_EQ(json["alerts"].size(), 4U);
}

TEST_F(LiveViewTest, WhenFullABusierSeriesTakesThePlaceOfTheLeastBusy) {
  options_.series_max = 2;
  Make();
  for (int day = 1; day < 20; ++day) {
    const std::string ds = fmt::format("2011-01-{:02}", day);
    Commit({Bucket("busy", ds, 100), Bucket("quiet", ds, 1), Bucket("newcomer", ds, 50)});
  }
  EXPECT_EQ(view_->series_count(), 2U);
  EXPECT_FALSE(Series("busy").is_null());
  EXPECT_FALSE(Series("newcomer").is_null());
  EXPECT_TRUE(Series("quiet").is_null());
}

PackedRecords Rows(const std::vector<OutputRecord>& records) {
  PackedRecords rows;
  for (const OutputRecord& record : records)
    rows.Add({.topic = record.topic, .key = record.key, .value = *record.value});
  return rows;
}

TEST_F(LiveViewTest, RowsAreShownOnceTheirEpochIsCommittedAndNotWhenItIsRolledBack) {
  view_->OnRows(Rows({Bucket("A", "2011-01-04", 7)}));
  EXPECT_EQ(view_->series_count(), 0U);
  view_->OnRolledBack();
  Commit({});
  EXPECT_EQ(view_->series_count(), 0U);
  view_->OnRows(Rows({Bucket("A", "2011-01-04", 8), Bucket("B", "2011-01-04", 1)}));
  view_->OnRows(Rows({Bucket("A", "2011-01-05", 9)}));
  Commit({Forecast("A", "2011-01-05", "2011-01-06", 9)});
  EXPECT_EQ(Series("A")["actuals"].size(), 2U);
  EXPECT_EQ(Series("A")["actuals"][0]["y"], 8);
  EXPECT_EQ(Series("B")["actuals"].size(), 1U);
  Commit({});
  EXPECT_EQ(Series("A")["actuals"].size(), 2U);
}

TEST_F(LiveViewTest, AFullViewReadsSomeRowsOfOthersAndLetsABusierSeriesIn) {
  options_.series_max = 2;
  Make();
  for (int i = 0; i < 400; ++i) {
    const std::string ds = fmt::format("2011-01-04T{:02}:{:02}", i / 60, i % 60);
    view_->OnRows(Rows({Bucket("busy", ds, 100), Bucket("quiet", ds, 1), Bucket("newcomer", ds, 50)}));
    if (i % 10 == 9) Commit({});
  }
  EXPECT_EQ(view_->series_count(), 2U);
  EXPECT_EQ(Series("busy", 400)["actuals"].size(), 180U);
  EXPECT_FALSE(Series("newcomer").is_null());
}

TEST_F(LiveViewTest, NewcomersOfAnEpochAreReadAsFarAsThereIsRoom) {
  options_.series_max = 2;
  Make();
  view_->OnRows(Rows({Bucket("A", "x", 1), Bucket("B", "x", 1), Bucket("C", "x", 1), Bucket("huge", "x", 1000)}));
  Commit({});
  EXPECT_FALSE(Series("A").is_null());
  EXPECT_FALSE(Series("B").is_null());
  EXPECT_TRUE(Series("huge").is_null()) << "C was the one of eight that is read";
}

TEST_F(LiveViewTest, OfAnEpochOfVeryManyRowsTheNewestAreShown) {
  constexpr int kRows = 150'000;
  view_->OnRows(Rows({Bucket("old", "x", 1)}));
  for (int i = 0; i < kRows; ++i) view_->OnRows(Rows({Bucket("A", fmt::format("{}", i), i)}));
  Commit({});
  EXPECT_EQ(view_->series_count(), 1U) << "what is older has made room";
  EXPECT_EQ(Series("A")["actuals"].back()["y"], kRows - 1);
}

TEST_F(LiveViewTest, MoversAreStandardisedByTheForecastMadeForTheBucket) {
  Commit({Forecast("A", "2011-01-03", "2011-01-04", 20), Forecast("B", "2011-01-03", "2011-01-04", 20)});
  // The forecast made after the bucket is no yardstick for it.
  Commit({Bucket("A", "2011-01-04", 35), Forecast("A", "2011-01-04", "2011-01-05", 35), Bucket("B", "2011-01-04", 15)});
  view_->Tick();
  const Json json = Json::parse(view_->SeriesListJson("", LiveView::SeriesOrder::kMovers, 10));
  ASSERT_EQ(json["items"].size(), 2U);
  EXPECT_EQ(json["items"][0]["series"], "A");
  EXPECT_NEAR(json["items"][0]["surprise"]["z"].get<double>(), 3.0, 1e-6);
  EXPECT_EQ(json["items"][0]["surprise"]["expected"], 20);
  EXPECT_NEAR(json["items"][1]["surprise"]["z"].get<double>(), -1.0, 1e-6);
}

TEST_F(LiveViewTest, SearchIgnoresCaseAndOrdersByActivity) {
  Commit({Bucket("mug red", "d1", 5), Bucket("MUG BLUE", "d1", 50), Bucket("plate", "d1", 500)});
  const Json json = Json::parse(view_->SeriesListJson("mug", LiveView::SeriesOrder::kBusiest, 10));
  EXPECT_EQ(json["total"], 2);
  EXPECT_EQ(json["items"][0]["series"], "MUG BLUE");
}

TEST_F(LiveViewTest, ForecastsArePagedByName) {
  for (const char* key : {"c", "a", "b"}) Commit({Forecast(key, "d0", "d1", 1)});
  const Json first = Json::parse(view_->ForecastsJson("", 2));
  ASSERT_EQ(first["items"].size(), 2U);
  EXPECT_EQ(first["items"][0]["series"], "a");
  EXPECT_EQ(first["next"], "b");
  const Json second = Json::parse(view_->ForecastsJson("b", 2));
  ASSERT_EQ(second["items"].size(), 1U);
  EXPECT_EQ(second["items"][0]["series"], "c");
  EXPECT_TRUE(second["next"].is_null());
}

TEST_F(LiveViewTest, AResolvedAlertKeepsWhatItBeganWith) {
  Commit({Alert("A", 1, 1, "firing", 90)});
  EXPECT_EQ(Json::parse(view_->AlertsJson("firing", "", 10))["total"], 1);
  Commit({Alert("A", 1, 2, "resolved", 20)});
  const Json json = Json::parse(view_->AlertsJson("", "A", 10));
  ASSERT_EQ(json["total"], 1);
  EXPECT_EQ(json["items"][0]["status"], "resolved");
  EXPECT_EQ(json["items"][0]["observed"], 90);
  EXPECT_EQ(json["items"][0]["id"], "f00d/1/2");
  EXPECT_EQ(Json::parse(view_->AlertsJson("firing", "", 10))["total"], 0);
}

TEST_F(LiveViewTest, TheStateTopicDoesNotSayAnAlertTwice) {
  OutputRecord state = Alert("A", 1, 1, "firing", 90);
  state.topic = "shop.alerts.state";
  state.key = "f00d";
  Commit({Alert("A", 1, 1, "firing", 90), state});
  EXPECT_EQ(Json::parse(view_->AlertsJson("", "A", 10))["total"], 1);
  EXPECT_EQ(view_->events().newest(), 1U);
}

TEST_F(LiveViewTest, StrangeAlertsAreIgnored) {
  Commit({Record("shop.alerts", "A", "{"), Record("shop.alerts", "A", R"({"data":{"id":7,"labels":[]}})"),
          Record("shop.alerts", "A", R"({"data":{"id":"x/1/1","labels":3,"status":null}})")});
  EXPECT_EQ(Json::parse(view_->AlertsJson("", "", 10))["total"], 1);
}

TEST_F(LiveViewTest, TheOpenBucketIsPublishedOnceATickAndEndsWithItsBucket) {
  Commit({Bucket("A", "2011-01-04", 7)});
  uint64_t cursor = view_->events().newest();
  view_->OnOpenBucket("A", EventTime::FromSeconds(1'294'185'600), 3);
  view_->OnOpenBucket("A", EventTime::FromSeconds(1'294'185'600), 4);
  view_->Tick();
  const std::string text = Read(&cursor);
  EXPECT_NE(text.find(R"("start":"2011-01-05T00:00:00Z","value":4)"), std::string::npos) << text;
  EXPECT_EQ(text.find("\"value\":3"), std::string::npos);
  EXPECT_EQ(Series("A")["open"]["value"], 4);
  Commit({Bucket("A", "2011-01-05", 6)});
  EXPECT_TRUE(Series("A")["open"].is_null());
}

TEST_F(LiveViewTest, StatusTellsItsAgeAndHasNoNaN) {
  LiveStatus status;
  status.state = "running";
  status.ready = true;
  status.figures["wql"] = std::nan("");
  view_->OnStatus(status);
  clock_.Advance(std::chrono::seconds(5));
  const Json json = Json::parse(view_->StatusJson());
  EXPECT_EQ(json["state"], "running");
  EXPECT_EQ(json["age_ms"], 5000);
  EXPECT_TRUE(json["figures"]["wql"].is_null());
  EXPECT_TRUE(json["watermark"].is_null());
  EXPECT_TRUE(view_->ready());
}

TEST_F(LiveViewTest, UtcTextIsRightBeforeAndAfterTheEpoch) {
  EXPECT_EQ(UtcText({-1}), "1969-12-31T23:59:59Z");
  EXPECT_EQ(UtcText({0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(UtcText(EventTime::Min()), "");
}

}  // namespace
}  // namespace tidecast
