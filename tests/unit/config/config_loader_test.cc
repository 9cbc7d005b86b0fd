#include "config/config_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "config/config_fields.h"
#include "config/config_printer.h"

namespace tidecast {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A good config of which single lines are replaced.
constexpr std::string_view kGood = R"(namespace: shop
transport: {kind: embedded, partitions: 4}
state: {directory: ./state, memory_limit: 512MiB}
inputs:
  orders:
    time: {field: /ts, zone: Europe/London}
    dedupe: {key: [order_id, line], for: 2d}
  clicks: {}
views:
  sku:
    bucket: {every: 1d, zone: Europe/London, open: learned}
    allowed_lateness: 1d
    features:
      units: {input: orders, sum: quantity, where: positive}
      price: {input: orders, mean: unit_price}
      views: {input: clicks, count: true, action: view}
    target: units
    horizon: 14
    past_covariates: [views]
threads: 2
)";

std::string With(std::string_view old_text, std::string_view new_text) {
  std::string text(kGood);
  const size_t at = text.find(old_text);
  EXPECT_NE(at, std::string::npos) << old_text;
  return text.replace(at, old_text.size(), new_text);
}

std::string ProblemsOf(const std::string& text) { return PrintProblems(CheckConfigText(text, "t.yaml")); }

struct Case {
  std::string name;
  std::string old_text;
  std::string new_text;
  std::vector<std::string> shown;  // all of them in the printed problems
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class ConfigProblemTest : public ::testing::TestWithParam<Case> {};

TEST_P(ConfigProblemTest, IsRefusedInWords) {
  const ConfigReport report = CheckConfigText(With(GetParam().old_text, GetParam().new_text), "t.yaml");
  const std::string printed = PrintProblems(report);
  EXPECT_EQ(report.problems.size(), 1U) << printed;
  for (const std::string& part : GetParam().shown) EXPECT_THAT(printed, HasSubstr(part));
  EXPECT_THAT(printed, HasSubstr("= try: "));
}

const std::vector<Case> kCases = {
    {"NotYaml", "namespace: shop", "namespace: [shop", {"error[TC0101]", "this is not YAML"}},
    {"DoubledKey", "threads: 2", "threads: 2\nthreads: 3", {"error[TC0102]: the key \"threads\" stands twice", "it stands in line 20 already", "t.yaml:21:1"}},
    {"UnknownKey", "horizon: 14", "horizn: 14", {"error[TC0103]: unknown key \"horizn\" in views.sku", "t.yaml:18:5", "18 |     horizn: 14", "   |     ^^^^^^\n", "did you mean \"horizon\"?"}},
    {"KeyOfAnotherSection", "threads: 2", "allowed_lateness: 1d", {"TC0103", "there is a key views.*.allowed_lateness; perhaps the indentation is off"}},
    {"SectionExpected", "transport: {kind: embedded, partitions: 4}", "transport: [embedded]", {"error[TC0104]: transport must be a section"}},
    {"ValueExpected", "threads: 2", "threads: [2]", {"error[TC0104]: threads must be a single value"}},
    {"NoValue", "threads: 2", "threads:", {"error[TC0104]: threads has no value"}},
    {"NotWhole", "threads: 2", "threads: two", {"error[TC0104]: threads: not a whole number: \"two\""}},
    {"BadNamespace", "namespace: shop", "namespace: My Shop", {"error[TC0104]: namespace: not a name: \"My Shop\""}},
    {"OutOfRange", "horizon: 14", "horizon: 0", {"error[TC0105]: views.sku.horizon is out of range: 0", "take a value from 1 to 1000"}},
    {"DurationOutOfRange", "threads: 2", "commit: {interval: 2h}", {"error[TC0105]: commit.interval is out of range: 2h", "10ms to 1m"}},
    {"BytesOutOfRange", "512MiB", "1MiB", {"error[TC0105]: state.memory_limit is out of range: 1MiB", "64MiB"}},
    {"DurationWithoutUnit", "allowed_lateness: 1d", "allowed_lateness: 30", {"error[TC0106]: views.sku.allowed_lateness: a duration needs a unit: \"30\"", "30s"}},
    {"BytesWithWrongUnit", "512MiB", "512megs", {"error[TC0106]: state.memory_limit: not an amount of bytes: \"512megs\""}},
    {"BucketWithoutUnit", "every: 1d", "every: 24", {"error[TC0106]: views.sku.bucket.every: not a bucket length"}},
    {"WrongWord", "kind: embedded", "kind: embeded", {"error[TC0107]: transport.kind is none of its words: \"embeded\"", "did you mean \"embedded\"?"}},
    {"WrongBoolean", "time: {field: /ts, zone: Europe/London}", "key_check: yes", {"error[TC0107]", "take one of: true, false"}},
    {"WrongWeekday", "open: learned", "open: [mon, tues]", {"error[TC0107]: views.sku.bucket.open: not a weekday: \"tues\""}},
    {"NeededKey", "input: clicks, ", "", {"error[TC0108]: views.sku.features.views.input is missing"}},
    {"UnknownZone", "zone: Europe/London}\n    dedupe", "zone: Europe/Londn}\n    dedupe", {"error[TC0109]: inputs.orders.time.zone: unknown time zone: \"Europe/Londn\""}},
    {"BadPointer", "field: /ts", "field: ts", {"error[TC0110]: inputs.orders.time.field: bad JSON pointer, it must begin with a slash: \"ts\""}},
    {"BadFieldPointer", "time: {field: /ts, zone: Europe/London}", "fields: {quantity: qty}", {"error[TC0110]: inputs.orders.fields.quantity"}},
    {"UnknownField", "time: {field: /ts, zone: Europe/London}", "fields: {quantty: /qty}", {"error[TC0111]: inputs.orders.fields: orders have no such field: \"quantty\"", "did you mean \"quantity\"?"}},
    {"UnknownColumnField", "time: {field: /ts, zone: Europe/London}", "columns: {customer: X}", {"error[TC0111]: inputs.orders.columns: orders have no such field: \"customer\""}},
    {"UnknownDedupeField", "[order_id, line]", "[order_id, lime]", {"error[TC0111]: inputs.orders.dedupe.key: orders have no such field: \"lime\"", "did you mean \"line\"?"}},
    {"UnknownInput", "units: {input: orders,", "units: {input: order,", {"error[TC0111]: views.sku.features.units.input is none of the inputs: \"order\"", "did you mean \"orders\"?"}},
    {"UnknownNumber", "sum: quantity", "sum: quantities", {"error[TC0111]: views.sku.features.units: orders have no such number: \"quantities\"", "amount"}},
    {"UnknownTarget", "target: units", "target: unit", {"error[TC0111]: views.sku.target is none of its features: \"unit\"", "did you mean \"units\"?"}},
    {"UnknownCovariate", "[views]", "[vews]", {"error[TC0111]: views.sku.past_covariates names none of its features: \"vews\""}},
    {"TargetAsCovariate", "[views]", "[views, units]", {"error[TC0112]: views.sku: units is the target and a past covariate"}},
    {"LatenessBeyondDedupe", "allowed_lateness: 1d", "allowed_lateness: 3d", {"error[TC0112]: views.sku.allowed_lateness 3d is longer than inputs.orders.dedupe.for 2d"}},
    {"PositiveClicks", "count: true, action: view", "count: true, where: positive", {"error[TC0112]: views.sku.features.views: where: positive on clicks, which have no quantity"}},
    {"ActionOnOrders", "mean: unit_price", "mean: unit_price, action: view", {"error[TC0112]: views.sku.features.price: action: view on orders"}},
    {"TwoAggregates", "mean: unit_price", "mean: unit_price, max: unit_price", {"error[TC0112]: views.sku.features.price has both max and mean"}},
    {"NoAggregate", ", mean: unit_price", "", {"error[TC0108]: views.sku.features.price says nothing to compute"}},
    {"DistinctOfNothing", "mean: unit_price", "distinct: session", {"error[TC0112]: views.sku.features.price: distinct session of orders, which have no session_id"}},
    {"AbsoluteCount", "count: true, action: view", "count: true, absolute: true", {"error[TC0112]: views.sku.features.views: absolute with count"}},
    {"HoursOnDays", "open: learned", "open: learned, hours: \"09:00-17:30\"", {"error[TC0112]: views.sku: bucket.hours are set, but buckets are a day or longer"}},
    {"HoursBackwards", "every: 1d, zone: Europe/London, open: learned", "every: 1h, hours: \"18:00-09:00\"", {"error[TC0104]: views.sku.bucket.hours: not business hours"}},
    {"LearnedWeeks", "every: 1d", "every: 1w", {"error[TC0112]: views.sku: bucket.open is learned, but buckets are longer than a day"}},
    {"LearnedCustomers", "    bucket:", "    group_by: customer\n    bucket:", {"error[TC0112]: views.sku: bucket.open is learned, but the view is grouped by customer"}},
    {"SessionsOfARollup", "    bucket:", "    group_by: country\n    windows: {visit: {session: 30m}}\n    bucket:", {"error[TC0112]: views.sku.windows.visit is a session, but the view is grouped by country"}},
    {"BadHoliday", "open: learned", "open: learned, holidays: [2011-02-29]", {"error[TC0104]: views.sku.bucket.holidays: no country's holidays, no date, no calendar file: 2011-02-29", "countries: AT, BE"}},
    {"SameTopic", "clicks: {}", "clicks: {topic: shop.orders}", {"error[TC0112]: inputs.orders and inputs.clicks read the same topic: shop.orders"}},
    {"TwoPlacesOfTime", "dedupe: {key", "fields: {ts: /when}\n    dedupe: {key", {"error[TC0112]: inputs.orders: time.field is /ts, but fields.ts is /when"}},
    {"EpochBeyondMemory", "512MiB}", "64MiB}\ncommit: {epoch_bytes_max: 32MiB}", {"error[TC0112]: commit.epoch_bytes_max 32MiB is more than a quarter of state.memory_limit 64MiB", "128MiB"}},
    {"WindowWithoutKind", "target: units", "windows: {hour: {}}\n    target: units", {"error[TC0108]: views.sku.windows.hour needs one of hopping and session"}},
    {"AlertsWithoutModel", "threads: 2", "model: none\nalerts: true", {"error[TC0112]: alerts.enabled is true, but model.kind is none"}},
    {"JavaOnlyName", "threads: 2", "kafka: {key.deserializer: x}", {"error[TC0113]: \"key.deserializer\" is not a setting of librdkafka", "leave it out"}},
    {"JavaSpelling", "threads: 2", "kafka: {session.timeout: 45000}", {"error[TC0113]", "write session.timeout.ms"}},
    {"KeptByTidecast", "threads: 2", "kafka: {enable.auto.commit: true}", {"error[TC0114]: \"enable.auto.commit\" is kept by Tidecast itself"}},
    {"KafkaNearMiss", "threads: 2", "kafka: {bootstrap.sevrers: x}", {"error[TC0103]: unknown key \"bootstrap.sevrers\" in kafka", "did you mean \"bootstrap.servers\"?"}},
    {"NoBroker", "kind: embedded", "kind: kafka", {"error[TC0108]: kafka.bootstrap.servers is missing"}},
    {"TransactionTimeout", "transport: {kind: embedded, partitions: 4}", "kafka: {bootstrap.servers: a, transaction.timeout.ms: 1500}\ntransport: kafka",
     {"error[TC0112]: kafka.transaction.timeout.ms 1500 is less than twice commit.interval 1s"}},
    {"Interpolation", "./state", "\"${HOME}/state\"", {"error[TC0115]: state.directory holds ${...}", "only secrets"}},
    {"UnreadableSecret", "threads: 2", "privacy: {pseudonym_key: \"${file:/nowhere/key}\"}", {"error[TC0116]: privacy.pseudonym_key: the secret's file cannot be read: /nowhere/key"}},
    {"OpenServer", "threads: 2", "server: {address: 0.0.0.0}", {"error[TC0117]: server.address 0.0.0.0 is open to other machines", "insecure: true"}},
    {"UnknownKind", "clicks: {}", "clicks: {}\n  web: {}", {"error[TC0108]: inputs.web.kind is missing"}},
};
INSTANTIATE_TEST_SUITE_P(All, ConfigProblemTest, ::testing::ValuesIn(kCases), [](const auto& info) { return info.param.name; });

TEST(ConfigLoaderTest, EveryCodeIsProvokedByATest) {
  std::string seen = "TC0118";  // by the override tests below
  for (const Case& one : kCases) seen += ProblemsOf(With(one.old_text, one.new_text));
  for (const ProblemCode& code : ProblemCodes()) EXPECT_THAT(seen, HasSubstr(std::string(code.code)));
}

TEST(ConfigLoaderTest, FillsTheOptions) {
  const ConfigReport report = CheckConfigText(kGood, "t.yaml");
  ASSERT_TRUE(report.ok()) << PrintProblems(report);
  const EngineOptions& options = report.options;
  EXPECT_EQ(options.memory_limit_bytes, 512U << 20);
  EXPECT_EQ(options.threads, 2);
  ASSERT_EQ(options.inputs.size(), 2U);
  EXPECT_EQ(options.inputs[0].topic, "shop.orders");
  EXPECT_EQ(options.inputs[0].zone, "Europe/London");
  EXPECT_EQ(options.inputs[0].dedupe->fields, (std::vector<std::string>{"order_id", "line"}));
  EXPECT_EQ(options.inputs[0].dedupe->keep, std::chrono::hours(48));
  EXPECT_EQ(options.inputs[1].kind, InputKind::kClicks);
  const ViewOptions& view = options.views.at(0);
  EXPECT_EQ(view.calendar.open, OpenRule::kLearned);
  EXPECT_EQ(view.allowed_lateness, std::chrono::hours(24));
  ASSERT_EQ(view.features.size(), 3U);
  EXPECT_EQ(view.features[0].aggregate, Aggregate::kSum);
  EXPECT_EQ(view.features[0].sign, SignFilter::kPositive);
  EXPECT_EQ(view.features[1].field, NumberField::kUnitPrice);
  EXPECT_EQ(view.features[2].action, ClickAction::kView);
  EXPECT_EQ(view.past_covariates, std::vector<std::string>{"views"});
}

TEST(ConfigLoaderTest, ReportsAllProblemsAtOnceInTheOrderOfTheFile) {
  std::string text = With("horizon: 14", "horizon: 0");
  text.replace(text.find("kind: embedded"), 14, "kind: embedde");
  text += "server: {address: 0.0.0.0}\n";
  const ConfigReport report = CheckConfigText(text, "t.yaml");
  ASSERT_EQ(report.problems.size(), 3U) << PrintProblems(report);
  EXPECT_EQ(report.problems[0].code, "TC0107");
  EXPECT_EQ(report.problems[1].code, "TC0105");
  EXPECT_EQ(report.problems[2].code, "TC0117");
}

TEST(ConfigLoaderTest, PrintsThePlaceWithACaret) {
  EXPECT_EQ(ProblemsOf(With("horizon: 14", "horizon: 0")),
            "error[TC0105]: views.sku.horizon is out of range: 0\n"
            "  --> t.yaml:18:14\n"
            "   |\n"
            "18 |     horizon: 0\n"
            "   |              ^\n"
            "   = why: How many buckets ahead.\n"
            "   = try: take a value from 1 to 1000\n"
            "   = docs: tidecast help TC0105\n");
}

TEST(ConfigLoaderTest, PrintsJson) {
  const std::string json = PrintProblemsJson(CheckConfigText(With("horizon: 14", "horizon: 0"), "t.yaml"));
  EXPECT_THAT(json, HasSubstr("\"code\": \"TC0105\""));
  EXPECT_THAT(json, HasSubstr("\"line\": 18"));
}

TEST(ConfigLoaderTest, ReadsJsonAndShortForms) {
  const ConfigReport report = CheckConfigText(R"({"transport": "embedded", "model": "experts", "inputs": {"trades": {"kind": "market", "time": "/t"}},
    "views": {"v": {"bucket": "5m", "features": {"close": {"input": "trades", "last": "close"}}, "target": "close"}}})", "t.json");
  ASSERT_TRUE(report.ok()) << PrintProblems(report);
  EXPECT_EQ(report.options.model.net, NetKind::kNone);
  EXPECT_TRUE(report.options.model_enabled);
  EXPECT_EQ(report.options.inputs[0].fields.at("ts"), "/t");
  EXPECT_EQ(report.options.views[0].calendar.unit, BucketUnit::kMinute);
  EXPECT_EQ(report.options.views[0].calendar.count, 5);
}

