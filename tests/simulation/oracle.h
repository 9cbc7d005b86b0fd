#pragma once

#include <string>
#include <vector>

#include "tests/simulation/engine_process.h"
#include "tests/simulation/shop.h"
#include "tests/simulation/simulated_broker.h"

namespace tidecast::simulation {

/// Compares what a read_committed reader finds in the output topics with the plain recomputation. Empty: all is well.
/// `doubles`: after a torn transaction outputs may come twice; the second of a content id is passed over.
std::string CheckOutputs(const Shop& shop, const SimulatedBroker& broker, bool doubles = false);

/// The engine's topics that are no outputs: changelogs, and what goes from stage to stage.
std::vector<std::string> InternalTopics();

/// Whether restoring from the changelogs gives the rows that lie on the disk, for these partitions and the instance's
/// own.
std::string CheckChangelog(SimulatedBroker& broker, ManualClock& clock, const Disk& disk, const std::string& instance,
                           const std::vector<uint16_t>& partitions);

/// Forecasts and alerts of the view `sku`, as text, by topic and key in order. Not of a rollup: what its rows first say
/// of a late event depends on when the shares of its tasks reach it.
std::vector<std::string> ForecastsAndAlerts(const SimulatedBroker& broker);

}  // namespace tidecast::simulation
