#include "config/secret_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_loader.h"
#include "config/config_printer.h"

namespace tidecast {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kSecret = "hunter2hunter2";

std::string HiddenLine(const std::string& line) {
  std::vector<ConfigProblem> problems;
  return SecretMask(ParseConfigText("", &problems)).Hide(line, 1).text;
}

TEST(SecretMaskTest, HidesTheValueBehindASecretsName) {
  EXPECT_EQ(HiddenLine("  sasl.password: hunter2 # mine"), "  sasl.password: ******** # mine");
  EXPECT_EQ(HiddenLine("kafka: {sasl.password: 'it''s, me', linger.ms: 5}"),
            "kafka: {sasl.password: ********, linger.ms: 5}");
  EXPECT_EQ(HiddenLine(R"({"ssl.key.password": "a\"b", "x": 1})"), R"({"ssl.key.password": ********, "x": 1})");
  EXPECT_EQ(HiddenLine("sasl.password: \"never closed, so all of it"), "sasl.password: ********");
  EXPECT_EQ(HiddenLine("sasl.pasword: hunter2"), "sasl.pasword: ********");
  EXPECT_EQ(HiddenLine("sasl.jaas.config: Plain required password=hunter2;"), "sasl.jaas.config: ********");
}

TEST(SecretMaskTest, LeavesTheRestAsItIs) {
  for (const char* line : {"sasl.username: shop", "ssl.key.location: /etc/key.pem", "dedupe: {key: [order_id, line]}",
                           "sasl.password: ${file:/run/secrets/kafka}", "ssl.key.pem: |", "sasl.mechanism: PLAIN"}) {
    EXPECT_EQ(HiddenLine(line), line);
  }
}

TEST(SecretMaskTest, HidesKnownValuesWhereverTheyStand) {
  std::vector<ConfigProblem> problems;
  const SecretMask mask(
      ParseConfigText("a: &p hunter2\nkafka: {sasl.password: *p, ssl.key.pem: \"line one\\nline two\"}", &problems));
  EXPECT_EQ(mask.Hide("a: &p hunter2", 1).text, "a: &p ********");
  EXPECT_EQ(mask.Hide("    line two", 1).text, "    ********");
}

TEST(SecretMaskTest, KeepsTheColumnAtWhatItPointedAt) {
  std::vector<ConfigProblem> problems;
  const SecretMask mask(ParseConfigText("", &problems));
  const std::string line = "kafka: {sasl.password: hunter2hunter2, lingerr.ms: 5}";
  const auto behind = mask.Hide(line, static_cast<int>(line.find("lingerr")) + 1);
  EXPECT_EQ(behind.text.substr(static_cast<size_t>(behind.column) - 1, 7), "lingerr");
  const auto inside = mask.Hide(line, static_cast<int>(line.find("2hunter2")) + 1);
  EXPECT_EQ(behind.text.substr(static_cast<size_t>(inside.column) - 1, 8), kSecretMask);
  EXPECT_EQ(mask.Hide(line, 3).column, 3);
}

// Every kind of problem beside a secret: none shows it, in words or in JSON.
TEST(SecretMaskTest, NoProblemShowsASecret) {
  const std::string s = kSecret;
  const std::vector<std::string> configs = {
      "kafka: {sasl.password: " + s + ", sesion.timeout.ms: 5}",
      "kafka: {sasl.pasword: " + s + "}",
      "kafka: {sasl.jaas.config: 'x required password=\"" + s + "\";'}",
      "kafka: {sasl.password: [" + s + "]}",
      "kafka: {sasl.password: " + s + ", sasl.password: " + s + "}",
      "kafka: {sasl.password: \"${env:" + s + "}\"}",
      "kafka: {sasl.password: " + s + "\nthreads: 2",
      "kafka:\n  sasl.password: \"" + s + "\nthreads: 2",
      "kafka:\n  ssl.key.pem: |\n    -----BEGIN PRIVATE KEY-----\n    " + s + "\n\tx: {",
      "privacy: {pseudonym_key: " + s + ", typo: 1}",
      "privacy: {pseudonym_key: {" + s + ": 1}}",
  };
  for (const std::string& config : configs) {
    const ConfigReport report = CheckConfigText(config, "t.yaml");
    EXPECT_FALSE(report.ok());
    EXPECT_THAT(PrintProblems(report), Not(HasSubstr(s))) << config;
    EXPECT_THAT(PrintProblemsJson(report), Not(HasSubstr(s))) << config;
  }
  const Result<ConfigOverride> flag = ParseSetFlag("kafka.sasl.password=" + s);
  ASSERT_TRUE(flag.ok());
  EXPECT_EQ(flag->origin, "flag --set kafka.sasl.password=********");
  EXPECT_EQ(ParseSetFlag("threads=2")->origin, "flag --set threads=2");
}

TEST(SecretMaskTest, AnOpenQuoteThatTakesALaterSecretInShowsNone) {
  const std::string rest = "kafka:\n  sasl.password: Xq7vPz0Lk3\n  x";
  for (const std::string& text : {"inputs:\n  'clicks: [views]\n  " + rest + "'\n", "threads: 'two\n  " + rest + "'\n",
                                  "threads: \"two\n  " + rest + "\"\n"}) {
    SCOPED_TRACE(text);
    const ConfigReport report = CheckConfigText(text, "t.yaml", {});
    EXPECT_FALSE(report.ok());
    const std::string words = PrintProblems(report) + PrintProblemsJson(report);
    EXPECT_THAT(words, ::testing::Not(::testing::HasSubstr("not YAML")));
    EXPECT_THAT(words, ::testing::Not(::testing::HasSubstr("Xq7vPz0Lk3")));
  }
}

}  // namespace
}  // namespace tidecast
