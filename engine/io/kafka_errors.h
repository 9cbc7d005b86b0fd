#pragma once

#include <string>
#include <string_view>

#include "engine/core/status.h"
#include "engine/io/kafka_handles.h"
#include "engine/io/kafka_transport.h"
#include "engine/io/log_transport.h"

namespace tidecast {

/// Which step of a transaction failed; decides what a failure means.
enum class TransactionStep : uint8_t { kInit, kBegin, kProduce, kSendOffsets, kCommit, kAbort };

/// What to do about a failed transactional call.
struct TransactionVerdict {
  bool again = false;     ///< the same call may be repeated
  bool is_fence = false;  ///< our producer was replaced: whether by another process, the membership tells
  Outcome outcome = Outcome::kFatal;
};

/// REQUIRES: `error` is one.
TransactionVerdict JudgeTransactionError(const rd_kafka_error_t& error, TransactionStep step);

/// The status of a failed call: `what` says in words what was tried, e.g. "offsets could not be sent".
Status KafkaStatus(rd_kafka_resp_err_t error, std::string_view what);
Status KafkaStatus(const rd_kafka_error_t& error, std::string_view what);

/// What keeps a connection from coming about, least telling first.
enum class KafkaTrouble : uint8_t { kConnection, kProtocol, kCertificate, kMechanism, kIdentity };

/// Judges by librdkafka's words, for its log lines carry no codes.
KafkaTrouble JudgeTrouble(std::string_view words);

/// No broker lets us in: names them, the trouble and what to try.  Codes: kPermission for what is wrong with user,
/// password or mechanism, else kUnavailable. Never holds a secret.
Status UnreachableStatus(const KafkaTransportOptions& options, std::string_view trouble);

}  // namespace tidecast
