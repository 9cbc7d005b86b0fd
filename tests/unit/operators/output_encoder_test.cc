#include "operators/output_encoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/io/input_fields.h"
#include "engine/io/json_append.h"
#include "tests/unit/operators/json_schema_check.h"
#include "tests/unit/operators/label_calendar.h"

namespace tidecast {
namespace {

using Json = nlohmann::json;

const double kNone = std::numeric_limits<double>::quiet_NaN();

ViewOptions MakeView(const std::string& name) {
  ViewOptions view;
  view.name = name;
  for (const char* feature : {"units", "price", "re\"ve\nnue"}) {
    FeatureOptions options;
    options.name = feature;
    view.features.push_back(options);
  }
  WindowOptions hour;
  hour.name = "hour";
  view.windows.push_back(hour);
  return view;
}

std::string HeaderOf(const OutputRecord& record, std::string_view name) {
  for (const Header& header : record.headers) {
    if (header.name == name) return header.value;
  }
  return "<none>";
}

OutputRecord Only(const PackedRecords& records) {
  EXPECT_EQ(records.size(), 1U);
  std::vector<HeaderView> headers;
  return ToOutputRecord(records.View(0, &headers));
}

class OutputEncoderTest : public ::testing::Test {
 protected:
  OutputRecord EncodeForecast(const OutputEncoder& encoder, std::string_view series, const RollupMeans& means = {}) {
    BucketContext context;
    context.now.start = LabelCalendar::Day(15000);
    context.now.end = LabelCalendar::Day(15001);
    for (int h = 1; h <= 2; ++h) {
      CalendarStep step;
      step.start = LabelCalendar::Day(15000 + h);
      context.ahead.push_back(step);
    }
    std::vector<float> mean = {3.25F, .1F};
    std::vector<float> quantiles(2 * kLevelCount);
    for (size_t i = 0; i < quantiles.size(); ++i)
      quantiles[i] = static_cast<float>(i % kLevelCount) * .3F + static_cast<float>(i / kLevelCount);
    std::vector<float> zero = {0, .5F};
    return encoder.Forecast(0, {series, mean, quantiles, zero, 70}, calendar_, context, 17, 1, means);
  }
  OutputRecord EncodeFeatures(const OutputEncoder& encoder, std::vector<double> values, uint32_t revision = 1) {
    ClosedBucket bucket;
    bucket.series = "22 'é\"\x01";
    bucket.start = LabelCalendar::Day(15000);
    bucket.end = LabelCalendar::Day(15001);
    bucket.revision = revision;
    bucket.features = values;
    PackedRecords records;
    encoder.Features(bucket, calendar_, &records);
    return Only(records);
  }
  Alert MakeAlert(bool firing) {
    Alert alert;
    alert.fingerprint = "00ff00ff00ff00ff";
    alert.episode = 2;
    alert.revision = 3;
    alert.id = "00ff00ff00ff00ff/2/3";
    alert.name = "DemandAboveForecast";
    alert.use_case = "demand_shift";
    alert.series = "85123A";
    alert.view = "sku";
    alert.firing = firing;
    alert.severity_number = 17;
    alert.bucket_start = LabelCalendar::Day(15000);
    alert.bucket_end = LabelCalendar::Day(15001);
    alert.starts_at = LabelCalendar::Day(14998);
    alert.ends_at = firing ? EventTime::Min() : LabelCalendar::Day(15000);
    alert.observed = 60;
    alert.expected = 4.5;
    alert.quantiles.assign(kLevelCount, 1.5F);
    alert.tail_probability = 1e-7;
    alert.effect_ratio = 60 / 4.5;
    alert.effect_absolute = 55.5;
    alert.explanation = {4.5F,
                         3,
                         .25F,
                         1,
                         {{"promotion", .5F}, {"price", -.25F}},
                         -.5F,
                         {{"smoothing_20", .75F, 5}, {"count_table_970", .25F, 3}}};
    return alert;
  }

