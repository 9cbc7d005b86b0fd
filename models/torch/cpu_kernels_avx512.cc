#include "models/torch/cpu_kernels_body.h"

namespace tidecast::net {

const CpuKernels& Avx512Kernels() {
  static constexpr CpuKernels kKernels = MakeKernels("avx512");
  return kKernels;
}

}  // namespace tidecast::net
