#pragma once

#include <cstdint>
#include <memory>

#include "engine/core/status.h"
#include "models/net.h"

namespace tidecast {

/// Version of the face between the binary and a net module. Raise it when net.h changes.
inline constexpr uint32_t kNetModuleVersion = 4;

/// Version and the sizes of what crosses the face: a module built against another net.h is refused instead of misread.
inline constexpr uint64_t kNetModuleAbi = (uint64_t{kNetModuleVersion} << 32) ^ (uint64_t{sizeof(NetOptions)} << 20) ^
                                          (uint64_t{sizeof(NetBatch)} << 10) ^ uint64_t { sizeof(NetLoss) };

/// What a net module exports: a constant `NetModuleEntry` under the name kNetModuleSymbol.
struct NetModuleEntry {
  uint64_t abi;  ///< kNetModuleAbi of the module's build; to be compared before anything else is touched
  /// Errors: kInvalidArgument for a shape or device that cannot be.
  Result<std::unique_ptr<ResidualNet>> (*make)(const NetOptions& options);
};

inline constexpr const char* kNetModuleSymbol = "tidecast_net_module";
inline constexpr const char* kNetModuleFile = "libtidecast_torch.so";

}  // namespace tidecast
