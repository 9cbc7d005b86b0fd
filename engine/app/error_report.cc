#include "engine/app/error_report.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace tidecast {

int ReportError(const Status& status) {
  const bool colour = isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  fmt::print(stderr, "{}error[{}]{}: {}\n", colour ? "\033[1;31m" : "", CodeName(status.code()), colour ? "\033[0m" : "", status.message());
  if (!status.remedy().empty()) fmt::print(stderr, "  = try: {}\n", status.remedy());
  return ExitCode(status.code());
}

}  // namespace tidecast
