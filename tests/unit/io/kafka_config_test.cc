#include "engine/io/kafka_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidecast {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

KafkaTransportOptions OptionsWith(const std::map<std::string, std::string>& properties) {
  KafkaTransportOptions options;
  options.properties = properties;
  options.properties.emplace("bootstrap.servers", "127.0.0.1:9092");
  options.name_space = "shop";
  options.instance = "i1";
  return options;
}

std::string ValueOf(const KafkaConf& conf, const char* name) {
  std::string value(512, '\0');
  size_t size = value.size();
  if (rd_kafka_conf_get(conf.get(), name, value.data(), &size) != RD_KAFKA_CONF_OK) return "<none>";
  value.resize(size - 1);
  return value;
}

TEST(KafkaConfigTest, NeedsBrokers) {
  KafkaTransportOptions options = OptionsWith({});
  options.properties.clear();
  const Status refused = CheckKafkaOptions(options);
  EXPECT_EQ(refused.code(), Code::kConfig);
  EXPECT_THAT(refused.remedy(), HasSubstr("bootstrap.servers"));
}

TEST(KafkaConfigTest, RefusesWhatExactlyOnceStandsOn) {
  for (const char* name : {"enable.auto.commit", "isolation.level", "transactional.id", "group.instance.id",
                           "auto.offset.reset", "partition.assignment.strategy", "acks"}) {
    const Status refused = CheckKafkaOptions(OptionsWith({{name, "x"}}));
    EXPECT_EQ(refused.code(), Code::kConfig) << name;
    EXPECT_THAT(refused.message(), HasSubstr(name));
  }
}

TEST(KafkaConfigTest, NamesAnUnknownPropertyAndTranslatesTheJavaClientsOnes) {
  EXPECT_THAT(CheckKafkaOptions(OptionsWith({{"lingerr.ms", "5"}})).message(), HasSubstr("kafka.lingerr.ms"));
  const Status java = CheckKafkaOptions(OptionsWith({{"sasl.jaas.config", "x"}}));
  EXPECT_EQ(java.code(), Code::kConfig);
  EXPECT_THAT(java.remedy(), HasSubstr("sasl.username"));
}

TEST(KafkaConfigTest, NamesARefusedValueButNeverASecretOne) {
  EXPECT_THAT(CheckKafkaOptions(OptionsWith({{"linger.ms", "soon"}})).message(), HasSubstr("soon"));
  const Status secret = CheckKafkaOptions(OptionsWith({{"ssl.key.pem", "hunter2"}}));
  EXPECT_THAT(secret.message(), Not(HasSubstr("hunter2")));
}

TEST(KafkaConfigTest, LetsTheUserOverrideADefault) {
  const auto conf = MakeKafkaConf(OptionsWith({{"linger.ms", "20"}}), KafkaRole::kProducer);
  ASSERT_TRUE(conf.ok());
  EXPECT_EQ(ValueOf(*conf, "linger.ms"), "20");
}

TEST(KafkaConfigTest, GivesTheClientsTheirIdentity) {
  const auto producer = MakeKafkaConf(OptionsWith({}), KafkaRole::kProducer);
  ASSERT_TRUE(producer.ok());
  EXPECT_EQ(ValueOf(*producer, "transactional.id"), "shop.i1");
  EXPECT_EQ(ValueOf(*producer, "retry.backoff.ms"), "10");
  const auto member = MakeKafkaConf(OptionsWith({}), KafkaRole::kMember);
  ASSERT_TRUE(member.ok());
  EXPECT_EQ(ValueOf(*member, "group.id"), "tidecast.shop");
  EXPECT_EQ(ValueOf(*member, "group.instance.id"), "i1");
  EXPECT_EQ(ValueOf(*member, "isolation.level"), "read_committed");
  EXPECT_EQ(ValueOf(*member, "partition.assignment.strategy"), "range");
}

TEST(KafkaConfigTest, ReadAheadOfAllPartitionsStaysWithinItsShare) {
  KafkaTransportOptions options = OptionsWith({});
  options.fetch_bytes_total = 64 << 20;
  EXPECT_EQ(FetchQueueBytes(options, 4), options.fetch_queue_bytes_max);
  EXPECT_EQ(FetchQueueBytes(options, 200), (64U << 20) / 200);
  EXPECT_EQ(FetchQueueBytes(options, 100'000), 64U << 10);
  options.fetch_queue_bytes_max = FetchQueueBytes(options, 200);
  const Result<KafkaConf> conf = MakeKafkaConf(options, KafkaRole::kMember);
  ASSERT_TRUE(conf.ok());
  EXPECT_EQ(ValueOf(*conf, "queued.max.messages.kbytes"), std::to_string((64U << 20) / 200 >> 10));
  EXPECT_EQ(ValueOf(*conf, "fetch.max.bytes"), std::to_string(50U << 20));
  EXPECT_EQ(ValueOf(*conf, "fetch.message.max.bytes"), std::to_string((64U << 20) / 200 / 8)) << "it comes as a whole";
  KafkaTransportOptions few = OptionsWith({});
  few.fetch_bytes_total = 16 << 20;
  few.fetch_queue_bytes_max = FetchQueueBytes(few, 16);
  EXPECT_EQ(ValueOf(*MakeKafkaConf(few, KafkaRole::kMember), "fetch.message.max.bytes"), std::to_string(512U << 10));
  EXPECT_EQ(ValueOf(*conf, "queued.min.messages"), std::to_string((64U << 20) / 200 / 256))
      << "small ones take more than their bytes";
}

TEST(KafkaConfigTest, StatisticsTellTheBytesInTheQueues) {
  EXPECT_EQ(ReadQueueBytes(R"({"msg_size":123,"topics":{}})", KafkaRole::kProducer), 123U);
  EXPECT_EQ(ReadQueueBytes(R"({"topics":{"a":{"partitions":{"0":{"fetchq_size":10},"-1":{"fetchq_size":0}}},)"
                           R"("b":{"partitions":{"0":{"fetchq_size":5}}}}})",
                           KafkaRole::kMember),
            15U);
  EXPECT_EQ(ReadQueueBytes("not json", KafkaRole::kMember), std::nullopt);
}

}  // namespace
}  // namespace tidecast
