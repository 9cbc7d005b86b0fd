#include <fmt/format.h>

#include <exception>

#include "models/net_module.h"
#include "models/torch/residual_net_torch.h"

namespace {

tidecast::Result<std::unique_ptr<tidecast::ResidualNet>> MakeNet(const tidecast::NetOptions& options) {
  try {
    return tidecast::net::ResidualNetTorch::Make(options);
  } catch (const std::exception& error) {
    return tidecast::Status(tidecast::Code::kInternal, fmt::format("the net could not be made: {}", error.what()));
  }
}

}  // namespace

/// The one symbol that the module shows (models/net_module.h).
extern "C" __attribute__((visibility("default"))) const tidecast::NetModuleEntry tidecast_net_module;
extern "C" const tidecast::NetModuleEntry tidecast_net_module = {tidecast::kNetModuleAbi, &MakeNet};
