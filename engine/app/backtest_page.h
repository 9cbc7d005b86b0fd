#pragma once

#include <string>

#include "operators/backtest.h"

namespace tidecast {

/// A backtest as one HTML file that needs nothing else, no script either: the comparison, WQL by step, coverage against
/// nominal, the parts, and fan charts of a few series. `source`: what was forecast, for the heading.
std::string BacktestPage(const BacktestReport& report, const std::string& source);

}  // namespace tidecast