TEST(ConfigLoaderTest, NeedsInputsAndViews) {
  const std::string printed = ProblemsOf("namespace: shop\n");
  EXPECT_THAT(printed, HasSubstr("error[TC0108]: inputs is missing"));
  EXPECT_THAT(printed, HasSubstr("error[TC0108]: views is missing"));
  EXPECT_THAT(ProblemsOf("[1, 2]"), HasSubstr("error[TC0104]: the config is not made of sections"));
  EXPECT_THAT(ProblemsOf(""), HasSubstr("inputs is missing"));
}

TEST(ConfigLoaderTest, AliasThatHoldsItselfIsRefused) {
  EXPECT_THAT(ProblemsOf("views: &a\n  x: *a\n"), HasSubstr("TC0101"));
}

TEST(ConfigLoaderTest, FlagsWinOverEnvironmentWinsOverFile) {
  std::vector<ConfigOverride> overrides =
      OverridesFromEnvironment({"HOME=/root", "TIDECAST__THREADS=3", "TIDECAST__KAFKA__BOOTSTRAP_SERVERS=b:1", "TIDECAST__STATE__MEMORY_LIMIT=1GiB"});
  auto flag = ParseSetFlag("threads=5");
  ASSERT_TRUE(flag.ok());
  overrides.push_back(*flag);
  const ConfigReport report = CheckConfigText(kGood, "t.yaml", overrides);
  ASSERT_TRUE(report.ok()) << PrintProblems(report);
  EXPECT_EQ(report.options.threads, 5);
  EXPECT_EQ(report.options.memory_limit_bytes, 1U << 30);
  EXPECT_EQ(report.options.kafka.at("bootstrap.servers"), "b:1");
  const std::string origins = PrintOrigins(report);
  EXPECT_THAT(origins, HasSubstr("threads = 5  # flag --set threads=5\n"));
  EXPECT_THAT(origins, HasSubstr("state.memory_limit = 1GiB  # environment variable TIDECAST__STATE__MEMORY_LIMIT\n"));
  EXPECT_THAT(origins, HasSubstr("views.sku.horizon = 14  # t.yaml:18\n"));
}

