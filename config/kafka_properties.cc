#include "config/kafka_properties.h"

#include <algorithm>
#include <array>

#include "engine/io/nearest_name.h"

namespace tidecast {
namespace {

struct NameAndAdvice {
  std::string_view name;
  std::string_view advice;
};

constexpr std::array kJavaOnly = {
    NameAndAdvice{"key.deserializer", "leave it out: keys are read as text"},
    NameAndAdvice{"value.deserializer", "leave it out: values are read as JSON"},
    NameAndAdvice{"key.serializer", "leave it out: keys are written as text"},
    NameAndAdvice{"value.serializer", "leave it out: values are written as JSON"},
    NameAndAdvice{"session.timeout", "write session.timeout.ms"},
    NameAndAdvice{"bootstrap.server", "write bootstrap.servers"},
    NameAndAdvice{"brokers", "write bootstrap.servers"},
    NameAndAdvice{"max.poll.records", "leave it out: Tidecast bounds its batches in bytes"},
    NameAndAdvice{"fetch.max.wait.ms", "write fetch.wait.max.ms"},
    NameAndAdvice{"max.partition.fetch.bytes.max", "write max.partition.fetch.bytes"},
    NameAndAdvice{"buffer.memory", "write queue.buffering.max.kbytes"},
    NameAndAdvice{"max.block.ms", "leave it out: a full queue makes Tidecast wait without blocking"},
    NameAndAdvice{"default.api.timeout.ms", "write socket.timeout.ms"},
    NameAndAdvice{"connections.max.idle.ms.config", "write connections.max.idle.ms"},
    NameAndAdvice{"receive.buffer.bytes", "write socket.receive.buffer.bytes"},
    NameAndAdvice{"send.buffer.bytes", "write socket.send.buffer.bytes"},
    NameAndAdvice{"metadata.max.age", "write metadata.max.age.ms"},
    NameAndAdvice{"ssl.truststore.location", "write ssl.ca.location (a PEM file)"},
    NameAndAdvice{"ssl.truststore.password", "leave it out; ssl.ca.location takes a PEM file"},
    NameAndAdvice{"ssl.truststore.type", "leave it out; ssl.ca.location takes a PEM file"},
    NameAndAdvice{"ssl.keystore.type", "leave it out; use ssl.certificate.location and ssl.key.location (PEM), or a PKCS#12 file"},
    NameAndAdvice{"sasl.jaas.config", "write sasl.username and sasl.password"},
    NameAndAdvice{"sasl.login.callback.handler.class", "write sasl.oauthbearer.method and its settings"},
    NameAndAdvice{"interceptor.classes", "leave it out"},
    NameAndAdvice{"metric.reporters", "leave it out; metrics are at /metrics"},
};

constexpr std::array kKept = {
    NameAndAdvice{"enable.auto.commit", "positions are committed with the results, in one transaction"},
    NameAndAdvice{"enable.auto.offset.store", "positions are committed with the results, in one transaction"},
    NameAndAdvice{"auto.offset.reset", "the first start is at the beginning, later ones at the committed position"},
    NameAndAdvice{"isolation.level", "only committed records are read"},
    NameAndAdvice{"group.id", "it is the namespace"},
    NameAndAdvice{"group.instance.id", "it is `instance`"},
    NameAndAdvice{"transactional.id", "it is <namespace>.<instance>"},
    NameAndAdvice{"enable.idempotence", "transactions need it"},
    NameAndAdvice{"enable.partition.eof", "idle partitions are told by it"},
    NameAndAdvice{"partition.assignment.strategy", "inputs are co-partitioned by `range`"},
    NameAndAdvice{"partitioner", "one SKU's orders and clicks must meet: murmur2"},
    NameAndAdvice{"acks", "transactions need all"},
    NameAndAdvice{"request.required.acks", "transactions need all"},
};

const std::vector<std::string>& UsualNames() {
  static const std::vector<std::string> names = {
      "bootstrap.servers", "metadata.broker.list", "client.id", "client.rack", "security.protocol", "sasl.mechanism", "sasl.mechanisms",
      "sasl.username", "sasl.password", "sasl.oauthbearer.config", "sasl.oauthbearer.method", "sasl.oauthbearer.client.id",
      "sasl.oauthbearer.client.secret", "sasl.oauthbearer.token.endpoint.url", "sasl.kerberos.service.name", "sasl.kerberos.principal",
      "sasl.kerberos.keytab", "ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.key.password", "ssl.keystore.location",
      "ssl.keystore.password", "ssl.endpoint.identification.algorithm", "enable.ssl.certificate.verification", "session.timeout.ms",
      "heartbeat.interval.ms", "max.poll.interval.ms", "fetch.min.bytes", "fetch.wait.max.ms", "fetch.max.bytes", "fetch.message.max.bytes",
      "max.partition.fetch.bytes", "message.max.bytes", "receive.message.max.bytes", "queued.min.messages", "queued.max.messages.kbytes",
      "queue.buffering.max.messages", "queue.buffering.max.kbytes", "queue.buffering.max.ms", "linger.ms", "batch.size", "batch.num.messages",
      "compression.type", "compression.codec", "compression.level", "retry.backoff.ms", "retries", "message.send.max.retries",
      "delivery.timeout.ms", "message.timeout.ms", "request.timeout.ms", "transaction.timeout.ms", "socket.timeout.ms",
      "socket.keepalive.enable", "socket.receive.buffer.bytes", "socket.send.buffer.bytes", "socket.nagle.disable",
      "socket.connection.setup.timeout.ms", "connections.max.idle.ms", "reconnect.backoff.ms", "reconnect.backoff.max.ms",
      "metadata.max.age.ms", "topic.metadata.refresh.interval.ms", "broker.address.family", "broker.address.ttl", "statistics.interval.ms",
      "debug", "log_level", "check.crcs", "api.version.request", "max.in.flight.requests.per.connection", "allow.auto.create.topics"};
  return names;
}

template <size_t kSize>
const NameAndAdvice* FindRow(const std::array<NameAndAdvice, kSize>& rows, std::string_view name) {
  const auto row = std::find_if(rows.begin(), rows.end(), [name](const NameAndAdvice& candidate) { return candidate.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

}  // namespace

void CheckKafkaProperties(const ConfigNode& kafka, std::vector<ConfigProblem>* problems) {
  const std::vector<std::string>& usual = UsualNames();
  for (const ConfigEntry& entry : kafka.entries) {
    if (entry.value.kind != ConfigNode::Kind::kScalar) continue;  // the table's check has named it
    if (const NameAndAdvice* row = FindRow(kJavaOnly, entry.key)) {
      problems->push_back({"TC0113", fmt::format("\"{}\" is not a setting of librdkafka", entry.key), entry.place, {},
                           "it belongs to the Java client, or is spelled otherwise there; Tidecast uses librdkafka", std::string(row->advice)});
    } else if (const NameAndAdvice* kept = FindRow(kKept, entry.key)) {
      problems->push_back({"TC0114", fmt::format("\"{}\" is kept by Tidecast itself", entry.key), entry.place, {}, std::string(kept->advice), "leave it out"});
    } else if (std::find(usual.begin(), usual.end(), entry.key) == usual.end()) {
      size_t best = 3;
      std::string_view nearest;
      for (const std::string& name : usual) {
        const size_t distance = EditDistance(entry.key, name);
        if (distance < best) {
          best = distance;
          nearest = name;
        }
      }
      if (nearest.empty()) continue;
      problems->push_back({"TC0103", fmt::format("unknown key \"{}\" in kafka", entry.key), entry.place, {}, "librdkafka has no setting of this name",
                           fmt::format("did you mean \"{}\"?", nearest)});
    }
  }
}

bool IsKafkaSecret(std::string_view name) {
  for (const std::string_view part : {"pass", "secret", ".pem", "jaas", "token", "sasl.oauthbearer.config"}) {
    if (name.find(part) != std::string_view::npos) return name != "sasl.oauthbearer.token.endpoint.url";
  }
  return false;
}

}  // namespace tidecast