  OutputEncoder encoder_{"shop", {MakeView("sku")}};
  LabelCalendar calendar_;
};

TEST_F(OutputEncoderTest, ForecastFollowsItsSchema) {
  const OutputRecord record = EncodeForecast(encoder_, "85123A");
  EXPECT_EQ(record.topic, "shop.forecasts");
  EXPECT_EQ(record.key, "85123A");
  const Json json = Json::parse(*record.value);
  EXPECT_EQ(JsonSchemaCheck::Load("forecast").Check(json), "");
  EXPECT_EQ(json["cutoff"], "2011-01-26");
  EXPECT_EQ(json["start"], "2011-01-27");
  EXPECT_EQ(json["ds"], Json({"2011-01-27", "2011-01-28"}));
  EXPECT_EQ(json["freq"], "1d");
  EXPECT_EQ(json["mean"].dump(), "[3.25,0.1]");
  EXPECT_EQ(json["quantiles"].size(), kLevelCount);
  EXPECT_FLOAT_EQ(json["quantiles"]["0.5"][0], 6 * .3F);
  EXPECT_FLOAT_EQ(json["quantiles"]["0.5"][1], 1 + 6 * .3F);
  EXPECT_FLOAT_EQ(json["quantiles"]["0.99"][1], 1 + 13 * .3F);
  EXPECT_EQ(json["model_version"], 17);
  EXPECT_FALSE(json.contains("mean_bottom_up"));
}

TEST_F(OutputEncoderTest, ForecastOfARollupSaysWhatItsPartsExpect) {
  const std::vector<float> sum = {4.5F, std::nanf("")};
  const std::vector<float> both = {4, .1F};
  const Json json = Json::parse(*EncodeForecast(encoder_, "all", {sum, both}).value);
  EXPECT_EQ(JsonSchemaCheck::Load("forecast").Check(json), "");
  EXPECT_EQ(json["mean"].dump(), "[3.25,0.1]");
  EXPECT_EQ(json["mean_bottom_up"].dump(), "[4.5,null]");
  EXPECT_EQ(json["mean_reconciled"].dump(), "[4,0.1]");
}

TEST_F(OutputEncoderTest, TrendFollowsItsSchemaAndSaysNullWhereNothingIsKnown) {
  BucketContext context;
  context.now.start = LabelCalendar::Day(15000);
  context.now.end = LabelCalendar::Day(15001);
  context.ahead.resize(14);
  Trend trend;
  trend.last = 40;
  trend.before = 20;
  trend.expected = 60.5;
  trend.next = {30, 60, 90};
  trend.rise = .8125;
  trend.acceleration = -.25;
  trend.phase = TrendPhase::kRising;
  const OutputRecord record = encoder_.TrendRecord(0, "85123A", trend, calendar_, context);
  EXPECT_EQ(record.topic, "shop.trends");
  EXPECT_EQ(record.key, "85123A");
  const Json json = Json::parse(*record.value);
  EXPECT_EQ(JsonSchemaCheck::Load("trend").Check(json), "");
  EXPECT_EQ(json["cutoff"], "2011-01-26");
  EXPECT_EQ(json["phase"], "rising");
  EXPECT_EQ(json["p_rise"], .8125);
  EXPECT_EQ(json["horizon"], 14);
  EXPECT_EQ(json["next"]["0.9"], 90);
  EXPECT_EQ(json["growth"]["0.5"], .5);
  trend.last = 0;
  trend.before = trend.acceleration = std::nan("");
  const Json unknown = Json::parse(*encoder_.TrendRecord(0, "85123A", trend, calendar_, context).value);
  EXPECT_EQ(JsonSchemaCheck::Load("trend").Check(unknown), "");
  EXPECT_TRUE(unknown["before"].is_null());
  EXPECT_TRUE(unknown["growth"]["0.5"].is_null());
  const OutputRecord gone = encoder_.TrendTombstone(0, "85123A", calendar_, context);
  EXPECT_EQ(gone.topic, "shop.trends");
  EXPECT_EQ(gone.key, "85123A");
  EXPECT_FALSE(gone.value.has_value());
}

TEST_F(OutputEncoderTest, QuantilesReadBackToTheSameBits) {
  const Json json = Json::parse(*EncodeForecast(encoder_, "a").value);
  EXPECT_EQ(static_cast<float>(json["quantiles"]["0.3"][1].get<double>()), 4 * .3F + 1.F);
}

TEST_F(OutputEncoderTest, FeaturesFollowTheirSchemaAndSayNullWhereThereIsNoValue) {
  const OutputRecord record = EncodeFeatures(encoder_, {12, kNone, 1e6 / 3}, 2);
  EXPECT_EQ(record.topic, "shop.features");
  const Json json = Json::parse(*record.value);
  EXPECT_EQ(JsonSchemaCheck::Load("features").Check(json), "");
  EXPECT_EQ(json["unique_id"], "22 'é\"\x01");
  EXPECT_EQ(json["units"], 12);
  EXPECT_TRUE(json["price"].is_null());
  EXPECT_EQ(json["re\"ve\nnue"].get<double>(), 1e6 / 3);
  EXPECT_EQ(json["end"], "2011-01-27");
  EXPECT_EQ(HeaderOf(record, "ce_time"), "2011-01-27T00:00:00Z");
  EXPECT_EQ(HeaderOf(record, "tidecast_content_id"), "features/sku/22 'é\"\x01/2011-01-26/2");
}

TEST_F(OutputEncoderTest, WindowsHaveTheirOwnTopicAndTimesInUtc) {
  ClosedBucket window;
  window.series = "a";
  window.start = {LabelCalendar::Day(15000).us + 90'000'001};
  window.end = LabelCalendar::Day(15001);
  const std::vector<double> values = {1, 2, 3};
  window.features = values;
  PackedRecords records;
  encoder_.Window(window, 0, &records);
  const OutputRecord record = Only(records);
  EXPECT_EQ(record.topic, "shop.features.hour");
  const Json json = Json::parse(*record.value);
  EXPECT_EQ(JsonSchemaCheck::Load("features").Check(json), "");
  EXPECT_EQ(json["ds"], "2011-01-26T00:01:30.000001Z");
  EXPECT_EQ(json["window"], "hour");
}

TEST_F(OutputEncoderTest, RowsAreWrittenAsTheConfigSays) {
  ViewOptions view = MakeView("sku");
  WindowOptions visit;
  visit.name = "visit";
  visit.kind = WindowKind::kSession;
  visit.gap = std::chrono::minutes(30);
  visit.rows.topic = "elsewhere";
  visit.rows.times = RowTimes::kMillis;
  visit.rows.headers = RowHeaders::kId;
  visit.rows.fields = {{"sku", "series"}, {"w", "60"},    {"from", "start"},  {"to", "end"},       {"last", "last"},
                       {"n", "events"},   {"u", "units"}, {"what", "window"}, {"rev", "revision"}, {"of", "view"}};
  view.windows = {visit};
  ClosedBucket window;
  window.series = "a\"b";
  window.start = EventTime::FromMillis(1000);
  window.end = EventTime::FromMillis(1800000 + 5000);
  window.events = 7;
  const std::vector<double> values = {1.25, 2, 3};
  window.features = values;
  PackedRecords records;
  OutputEncoder("shop", {view}).Window(window, 0, &records);
  const OutputRecord record = Only(records);
  EXPECT_EQ(record.topic, "elsewhere");
  EXPECT_EQ(record.key, "a\"b");
  EXPECT_EQ(
      *record.value,
      R"({"sku":"a\"b","w":60,"from":1000,"to":1805000,"last":5000,"n":7,"u":1.25,"what":"visit","rev":1,"of":"sku"})");
  ASSERT_EQ(record.headers.size(), 1U);
  EXPECT_EQ(HeaderOf(record, "tidecast_content_id"), "window/sku/visit/a\"b/1970-01-01T00:00:01Z/1");