TEST(ConfigLoaderTest, ProblemOfAnOverrideNamesItsOrigin) {
  const auto overrides = OverridesFromEnvironment({"TIDECAST__THREADS=257"});
  EXPECT_THAT(PrintProblems(CheckConfigText(kGood, "t.yaml", overrides)),
              HasSubstr("error[TC0105]: threads is out of range: 257\n  --> environment variable TIDECAST__THREADS\n"));
  EXPECT_THAT(PrintProblems(CheckConfigText(kGood, "t.yaml", OverridesFromEnvironment({"TIDECAST__THREADS__X=0"}))), HasSubstr("error[TC0118]"));
  EXPECT_EQ(ParseSetFlag("threads").status().code(), Code::kUsage);
}

TEST(ConfigLoaderTest, SecretsComeFromFilesAndAreMasked) {
  const std::string path = ::testing::TempDir() + "/tidecast_config_secret";
  std::ofstream(path) << "hush\n";
  const ConfigReport report = CheckConfigText(With("threads: 2", "privacy: {pseudonym_key: \"${file:" + path + "}\"}\nkafka: {sasl.password: pw}"), "t.yaml");
  ASSERT_TRUE(report.ok()) << PrintProblems(report);
  EXPECT_EQ(report.options.pseudonym_key, "hush");
  const std::string origins = PrintOrigins(report);
  EXPECT_THAT(origins, Not(HasSubstr("hush")));
  EXPECT_THAT(origins, Not(HasSubstr("= pw")));
  EXPECT_THAT(origins, HasSubstr("kafka.sasl.password = ********"));
}

