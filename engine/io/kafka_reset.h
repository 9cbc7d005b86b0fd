#pragma once

#include <string>
#include <vector>

#include "engine/core/status.h"
#include "engine/io/kafka_transport.h"

namespace tidecast {

/// Who is in the options' group now: static member ids. Asked before anything of the namespace is taken away.
/// Errors: kUnavailable, kPermission.
Result<std::vector<std::string>> KafkaGroupMembers(const KafkaTransportOptions& options);

/// Deletes topics; one that is not there is no trouble.  Errors: kUnavailable, kPermission.
Status DeleteKafkaTopics(const KafkaTransportOptions& options, const std::vector<std::string>& topics);

}  // namespace tidecast
