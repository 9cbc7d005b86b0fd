#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/core/status.h"
#include "operators/audit_advice.h"
#include "operators/series_rows.h"

namespace tidecast {

struct OrderFindings {
  int64_t lines = 0;
  int64_t decoded = 0;
  int64_t repeated = 0;  ///< lines that stood in the file before, byte by byte
  int64_t returns = 0;   ///< events with a quantity below 0
};

/// Sums a file of orders up to units sold a sku and local day; returns are left out. As in a stream, a sku's days from
/// its first sale on count as 0 where others sold and it did not. `config`: its orders input says how to read the file;
/// empty: columns by their usual names, times in UTC. Thread: confined.
/// Errors: of reading; kConfig; kData when nothing decodes.
Result<SeriesRows> ReadOrderSeries(const std::string& path, const std::string& config, OrderFindings* findings);

/// What a file of orders held beside what its series show.
void AdviseOnOrders(const std::string& path, const std::string& config, const OrderFindings& findings,
                    std::vector<Advice>* advice);

}  // namespace tidecast
