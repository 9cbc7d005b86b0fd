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

/// Deletes the options' group, its positions with it; none there is no trouble.
/// Errors: kUnavailable, kPermission, kIo (it has members).
Status DeleteKafkaGroup(const KafkaTransportOptions& options);

}  // namespace tidecast
