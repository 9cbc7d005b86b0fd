#include "engine/io/kafka_config.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

namespace tidecast {
namespace {

using Setting = std::pair<std::string_view, std::string_view>;

// What exactly-once stands on (engine/io/README.md says why); a user's value would break it in silence.
constexpr std::array<std::string_view, 15> kOurs = {"enable.auto.commit",
                                                    "auto.commit.enable",
                                                    "enable.auto.offset.store",
                                                    "isolation.level",
                                                    "enable.partition.eof",
                                                    "group.id",
                                                    "group.instance.id",
                                                    "transactional.id",
                                                    "enable.idempotence",
                                                    "auto.offset.reset",
                                                    "acks",
                                                    "request.required.acks",
                                                    "partition.assignment.strategy",
                                                    "partitioner",
                                                    "enable.gapless.guarantee"};

constexpr std::array<Setting, 14> kJavaNames = {{
    {"sasl.jaas.config", "sasl.username and sasl.password"},
    {"ssl.truststore.location", "ssl.ca.location (PEM)"},
    {"ssl.truststore.password", "nothing: ssl.ca.location is PEM"},
    {"ssl.keystore.type", "ssl.certificate.location and ssl.key.location (PEM)"},
    {"buffer.memory", "queue.buffering.max.kbytes"},
    {"max.block.ms", "nothing: a full queue is backpressure"},
    {"max.request.size", "message.max.bytes"},
    {"max.poll.records", "nothing: batches are bounded in bytes"},
    {"request.timeout.ms", "socket.timeout.ms"},
    {"key.serializer", "nothing: records are bytes"},
    {"value.serializer", "nothing: records are bytes"},
    {"key.deserializer", "nothing: records are bytes"},
    {"value.deserializer", "nothing: records are bytes"},
    {"interceptor.classes", "nothing: there are none"},
}};

bool IsSecret(const std::string& name) {
  return name.find("password") != std::string::npos || name.find("secret") != std::string::npos ||
         name.find("key") != std::string::npos || name.find("sasl") != std::string::npos;
}

Status SetProperty(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  const auto* java =
      std::find_if(kJavaNames.begin(), kJavaNames.end(), [&](const Setting& s) { return s.first == name; });
  if (java != kJavaNames.end()) {
    return Status(Code::kConfig, fmt::format("this property is the Java client's: kafka.{}", name), Domain::kInput)
        .WithRemedy(fmt::format("librdkafka has its own names; write here: {}", java->second));
  }
  std::array<char, 512> why{};
  switch (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size())) {
    case RD_KAFKA_CONF_OK:
      return Status::Ok();
    case RD_KAFKA_CONF_UNKNOWN:
      return Status(Code::kConfig, fmt::format("librdkafka knows no such property: kafka.{}", name), Domain::kInput)
          .WithRemedy("use librdkafka's own names (its CONFIGURATION.md lists them)");
    case RD_KAFKA_CONF_INVALID:
      break;
  }
  // librdkafka's reason may repeat the value.
  if (IsSecret(name))
    return Status(Code::kConfig, fmt::format("librdkafka refuses the value of kafka.{}", name), Domain::kInput);
  return Status(Code::kConfig,
                fmt::format("librdkafka refuses the value of kafka.{}: {} ({})", name, value, why.data()),
                Domain::kInput);
}

Status SetAll(rd_kafka_conf_t* conf, std::initializer_list<std::pair<const char*, std::string>> settings) {
  for (const auto& [name, value] : settings) TC_RETURN_IF_ERROR(SetProperty(conf, name, value));
  return Status::Ok();
}

// librdkafka has one fetch under way at a broker, and asks for partitions that have room. While the queues of all others are
// full it waits at those that have ended, and the others run dry: with 100 ms, partitions that end at different times were
// read at a seventh of the speed. With 10 an idle engine is twice the work to its broker.
constexpr const char* kFetchWaitMs = "20";

// What one response brings of a partition, compressed. librdkafka fetches it whole once there is room for any of it,
// and what it unpacks is about four times as much, small records several times that again. Less than a batch makes it
// serve one partition at a time; where there are many, batches are small and what waits in all of them counts.
// librdkafka takes up to 1 MB a compressed batch to unpack it, however small: a response of many small ones (a
// changelog read back) would take a hundred times its size.
size_t FetchMessageBytes(const KafkaTransportOptions& options, KafkaRole role) {
  constexpr size_t kLeast = 32ULL << 10;
  constexpr size_t kReaders = 256ULL << 10;
  constexpr size_t kMost = 1ULL << 20;
  const size_t partitions = options.fetch_bytes_total / std::max<size_t>(1, options.fetch_queue_bytes_max);
  const size_t pieces = std::clamp<size_t>(partitions / 8, 2, 8);
  return role == KafkaRole::kReader ? kReaders : std::clamp(options.fetch_queue_bytes_max / pieces, kLeast, kMost);
}

Status SetDefaults(rd_kafka_conf_t* conf, const KafkaTransportOptions& options, KafkaRole role) {
  TC_RETURN_IF_ERROR(SetAll(
      conf, {{"client.id", options.name_space + "." + options.instance},
             {"reconnect.backoff.ms", "50"},
             {"reconnect.backoff.max.ms", "1000"},
             {"topic.metadata.refresh.fast.interval.ms", "100"},
             {"statistics.interval.ms", role == KafkaRole::kMember || role == KafkaRole::kProducer ? "5000" : "0"},
             {"socket.keepalive.enable", "true"}}));
  if (role == KafkaRole::kEventProducer) {
    return SetAll(conf, {{"retry.backoff.ms", "10"},
                         {"linger.ms", "2"},
                         {"compression.type", "lz4"},
                         {"queue.buffering.max.kbytes", "262144"},
                         {"queue.buffering.max.messages", "2000000"}});
  }
  if (role == KafkaRole::kProducer) {
    return SetAll(
        conf, {{"retry.backoff.ms", "10"},
               {"transaction.timeout.ms", "15000"},
               {"linger.ms", "5"},
               {"compression.type", "lz4"},
               {"queue.buffering.max.kbytes", std::to_string(std::max<size_t>(1, options.send_queue_bytes_max >> 10))},
               {"queue.buffering.max.messages", std::to_string(options.send_queue_records_max)}});
  }
  // rd_kafka_query_watermark_offsets waits until its request is given up, whatever time it was given (2.0.2).
  if (role == KafkaRole::kObserver) TC_RETURN_IF_ERROR(SetAll(conf, {{"socket.timeout.ms", "3000"}}));
  return SetAll(
      conf, {{"check.crcs", "true"},
             {"session.timeout.ms", "45000"},
             {"heartbeat.interval.ms", "1000"},
             {"fetch.wait.max.ms", kFetchWaitMs},
             {"queued.max.messages.kbytes", std::to_string(std::max<size_t>(1, options.fetch_queue_bytes_max >> 10))},
             {"fetch.max.bytes", std::to_string(std::clamp<size_t>(options.fetch_bytes_total, 1 << 20, 50 << 20))},
             {"fetch.message.max.bytes", std::to_string(FetchMessageBytes(options, role))},
             {"queued.min.messages", std::to_string(std::clamp<size_t>(
                                         options.fetch_queue_bytes_max / kQueuedRecordLeast, 1000, 1'000'000))}});
}

Status SetFixed(rd_kafka_conf_t* conf, const KafkaTransportOptions& options, KafkaRole role, bool read_committed) {
  if (role == KafkaRole::kProducer) {
    return SetAll(conf, {{"transactional.id", KafkaTransactionalId(options)}, {"partitioner", "murmur2_random"}});
  }
  if (role == KafkaRole::kEventProducer) {
    return SetAll(conf, {{"enable.idempotence", "true"}, {"acks", "all"}, {"partitioner", "murmur2_random"}});
  }
  TC_RETURN_IF_ERROR(SetAll(
      conf,
      {{"enable.auto.commit", "false"},
       {"enable.auto.offset.store", "false"},
       {"enable.partition.eof", "true"},
       {"auto.offset.reset", "error"},
       {"isolation.level", read_committed && role != KafkaRole::kObserver ? "read_committed" : "read_uncommitted"}}));
  if (role != KafkaRole::kMember) return Status::Ok();
  return SetAll(conf, {{"group.id", KafkaGroup(options)},
                       {"group.instance.id", options.instance},
                       {"partition.assignment.strategy", "range"}});
}

// librdkafka names neither file nor cause.
Status CheckFiles(const KafkaTransportOptions& options) {
  for (const char* name : {"ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location",
                           "ssl.crl.location"}) {
    const auto found = options.properties.find(name);
    if (found == options.properties.end() || found->second.empty() || found->second == "probe") continue;
    if (access(found->second.c_str(), R_OK) == 0) continue;
    const int error = errno;
    return Status(Code::kConfig,
                  fmt::format("the file of kafka.{} cannot be read: {} ({})", name, found->second,
                              std::generic_category().message(error)),
                  Domain::kInput)
        .WithRemedy("correct the path, and let the user that runs tidecast read the file (PEM)");
  }
  return Status::Ok();
}

KafkaCallbacks* CallbacksOf(const rd_kafka_t* client) { return static_cast<KafkaCallbacks*>(rd_kafka_opaque(client)); }

void OnLog(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  const KafkaCallbacks& callbacks = *CallbacksOf(client);
  KafkaLog& log = *callbacks.log;
  const std::string_view kind = facility;
  if (kind == "GETPID" && callbacks.signs) callbacks.signs->pids_refused.fetch_add(1);
  if (kind == "FAIL" || kind == "ERROR") log.RememberTrouble(text);
  // The user's properties go to consumers and producers alike: that some belong to one kind only is no news.
  const KafkaLogLevel words = kind == "CONFWARN" ? KafkaLogLevel::kDebug
                              : level <= 3       ? KafkaLogLevel::kError
                              : level == 4       ? KafkaLogLevel::kWarning
                              : level <= 6       ? KafkaLogLevel::kInfo
                                                 : KafkaLogLevel::kDebug;
  log.Write(words, facility, text);
}

void OnError(rd_kafka_t*, int error, const char* reason, void* opaque) {
  const auto* callbacks = static_cast<KafkaCallbacks*>(opaque);
  const auto code = static_cast<rd_kafka_resp_err_t>(error);
  if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) callbacks->log->RememberTrouble(reason);
  if (callbacks->on_error) callbacks->on_error(code, reason);
}

