#pragma once

#include <string>
#include <vector>

#include "tests/simulation/engine_process.h"
#include "tests/simulation/shop.h"
#include "tests/simulation/simulated_broker.h"

namespace tidecast::simulation {

/// Compares what a read_committed reader finds in the output topics with the plain recomputation. Empty: all is well.
std::string CheckOutputs(const Shop& shop, const SimulatedBroker& broker);

/// Whether restoring from the changelogs gives the rows that lie on the disk, for these partitions and the instance's
/// own.
std::string CheckChangelog(SimulatedBroker& broker, ManualClock& clock, const Disk& disk, const std::string& instance,
                           const std::vector<uint16_t>& partitions);

/// Forecasts and alerts, as text, by partition in order.
std::vector<std::string> ForecastsAndAlerts(const SimulatedBroker& broker);

}  // namespace tidecast::simulation