  view.windows[0].rows.times = RowTimes::kText;
  view.windows[0].rows.fields = {{"last", "last"}, {"w", "1"}};
  PackedRecords texts;
  OutputEncoder("shop", {view}).Window(window, 0, &texts);
  EXPECT_EQ(*Only(texts).value, R"({"last":"1970-01-01T00:00:05Z","w":1})");

  view.windows[0].rows.headers = RowHeaders::kNone;
  PackedRecords bare;
  OutputEncoder("shop", {view}).Window(window, 0, &bare);
  EXPECT_TRUE(Only(bare).headers.empty());
  EXPECT_EQ(*Only(bare).value, R"({"last":"1970-01-01T00:00:05Z","w":1})");
}

TEST_F(OutputEncoderTest, SeveralViewsAreToldApartByTheirName) {
  const OutputEncoder two("shop", {MakeView("sku"), MakeView("country")});
  const OutputRecord record = EncodeForecast(two, "85123A");
  EXPECT_EQ(record.key, "sku/85123A");
  EXPECT_EQ(Json::parse(*record.value)["unique_id"], "sku/85123A");
}

TEST_F(OutputEncoderTest, HeadersNameTheEventAndItsContent) {
  const OutputRecord record = EncodeForecast(encoder_, "85123A");
  EXPECT_EQ(HeaderOf(record, "ce_specversion"), "1.0");
  EXPECT_EQ(HeaderOf(record, "ce_type"), "tidecast.forecast.v1");
  EXPECT_EQ(HeaderOf(record, "ce_source"), "/tidecast/shop");
  EXPECT_EQ(HeaderOf(record, "ce_time"), "2011-01-27T00:00:00Z");
  EXPECT_EQ(HeaderOf(record, "ce_id"), "forecast/sku/85123A/2011-01-26/1");
  EXPECT_EQ(HeaderOf(record, "tidecast_content_id"), HeaderOf(record, "ce_id"));
}

TEST_F(OutputEncoderTest, ARedoGivesTheSameBytes) {
  const OutputRecord first = EncodeFeatures(encoder_, {1, 2, 3});
  const OutputRecord again = EncodeFeatures(OutputEncoder("shop", {MakeView("sku")}), {1, 2, 3});
  EXPECT_EQ(first.value, again.value);
  ASSERT_EQ(first.headers.size(), again.headers.size());
  for (size_t i = 0; i < first.headers.size(); ++i) EXPECT_EQ(first.headers[i].value, again.headers[i].value);
}

TEST_F(OutputEncoderTest, LabelsAreMadeOnceABucketAndNeverTakenFromAnotherEncoder) {
  EncodeFeatures(encoder_, {1, 2, 3});
  const int made = calendar_.labels_made;
  EncodeFeatures(encoder_, {4, 5, 6});
  EXPECT_EQ(calendar_.labels_made, made);
  EncodeFeatures(OutputEncoder("shop", {MakeView("sku")}), {1, 2, 3});
  EXPECT_GT(calendar_.labels_made, made);
}

TEST_F(OutputEncoderTest, AlertIsACloudEventOnBothTopics) {
  const std::vector<OutputRecord> records = encoder_.AlertRecords(MakeAlert(true), calendar_);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].topic, "shop.alerts");
  EXPECT_EQ(records[0].key, "85123A");
  EXPECT_EQ(records[1].topic, "shop.alerts.state");
  EXPECT_EQ(records[1].key, "00ff00ff00ff00ff");
  EXPECT_EQ(records[0].value, records[1].value);
  EXPECT_EQ(HeaderOf(records[0], "content-type"), "application/cloudevents+json");
  const Json json = Json::parse(*records[0].value);
  EXPECT_EQ(JsonSchemaCheck::Load("alert").Check(json), "");
  EXPECT_EQ(json["time"], "2011-01-27T00:00:00Z");
  EXPECT_TRUE(json["data"]["endsAt"].is_null());
  EXPECT_EQ(json["data"]["labels"]["severity"], "error");
  EXPECT_EQ(json["data"]["evidence"]["surprise"], 7);
}

