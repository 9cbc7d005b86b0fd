#include "engine/core/check.h"

#include <cstdio>
#include <cstdlib>

namespace tidecast::internal {

void CheckFailed(const char* file, int line, std::string_view what, std::string_view detail) {
  fmt::print(stderr, "check failed: {} at {}:{}: {}\n", what, file, line, detail);
  std::fflush(stderr);
  std::abort();
}

}  // namespace tidecast::internal