TEST(ConfigLoaderTest, MissingFileIsNoInput) {
  const auto result = LoadConfig("/nowhere/tidecast.yaml");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), Code::kNoInput);
  EXPECT_EQ(ExitCode(result.status().code()), 66);
  EXPECT_THAT(result.status().message(), HasSubstr("/nowhere/tidecast.yaml"));
  EXPECT_THAT(result.status().remedy(), HasSubstr("tidecast init"));
  EXPECT_EQ(LoadConfig(::testing::TempDir()).status().code(), Code::kNoInput);
}

TEST(ConfigLoaderTest, BadFileIsConfigWithEveryProblem) {
  const std::string path = ::testing::TempDir() + "/tidecast_bad.yaml";
  std::ofstream(path) << With("horizon: 14", "horizon: 0");
  const auto result = LoadConfig(path);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(ExitCode(result.status().code()), 78);
  EXPECT_THAT(result.status().message(), HasSubstr("error[TC0105]"));
}

TEST(ConfigLoaderTest, AViewOfAnotherKeyTakesWhatItsInputsHave) {
  std::string text = With("    bucket:", "    group_by: all\n    bucket:");
  EXPECT_TRUE(CheckConfigText(text, "t.yaml").ok()) << ProblemsOf(text);
  EXPECT_EQ(CheckConfigText(text, "t.yaml").options.views.at(0).group_by, GroupBy::kAll);
  text.replace(text.find("  clicks: {}"), 12, "  clicks: {}\n  inventory: {}");
  text.replace(text.find("input: orders, mean: unit_price"), 31, "input: inventory, last: on_hand");
  EXPECT_THAT(ProblemsOf(text), HasSubstr("error[TC0112]: views.sku.features.price is a fact, but the view is grouped by all"));
  text = With("    bucket:", "    group_by: country\n    bucket:");
  text.replace(text.find("  clicks: {}"), 12, "  clicks: {}\n  market: {}");
  text.replace(text.find("input: orders, mean: unit_price"), 31, "input: market, last: close");
  EXPECT_THAT(ProblemsOf(text), HasSubstr("error[TC0112]: views.sku is grouped by country, but market have no country"));
}