TEST_F(OutputEncoderTest, AResolvedAlertLeavesTheStateTopic) {
  const std::vector<OutputRecord> records = encoder_.AlertRecords(MakeAlert(false), calendar_);
  EXPECT_EQ(records[1].value, std::nullopt);
  const Json json = Json::parse(*records[0].value);
  EXPECT_EQ(JsonSchemaCheck::Load("alert").Check(json), "");
  EXPECT_EQ(json["data"]["status"], "resolved");
  EXPECT_EQ(json["data"]["endsAt"], "2011-01-26T00:00:00Z");
}

TEST_F(OutputEncoderTest, AnAlertSaysWhySoMuchWasExpected) {
  const Json json = Json::parse(*encoder_.AlertRecords(MakeAlert(true), calendar_)[0].value);
  EXPECT_EQ(json["data"]["explanation"], Json::parse(R"({"component":"tail","level":3.0,"recent":0.25,"season":1.0,
    "known":{"promotion":0.5,"price":-0.25},"net":-0.5,
    "experts":[{"name":"smoothing_20","weight":0.75,"mean":5.0},{"name":"count_table_970","weight":0.25,"mean":3.0}]})"));
  Alert dormant = MakeAlert(false);
  dormant.explanation = {};
  const Json bare = Json::parse(*encoder_.AlertRecords(dormant, calendar_)[0].value);
  EXPECT_EQ(JsonSchemaCheck::Load("alert").Check(bare), "");
  EXPECT_TRUE(bare["data"]["explanation"]["experts"].empty());
}

