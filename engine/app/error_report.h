#pragma once

#include "engine/core/status.h"

namespace tidecast {

/// Prints `error[code]: message` and the remedy to stderr; returns the exit code.
int ReportError(const Status& status);

}  // namespace tidecast