int OnStatistics(rd_kafka_t*, char* json, size_t size, void* opaque) {
  const auto* callbacks = static_cast<KafkaCallbacks*>(opaque);
  if (const auto bytes = ReadQueueBytes({json, size}, callbacks->role)) {
    callbacks->queue_bytes->Set(static_cast<double>(*bytes));
  }
  return 0;  // librdkafka frees the text
}

// As librdkafka's own, and counted.
int OnSocket(int domain, int type, int protocol, void* opaque) {
  static_cast<KafkaCallbacks*>(opaque)->signs->connections.fetch_add(1);
  return socket(domain, type | SOCK_CLOEXEC, protocol);
}

void OnRebalance(rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  static_cast<KafkaCallbacks*>(opaque)->on_rebalance(error, partitions);
}

}  // namespace

std::string KafkaGroup(const KafkaTransportOptions& options) {
  return options.group.empty() ? "tidecast." + options.name_space : options.group;
}

std::string KafkaTransactionalId(const KafkaTransportOptions& options) {
  return options.name_space + "." + options.instance;
}

std::string KafkaBrokers(const KafkaTransportOptions& options) {
  for (const char* name : {"bootstrap.servers", "metadata.broker.list"}) {
    if (const auto found = options.properties.find(name); found != options.properties.end()) return found->second;
  }
  return {};
}

