#include "models/torch/cpu_kernels_body.h"

namespace tidecast::net {

const CpuKernels& Avx2Kernels() {
  static constexpr CpuKernels kKernels = MakeKernels("avx2");
  return kKernels;
}

}  // namespace tidecast::net
