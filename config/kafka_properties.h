#pragma once

#include <vector>

#include "config/config_problem.h"
#include "config/config_tree.h"

namespace tidecast {

/// Looks at the names under `kafka:`: Java-only ones get librdkafka's name, those that exactly-once depends on are refused,
/// near misses of usual names are asked about. Other names pass: librdkafka itself judges them when it connects.
void CheckKafkaProperties(const ConfigNode& kafka, std::vector<ConfigProblem>* problems);

/// Whether the value must not be shown, e.g. sasl.password.
bool IsKafkaSecret(std::string_view name);

}  // namespace tidecast
