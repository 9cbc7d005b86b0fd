#pragma once

#include <memory>
#include <string>

#include "models/torch/net_backend.h"

namespace tidecast::net {

/// The same net as ATen expressions with autograd, on "cpu" or a CUDA device.
/// A row's last bits may depend on its batch here; where that matters, serving goes through CpuBackend.
/// Errors: kInvalidArgument for a device that is not there. Methods may throw (NetBackend).
Result<std::unique_ptr<NetBackend>> MakeExpressionBackend(const NetLayout& layout, const std::string& device);

bool CudaIsAvailable();

/// One thread for ATen and for the BLAS under it: results must not depend on the number of cores.
void LimitThreads();

}  // namespace tidecast::net
