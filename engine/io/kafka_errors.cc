#include "engine/io/kafka_errors.h"

#include <initializer_list>

#include "engine/io/kafka_config.h"

namespace tidecast {
namespace {

bool IsFence(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
         code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

// No answer came, which says nothing about what the broker did.
bool IsSilence(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
         code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT || code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE;
}

Code CodeOf(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
      return Code::kWouldBlock;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
      return Code::kTimeout;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    // Of a broker that starts, or of a partition or coordinator that moves: they pass.
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
      return Code::kUnavailable;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return Code::kNotFound;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      return Code::kPermission;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return Code::kInvalidArgument;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      return Code::kCorruption;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      return Code::kFenced;
    case RD_KAFKA_RESP_ERR__STATE:
      return Code::kAborted;
    case RD_KAFKA_RESP_ERR__FATAL:
      return Code::kFatal;
    default:
      return Code::kIo;
  }
}

Status WithRemedyOf(Code code, Status status) {
  if (code != Code::kPermission) return status;
  return std::move(status).WithRemedy(
      "let kafka.sasl.username do this by an ACL of the brokers: topics <namespace>.*, group tidecast.<namespace>, "
      "transactional ids <namespace>.*");
}

std::string PropertyOf(const KafkaTransportOptions& options, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const auto found = options.properties.find(name); found != options.properties.end()) return found->second;
  }
  return {};
}

std::string ProtocolOf(const KafkaTransportOptions& options) {
  const std::string set = PropertyOf(options, {"security.protocol"});
  return set.empty() ? "PLAINTEXT" : set;
}

std::string IdentityRemedy(const std::string& mechanism) {
  constexpr int kScramMended = 0x020601ff;  // 2.6.1; before, the client's final message breaks RFC 5802
  std::string remedy = "check kafka.sasl.username, kafka.sasl.password and kafka.sasl.mechanism";
  if (mechanism.starts_with("SCRAM") && rd_kafka_version() < kScramMended) {
    remedy += fmt::format("; librdkafka {} cannot do SCRAM with Kafka 4: take 2.6.1 or newer, or PLAIN over TLS",
                          rd_kafka_version_str());
  }
  return remedy;
}

Retry RetryOf(Code code) {
  return code == Code::kWouldBlock || code == Code::kTimeout || code == Code::kUnavailable ? Retry::kBackoff
                                                                                           : Retry::kNever;
}

}  // namespace

TransactionVerdict JudgeTransactionError(const rd_kafka_error_t& error, TransactionStep step) {
  const rd_kafka_resp_err_t code = rd_kafka_error_code(&error);
  if (rd_kafka_error_is_fatal(&error)) {
    // After a fatal answer to a commit nobody knows whether an earlier try of it went through: the tail tells.
    return {.is_fence = IsFence(code),
            .outcome = step == TransactionStep::kCommit ? Outcome::kUnknown : Outcome::kFatal};
  }
  if (rd_kafka_error_txn_requires_abort(&error)) {
    if (step == TransactionStep::kAbort) return {.again = true, .outcome = Outcome::kFatal};
    const bool unknown = step == TransactionStep::kCommit && IsSilence(code);
    return {.outcome = unknown ? Outcome::kUnknown : Outcome::kAbortable};
  }
  if (rd_kafka_error_is_retriable(&error)) return {.again = true, .outcome = Outcome::kUnknown};
  switch (step) {
    case TransactionStep::kCommit:
      return {.outcome = Outcome::kUnknown};
    case TransactionStep::kProduce:
    case TransactionStep::kSendOffsets:
      return {.outcome = Outcome::kAbortable};
    default:
      return {.outcome = Outcome::kFatal};
  }
}

Status KafkaStatus(rd_kafka_resp_err_t error, std::string_view what) {
  const Code code = CodeOf(error);
  return WithRemedyOf(
      code, Status(code, fmt::format("{}: {}", what, rd_kafka_err2str(error)), Domain::kExternal, RetryOf(code)));
}

Status KafkaStatus(const rd_kafka_error_t& error, std::string_view what) {
  Code code = CodeOf(rd_kafka_error_code(&error));
  if (rd_kafka_error_txn_requires_abort(&error)) code = Code::kAborted;
  const bool keeps_its_name = code == Code::kFenced || code == Code::kPermission;
  if (rd_kafka_error_is_fatal(&error) && !keeps_its_name) code = Code::kFatal;
  return WithRemedyOf(
      code, Status(code, fmt::format("{}: {}", what, rd_kafka_error_string(&error)), Domain::kExternal, RetryOf(code)));
}

KafkaTrouble JudgeTrouble(std::string_view words) {
  const auto has = [words](std::string_view part) { return words.find(part) != std::string_view::npos; };
  if (has("mechanism handshake failed")) return KafkaTrouble::kMechanism;
  if (has("SASL authentication error") || has("uthentication failed")) return KafkaTrouble::kIdentity;
  // "certificate verify failed" is the alert's name, "could not be verified" is librdkafka's advice on it.
  if (has("certificate verify failed") || has("could not be verified")) return KafkaTrouble::kCertificate;
  if (has("SSL handshake failed") || has("security.protocol") || has("SSL routines")) return KafkaTrouble::kProtocol;
  return KafkaTrouble::kConnection;
}

Status UnreachableStatus(const KafkaTransportOptions& options, std::string_view trouble) {
  const std::string brokers = KafkaBrokers(options);
  const std::string cause = trouble.empty() ? "" : fmt::format(" ({})", trouble.substr(0, trouble.find(" (after ")));
  const auto unreachable = [&](std::string_view what, std::string remedy) {
    return Status(Code::kUnavailable, fmt::format("{}: {}{}", what, brokers, cause), Domain::kExternal, Retry::kBackoff)
        .WithRemedy(std::move(remedy));
  };
  const auto refused = [&](std::string_view what, std::string remedy) {
    return Status(Code::kPermission, fmt::format("{}: {}{}", what, brokers, cause), Domain::kExternal, Retry::kBackoff)
        .WithRemedy(std::move(remedy));
  };
  switch (JudgeTrouble(trouble)) {
    case KafkaTrouble::kIdentity:
      return refused(fmt::format("the Kafka brokers refuse user \"{}\"", PropertyOf(options, {"sasl.username"})),
                     IdentityRemedy(PropertyOf(options, {"sasl.mechanism", "sasl.mechanisms"})));
    case KafkaTrouble::kMechanism:
      return refused("the Kafka brokers do not take this kafka.sasl.mechanism",
                     "set kafka.sasl.mechanism to one that the brokers support; the message lists them");
    case KafkaTrouble::kCertificate:
      return unreachable("the Kafka brokers' certificate is not trusted",
                         "set kafka.ssl.ca.location to the PEM file of the authority that signed it, and write the "
                         "brokers in kafka.bootstrap.servers by a name that stands in the certificate");
    case KafkaTrouble::kProtocol:
      return unreachable("the Kafka brokers speak another protocol",
                         "set kafka.security.protocol to that of the port: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; "
                         "it is " +
                             ProtocolOf(options) + " now");
    default:
      return unreachable("the Kafka brokers cannot be reached",
                         "check that the brokers run and that kafka.bootstrap.servers names their host and port; "
                         "with TLS or SASL also kafka.security.protocol");
  }
}

}  // namespace tidecast
