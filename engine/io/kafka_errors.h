#pragma once

#include <string>
#include <string_view>

#include "engine/core/status.h"
#include "engine/io/kafka_handles.h"
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

/// The brokers cannot be reached: names them, the last trouble and what to try.
Status UnreachableStatus(std::string_view brokers, std::string_view trouble);

}  // namespace tidecast
