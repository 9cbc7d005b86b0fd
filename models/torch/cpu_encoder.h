#pragma once

#include <memory>
#include <span>

#include "models/torch/cpu_kernels.h"
#include "models/torch/cpu_weights.h"
#include "models/torch/net_layout.h"

namespace tidecast::net {

/// What reads a series's past when the net serves: on the CPU kernels, so that a row's bits are its own.
/// Thread: immutable; calls may run side by side.
class CpuEncoder {
 public:
  virtual ~CpuEncoder() = default;
  /// As NetBackend::Advance; of an encoder that carries no state, not to be called.
  virtual void Advance(const CpuWeights& weights, int rows, const float* inputs, const float* mask,
                       float* states) const = 0;
  /// As NetBackend::Rerun; states are zero.
  virtual void Rerun(const CpuWeights& weights, int rows, const float* inputs, const float* mask,
                     float* states) const = 0;
};

std::unique_ptr<CpuEncoder> MakeCpuEncoder(const NetLayout& layout, const CpuKernels& kernels);

}  // namespace tidecast::net
