#pragma once

#include <memory>

#include "models/torch/cpu_decoder.h"
#include "models/torch/cpu_encoder.h"
#include "models/torch/cpu_kernels.h"
#include "models/torch/cpu_weights.h"
#include "models/torch/net_backend.h"

namespace tidecast::net {

/// The net in plain C++: row-invariant forward, hand-written backward; but encoders other than the LSTM learn by
/// autograd (EncoderTape).
/// A window re-run and the same steps taken one by one give the same bits.
class CpuBackend : public NetBackend {
 public:
  CpuBackend(const NetLayout& layout, const CpuKernels& kernels);
  ~CpuBackend() override;

  void SetServing(std::span<const float> parameters) override;
  void Advance(int rows, std::span<const float> inputs, std::span<const float> mask,
               std::span<float> states) const override;
  void Correct(int rows, std::span<const float> states, std::span<const float> statics, std::span<const uint32_t> ids,
               std::span<const float> known, std::span<const float> base, std::span<float> out) const override;
  void Rerun(int rows, std::span<const float> inputs, std::span<const float> mask,
             std::span<float> states) const override;
  BatchLoss Differentiate(std::span<const float> parameters, const NetBatch& batch, std::span<float> gradient) override;
  BatchLoss Evaluate(const NetBatch& batch) override;
  std::string name() const override;

 private:
  class Pass;  // a forward and backward pass over a batch, in chunks of rows

  const NetLayout& layout_;
  const CpuKernels& kernels_;
  std::unique_ptr<CpuEncoder> encoder_;
  CpuWeights serving_;
  CpuWeights learning_;
  std::unique_ptr<Pass> pass_;
};

}  // namespace tidecast::net
