#pragma once

#include <string>

#include "engine/core/status.h"
#include "operators/backtest.h"

namespace tidecast {

/// Writes the figures of a backtest as JSON (operators/README.md names the fields).
/// Errors: kPermission, kNoSpace, kIo.
Status WriteMetrics(const BacktestReport& report, const std::string& path);

}  // namespace tidecast
