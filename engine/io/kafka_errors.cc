#include "engine/io/kafka_errors.h"

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
  return Status(code, fmt::format("{}: {}", what, rd_kafka_err2str(error)), Domain::kExternal, RetryOf(code));
}

Status KafkaStatus(const rd_kafka_error_t& error, std::string_view what) {
  Code code = CodeOf(rd_kafka_error_code(&error));
  if (rd_kafka_error_txn_requires_abort(&error)) code = Code::kAborted;
  if (rd_kafka_error_is_fatal(&error) && code != Code::kFenced) code = Code::kFatal;
  return Status(code, fmt::format("{}: {}", what, rd_kafka_error_string(&error)), Domain::kExternal, RetryOf(code));
}

Status UnreachableStatus(std::string_view brokers, std::string_view trouble) {
  std::string text = fmt::format("the Kafka brokers cannot be reached: {}", brokers);
  if (!trouble.empty()) text += fmt::format(" ({})", trouble);
  return Status(Code::kUnavailable, std::move(text), Domain::kExternal, Retry::kBackoff)
      .WithRemedy(
          "check that the brokers run and that kafka.bootstrap.servers names their host and port; "
          "with TLS or SASL also kafka.security.protocol");
}

}  // namespace tidecast
