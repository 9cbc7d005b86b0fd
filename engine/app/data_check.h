#pragma once

#include <string>

#include "engine/core/status.h"

namespace tidecast {

struct DataCheckRequest {
  std::string path;
  std::string config;  ///< for a file of orders: how to read it; empty: columns by usual names
  std::string frequency = "auto";
  bool json = false;
};

/// Looks at a file of series (CSV or JSON Lines) or of orders (summed up to units a sku and day) and prints what a
/// forecaster should know: gaps, duplicates, outliers, zeros, demand classes, stationarity, seasonality, columns; and
/// advice. `exit_code`: that of kData where something must be mended first. Errors: of reading; kUsage for an unknown
/// frequency; kData for a file without a value.
Status CheckData(const DataCheckRequest& request, int* exit_code);

}  // namespace tidecast
