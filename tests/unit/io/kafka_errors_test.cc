#include "engine/io/kafka_errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/kafka_log.h"

namespace tidecast {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

KafkaTransportOptions Secured() {
  KafkaTransportOptions options;
  options.properties = {{"bootstrap.servers", "shop:9093"},
                        {"security.protocol", "SASL_SSL"},
                        {"sasl.mechanism", "PLAIN"},
                        {"sasl.username", "tide"},
                        {"sasl.password", "hunter2hunter2"}};
  return options;
}

struct Trouble {
  const char* words;  // as librdkafka 2.0.2 says them
  Code code;
  const char* said;
  const char* tried;
};

TEST(KafkaErrorsTest, EachTroubleOfAConnectionHasItsWordsAndRemedy) {
  const std::vector<Trouble> troubles = {
      {"", Code::kUnavailable, "cannot be reached: shop:9093", "kafka.bootstrap.servers"},
      {"Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)", Code::kUnavailable,
       "Connection refused)", "kafka.bootstrap.servers"},
      {"SASL authentication error: Authentication failed: Invalid username or password (after 301ms in state AUTH_REQ)",
       Code::kPermission, "refuse user \"tide\": shop:9093", "kafka.sasl.password"},
      {"SASL SCRAM-SHA-256 mechanism handshake failed: Broker: Unsupported SASL mechanism", Code::kPermission,
       "kafka.sasl.mechanism", "kafka.sasl.mechanism"},
      {"error:0A000086:SSL routines::certificate verify failed", Code::kUnavailable, "certificate is not trusted",
       "kafka.ssl.ca.location"},
      {"Disconnected: verify that security.protocol is correctly configured", Code::kUnavailable, "another protocol",
       "it is SASL_SSL now"},
  };
  for (const Trouble& trouble : troubles) {
    const Status status = UnreachableStatus(Secured(), trouble.words);
    EXPECT_EQ(status.code(), trouble.code) << trouble.words;
    EXPECT_THAT(status.message(), HasSubstr(trouble.said));
    EXPECT_THAT(status.message(), HasSubstr("shop:9093"));
    EXPECT_THAT(status.message(), Not(HasSubstr("(after")));
    EXPECT_THAT(status.remedy(), HasSubstr(trouble.tried));
    EXPECT_THAT(status.message() + status.remedy(), Not(HasSubstr("hunter2")));
  }
}

TEST(KafkaErrorsTest, TheMostTellingTroubleIsKeptUntilABrokerLetsUsIn) {
  KafkaLog log({});
  log.RememberTrouble("SASL authentication error: no");
  log.RememberTrouble("Disconnected");
  EXPECT_EQ(log.last_trouble(), "SASL authentication error: no");
  log.ForgetTrouble();
  log.RememberTrouble("Disconnected");
  EXPECT_EQ(log.last_trouble(), "Disconnected");
}

TEST(KafkaErrorsTest, ABrokerThatGoesAfterItLetUsInDoesNotSpeakAnotherProtocol) {
  const std::string half_started =
      "Disconnected while requesting ApiVersion: might be caused by incorrect "
      "security.protocol configuration";
  KafkaLog log({});
  log.RememberTrouble(half_started);
  EXPECT_EQ(log.last_trouble(), half_started);
  log.ForgetTrouble();
  log.RememberTrouble(half_started);
  EXPECT_EQ(log.last_trouble(), "");
}

}  // namespace
}  // namespace tidecast