TEST_F(OutputEncoderTest, AnAlertWithoutARatioSaysNull) {
  Alert alert = MakeAlert(true);
  alert.effect_ratio = kNone;
  const Json json = Json::parse(*encoder_.AlertRecords(alert, calendar_)[0].value);
  EXPECT_EQ(JsonSchemaCheck::Load("alert").Check(json), "");
  EXPECT_TRUE(json["data"]["effect"]["ratio"].is_null());
}

TEST_F(OutputEncoderTest, LateKeepsBytesAndHeadersAndAddsThePosition) {
  const HeaderView header{"traceparent", "00-1"};
  InputRecord input;
  input.offset = 77;
  input.key = "a";
  input.value = "{\"sku\":\"a\"\xff}";
  input.headers = {&header, 1};
  const OutputRecord record = encoder_.Late("shop.orders", 3, input, LabelCalendar::Day(1), LabelCalendar::Day(9));
  EXPECT_EQ(record.topic, "shop.late");
  EXPECT_EQ(*record.value, input.value);
  EXPECT_EQ(HeaderOf(record, "traceparent"), "00-1");
  EXPECT_EQ(HeaderOf(record, "__connect.errors.topic"), "shop.orders");
  EXPECT_EQ(HeaderOf(record, "__connect.errors.partition"), "3");
  EXPECT_EQ(HeaderOf(record, "__connect.errors.offset"), "77");
  EXPECT_EQ(HeaderOf(record, "tidecast_reason"), "too_late");
  EXPECT_EQ(HeaderOf(record, "tidecast_event_time"), "1970-01-02T00:00:00Z");
  EXPECT_EQ(HeaderOf(record, "tidecast_content_id"), "late/shop.orders/3/77");
  EXPECT_EQ(encoder_.Late("t", 0, input, LabelCalendar::Day(1), EventTime::Max()).headers.back().name,
            "tidecast_event_time");
}

TEST_F(OutputEncoderTest, DeadLetterHasTheNamesOfKafkaConnect) {
  DeadLetter letter;
  letter.topic = "shop.orders";
  letter.partition = 1;
  letter.offset = 5;
  letter.reason = RejectReason::kBadValue;
  letter.detail = "field /quantity: not a number";
  letter.value = "{";
  const OutputRecord record = encoder_.Dead(letter);
  EXPECT_EQ(record.topic, "shop.dlq");
  EXPECT_EQ(*record.value, "{");
  EXPECT_EQ(HeaderOf(record, "__connect.errors.exception.class.name"), "tidecast.bad_value");
  EXPECT_EQ(HeaderOf(record, "__connect.errors.exception.message"), "field /quantity: not a number");
}

