#include "models/torch/cpu_backend.h"

#include <algorithm>

#include "models/torch/cpu_pass.h"

namespace tidecast::net {
namespace {

constexpr int kServeRows = 48;

}  // namespace

CpuBackend::CpuBackend(const NetLayout& layout, const CpuKernels& kernels)
    : layout_(layout),
      kernels_(kernels),
      encoder_(MakeCpuEncoder(layout, kernels)),
      pass_(std::make_unique<Pass>(layout, kernels)) {}

CpuBackend::~CpuBackend() = default;

void CpuBackend::SetServing(std::span<const float> parameters) {
  serving_.Prepare(layout_, parameters, CpuWeights::Use::kServe);
}

void CpuBackend::Advance(int rows, std::span<const float> inputs, std::span<const float> mask,
                         std::span<float> states) const {
  encoder_->Advance(serving_, rows, inputs.data(), mask.data(), states.data());
}

void CpuBackend::Rerun(int rows, std::span<const float> inputs, std::span<const float> mask,
                       std::span<float> states) const {
  std::fill(states.begin(), states.end(), 0.0F);
  encoder_->Rerun(serving_, rows, inputs.data(), mask.data(), states.data());
}

void CpuBackend::Correct(int rows, std::span<const float> states, std::span<const float> statics,
                         std::span<const uint32_t> ids, std::span<const float> known, std::span<const float> base,
                         std::span<float> out) const {
  const NetShape& shape = layout_.shape;
  const size_t top = layout_.top_state();
  CpuDecoder decoder(layout_, kernels_);
  uint8_t order[kLevelCount];
  for (int first = 0; first < rows; first += kServeRows) {
    const size_t row = static_cast<size_t>(first);
    const size_t position = row * static_cast<size_t>(shape.horizon);
    const int count = std::min(kServeRows, rows - first);
    decoder.Forward(serving_,
                    {.rows = count,
                     .hidden = states.data() + row * layout_.state_floats() + top,
                     .hidden_row = static_cast<ptrdiff_t>(layout_.state_floats()),
                     .statics = statics.data() + row * static_cast<size_t>(shape.statics),
                     .ids = ids.data() + row,
                     .known = known.data() + position * static_cast<size_t>(shape.known),
                     .base = base.data() + position * kLevelCount},
                    false);
    const size_t positions = static_cast<size_t>(count) * static_cast<size_t>(shape.horizon);
    for (size_t i = 0; i < positions; ++i) {
      SortLevels(decoder.values() + i * kLevelsPadded, out.data() + (position + i) * kLevelCount, order);
    }
  }
}

BatchLoss CpuBackend::Differentiate(std::span<const float> parameters, const NetBatch& batch,
                                    std::span<float> gradient) {
  learning_.Prepare(layout_, parameters, CpuWeights::Use::kLearn);
  std::fill(gradient.begin(), gradient.end(), 0.0F);
  return pass_->Run(learning_, batch, gradient);
}

BatchLoss CpuBackend::Evaluate(const NetBatch& batch) { return pass_->Run(serving_, batch, {}); }

std::string CpuBackend::name() const { return "cpu"; }

}  // namespace tidecast::net