Status CheckKafkaOptions(const KafkaTransportOptions& options) {
  if (KafkaBrokers(options).empty()) {
    return Status(Code::kConfig, "no Kafka brokers are named", Domain::kInput)
        .WithRemedy("write kafka.bootstrap.servers: host:port[,host:port]");
  }
  if (options.name_space.empty() || options.instance.empty()) {
    return Status(Code::kConfig, "a Kafka client needs a namespace and an instance id", Domain::kInput)
        .WithRemedy("give each process of a namespace its own instance id");
  }
  for (const auto& [name, value] : options.properties) {
    if (std::find(kOurs.begin(), kOurs.end(), name) != kOurs.end()) {
      return Status(Code::kConfig,
                    fmt::format("this property is set by Tidecast, because exactly-once stands on it: kafka.{}", name),
                    Domain::kInput)
          .WithRemedy("remove it");
    }
  }
  TC_RETURN_IF_ERROR(CheckFiles(options));
  for (const KafkaRole role : {KafkaRole::kMember, KafkaRole::kProducer}) {
    TC_RETURN_IF_ERROR(MakeKafkaConf(options, role).status());
  }
  return Status::Ok();
}

Result<KafkaConf> MakeKafkaConf(const KafkaTransportOptions& options, KafkaRole role, bool read_committed) {
  KafkaConf conf(rd_kafka_conf_new());
  TC_RETURN_IF_ERROR(SetDefaults(conf.get(), options, role));
  for (const auto& [name, value] : options.properties) TC_RETURN_IF_ERROR(SetProperty(conf.get(), name, value));
  TC_RETURN_IF_ERROR(SetFixed(conf.get(), options, role, read_committed));
  return conf;
}