TEST(ConfigLoaderTest, HolidaysComeFromCountriesDaysAndFiles) {
  const std::string path = ::testing::TempDir() + "config_holidays.csv";
  std::ofstream(path) << "date,name\n2011-05-05,Stock-taking\n";
  const ConfigReport report = CheckConfigText(With("open: learned", fmt::format("open: learned, holidays: [GB-ENG, 2011-12-28, {{file: {}}}], on_holidays: open", path)), "t.yaml");
  ASSERT_TRUE(report.problems.empty()) << PrintProblems(report);
  const CalendarOptions& calendar = report.options.views[0].calendar;
  EXPECT_FALSE(calendar.closed_on_holidays);
  for (const char* day : {"2011-04-29", "2011-05-05", "2011-12-28"}) EXPECT_THAT(calendar.holidays, ::testing::Contains(day));
  EXPECT_THAT(ProblemsOf(With("open: learned", "open: learned, holidays: nowhere.ics")), HasSubstr("views.sku.bucket.holidays: "));
}

// ---- documents ----

std::string SourcePath(const std::string& path) {
  const char* root = std::getenv("TIDECAST_SOURCE_DIR");
  return std::string(root == nullptr ? "." : root) + "/" + path;
}
std::string ReadAll(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST(ConfigDocumentsTest, SchemaAndReferenceAreUpToDate) {
  constexpr std::string_view kMark = "## Reference\n\n";
  std::string readme = ReadAll(SourcePath("config/README.md"));
  ASSERT_NE(readme.find(kMark), std::string::npos);
  const std::string wanted = readme.substr(0, readme.find(kMark) + kMark.size()) + ConfigReference();
  if (std::getenv("TIDECAST_UPDATE") != nullptr) {
    std::ofstream(SourcePath("config/schemas/config.schema.json")) << ConfigSchema();
    std::ofstream(SourcePath("config/README.md")) << wanted;
    readme = wanted;
  }
  EXPECT_EQ(ReadAll(SourcePath("config/schemas/config.schema.json")), ConfigSchema()) << "run this test with TIDECAST_UPDATE=1";
  EXPECT_EQ(readme, wanted) << "run this test with TIDECAST_UPDATE=1";
}

TEST(ConfigDocumentsTest, TemplatesAreGoodConfigs) {
  for (const bool full : {false, true}) {
    const ConfigReport report = CheckConfigText(ConfigTemplate(full), "init.yaml");
    EXPECT_TRUE(report.ok()) << PrintProblems(report);
  }
  const std::string brief = ConfigTemplate(false);
  EXPECT_LE(std::count(brief.begin(), brief.end(), '\n'), 40);
  EXPECT_TRUE(brief.starts_with("# yaml-language-server: $schema="));
  const std::string full = ConfigTemplate(true);
  for (const ConfigField& field : ConfigFields()) {
    if (field.key() == "*") continue;
    EXPECT_THAT(full, HasSubstr(std::string(field.key()) + ":")) << field.path;
  }
}

TEST(ConfigDocumentsTest, ExampleIsAGoodConfig) {
  auto options = LoadConfig(SourcePath("examples/online-retail/tidecast.yaml"));
  ASSERT_TRUE(options.ok()) << options.status().message();
  std::vector<std::string> names;
  for (const FeatureOptions& feature : options->views.at(0).features) names.push_back(feature.name);
  EXPECT_EQ(names, (std::vector<std::string>{"units", "returns", "revenue", "lines", "customers", "price", "views", "carts"}));
  EXPECT_TRUE(options->views[0].features[1].absolute);
  EXPECT_EQ(options->views[0].horizon, 14);
}

// The defaults that the table shows are those that hold: writing them out changes nothing.
TEST(ConfigDocumentsTest, DefaultsInTheTableAreThoseOfTheOptions) {
  std::string text;
  for (const ConfigField* section : FieldsBelow("")) {
    if (section->type != FieldType::kSection) {
      if (!section->fallback.empty()) text += fmt::format("{}: {}\n", section->key(), section->fallback);
      continue;
    }
    text += fmt::format("{}:\n", section->key());
    for (const ConfigField* row : FieldsBelow(section->path)) {
      if (!row->fallback.empty()) text += fmt::format("  {}: {}\n", row->key(), row->fallback);
    }
  }
  const std::string rest = "inputs: {orders: {}}\nviews: {v: {features: {units: {input: orders, sum: quantity}}}}\n";
  const ConfigReport spelled = CheckConfigText(text + rest, "spelled.yaml");
  const ConfigReport bare = CheckConfigText(rest, "bare.yaml");
  ASSERT_TRUE(spelled.ok()) << PrintProblems(spelled);
  const EngineOptions& a = spelled.options;
  const EngineOptions& b = bare.options;
  EXPECT_EQ(a.name_space, b.name_space);
  EXPECT_EQ(a.instance, b.instance);
  EXPECT_EQ(a.transport, b.transport);
  EXPECT_EQ(a.partitions, b.partitions);
  EXPECT_EQ(a.state_directory, b.state_directory);
  EXPECT_EQ(a.memory_limit_bytes, b.memory_limit_bytes);
  EXPECT_EQ(a.commit_interval, b.commit_interval);
  EXPECT_EQ(a.epoch_bytes_max, b.epoch_bytes_max);
  EXPECT_EQ(a.pseudonym_key, b.pseudonym_key);
  EXPECT_EQ(a.threads, b.threads);
  EXPECT_EQ(a.model.net, b.model.net);
  EXPECT_EQ(a.model.device, b.model.device);
  EXPECT_EQ(a.model.seed, b.model.seed);
  EXPECT_EQ(a.model.net_learning, b.model.net_learning);
  EXPECT_EQ(a.model.block_series, b.model.block_series);
  EXPECT_EQ(a.alerts.enabled, b.alerts.enabled);
  EXPECT_EQ(a.alerts.tail_probability, b.alerts.tail_probability);
  EXPECT_EQ(a.alerts.exit_factor, b.alerts.exit_factor);
  EXPECT_EQ(a.alerts.effect_ratio_min, b.alerts.effect_ratio_min);
  EXPECT_EQ(a.alerts.effect_absolute_min, b.alerts.effect_absolute_min);
  EXPECT_EQ(a.alerts.age_buckets_min, b.alerts.age_buckets_min);
  EXPECT_EQ(a.alerts.use_case, b.alerts.use_case);
  EXPECT_EQ(a.server.enabled, b.server.enabled);
  EXPECT_EQ(a.server.address, b.server.address);
  EXPECT_EQ(a.server.port, b.server.port);
  EXPECT_EQ(a.server.insecure, b.server.insecure);
}

}  // namespace
}  // namespace tidecast
