#include "models/torch/cpu_kernels_body.h"

namespace tidecast::net {

const CpuKernels& BaselineKernels() {
  static constexpr CpuKernels kKernels = MakeKernels("baseline");
  return kKernels;
}

}  // namespace tidecast::net
