#pragma once

#include <functional>
#include <string>

#include "engine/io/log_transport.h"

namespace tidecast {

/// Visits the committed records of a topic, partition by partition, up to its end at the time of opening, until `visit`
/// returns false. `newest_max` > 0: only so many offsets before each partition's end. Views hold during the visit.
/// Errors: kNotFound, those of the log.
Status ScanTopic(LogTransport& log, const std::string& topic, int64_t newest_max,
                 const std::function<bool(const TopicPartition&, const InputRecord&)>& visit);

}  // namespace tidecast