TEST(JsonAppendTest, StringsAlwaysReadBack) {
  const auto round = [](std::string_view text) {
    std::string json;
    AppendJsonString(text, &json);
    return Json::parse(json).get<std::string>();
  };
  EXPECT_EQ(round("plain"), "plain");
  EXPECT_EQ(round(std::string("a\0b\"\\\n\t\r\x1f", 9)), std::string("a\0b\"\\\n\t\r\x1f", 9));
  EXPECT_EQ(round("é€😀"), "é€😀");
  EXPECT_EQ(round("\xff\xC0\xAF x \xED\xA0\x80"),
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD x \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(round("cut \xE2\x82"), "cut \xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(JsonAppendTest, NumbersAreShortestAndReadBackToTheSameBits) {
  const auto text = [](auto value) {
    std::string json;
    AppendJsonNumber(value, &json);
    return json;
  };
  EXPECT_EQ(text(100000.0), "100000");
  EXPECT_EQ(text(.1F), "0.1");
  EXPECT_EQ(text(-2.5), "-2.5");
  EXPECT_EQ(text(-.07), "-0.07");
  EXPECT_EQ(text(1234567.89), "1234567.89");
  EXPECT_EQ(text(.29F), "0.29");
  EXPECT_EQ(text(-0.004), "-0.004");
  for (int64_t cents = -30000; cents < 4000000; cents += 37) {
    const double value = static_cast<double>(cents) / 100;
    EXPECT_EQ(text(value),
              fmt::format("{}", value).ends_with(".0") ? fmt::format("{}", cents / 100) : fmt::format("{}", value));
  }
  EXPECT_EQ(text(kNone), "null");
  EXPECT_EQ(text(std::numeric_limits<double>::infinity()), "null");
  for (double value : {1e300, -1e-300, 1.0 / 3, 123456789012345680.0, 5e-324})
    EXPECT_EQ(Json::parse(text(value)).get<double>(), value);
}

TEST(SchemasTest, InputsHaveTheFieldsThatTheDecoderReads) {
  for (InputKind kind : {InputKind::kOrders, InputKind::kClicks, InputKind::kCatalog, InputKind::kPromotions,
                         InputKind::kInventory, InputKind::kMarket}) {
    const JsonSchemaCheck check = JsonSchemaCheck::Load(std::string(InputKindName(kind)));
    InputOptions options;
    options.kind = kind;
    std::set<std::string> names;
    std::set<std::string> required;
    for (const InputField& field : FieldsOf(kind)) {
      names.emplace(field.name);
      if (IsRequired(options, field)) required.emplace(field.name);
    }
    std::set<std::string> in_schema;
    for (const auto& [name, rule] : check.schema()["properties"].items()) in_schema.insert(name);
    EXPECT_EQ(in_schema, names) << InputKindName(kind);
    EXPECT_EQ(check.schema()["required"].get<std::set<std::string>>(), required) << InputKindName(kind);
    ASSERT_FALSE(check.schema()["examples"].empty());
    for (const Json& example : check.schema()["examples"]) EXPECT_EQ(check.Check(example), "") << InputKindName(kind);
  }
}

TEST(SchemasTest, TheCheckFindsWhatIsWrong) {
  const JsonSchemaCheck check = JsonSchemaCheck::Load("features");
  Json good = {{"unique_id", "a"},    {"view", "sku"}, {"ds", "2011-01-01"},
               {"end", "2011-01-02"}, {"revision", 1}, {"units", 3}};
  EXPECT_EQ(check.Check(good), "");
  for (const char* patch :
       {R"({"revision":0})", R"({"units":"3"})", R"({"ds":"1.1.2011"})", R"({"view":null})", R"({"unique_id":""})"}) {
    Json bad = good;
    bad.update(Json::parse(patch));
    EXPECT_NE(check.Check(bad), "") << patch;
  }
  Json lacking = good;
  lacking.erase("end");
  EXPECT_NE(check.Check(lacking), "");
}

}  // namespace
}  // namespace tidecast