std::optional<size_t> ReadQueueBytes(std::string_view statistics, KafkaRole role) {
  using Json = nlohmann::json;
  const Json root = Json::parse(statistics, nullptr, false);
  if (!root.is_object()) return std::nullopt;
  if (role == KafkaRole::kProducer) return root.value("msg_size", size_t{0});
  size_t fetched = 0;
  const Json topics = root.value("topics", Json::object());
  for (const Json& topic : topics) {
    const Json partitions = topic.value("partitions", Json::object());
    for (const Json& partition : partitions) fetched += partition.value("fetchq_size", size_t{0});
  }
  return fetched;
}

size_t FetchQueueBytes(const KafkaTransportOptions& options, int64_t partitions) {
  constexpr size_t kLeast = 64ULL << 10;  // less makes the fetching stutter
  const size_t share = options.fetch_bytes_total / static_cast<size_t>(std::max<int64_t>(1, partitions));
  return std::clamp(share, kLeast, std::max(kLeast, options.fetch_queue_bytes_max));
}

Result<KafkaClient> MakeKafkaClient(KafkaConf conf, KafkaRole role, KafkaCallbacks callbacks) {
  auto owned = std::make_unique<KafkaCallbacks>(std::move(callbacks));
  rd_kafka_conf_set_opaque(conf.get(), owned.get());
  rd_kafka_conf_set_log_cb(conf.get(), OnLog);
  rd_kafka_conf_set_error_cb(conf.get(), OnError);
  if (role == KafkaRole::kMember) rd_kafka_conf_set_rebalance_cb(conf.get(), OnRebalance);
  if (owned->signs) rd_kafka_conf_set_socket_cb(conf.get(), OnSocket);
  owned->role = role;
  if (owned->queue_bytes != nullptr) rd_kafka_conf_set_stats_cb(conf.get(), OnStatistics);
  std::array<char, 512> why{};
  const rd_kafka_type_t type =
      role == KafkaRole::kProducer || role == KafkaRole::kEventProducer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
  rd_kafka_t* client = rd_kafka_new(type, conf.get(), why.data(), why.size());
  if (client == nullptr) {
    return Status(Code::kConfig, fmt::format("librdkafka refuses the configuration: {}", why.data()), Domain::kInput)
        .WithRemedy("correct what is named under `kafka`; certificates and keys are PEM files");
  }
  [[maybe_unused]] rd_kafka_conf_t* const taken_over = conf.release();
  // Ended without librdkafka's close of the consumer, which can hang on lost partitions: a static member tells the
  // group nothing when it goes, so that nothing is missed.
  return KafkaClient(client, [kept = std::shared_ptr<KafkaCallbacks>(std::move(owned))](rd_kafka_t* ended) {
    rd_kafka_destroy_flags(ended, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  });
}

}  // namespace tidecast
