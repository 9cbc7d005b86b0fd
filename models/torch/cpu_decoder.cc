#include "models/torch/cpu_decoder.h"

#include <algorithm>

namespace tidecast::net {

void SortLevels(const float* values, float* sorted, uint8_t* order) {
  for (size_t i = 0; i < kLevelCount; ++i) {
    const float value = values[i];
    size_t at = i;
    for (; at > 0 && sorted[at - 1] > value; --at) {
      sorted[at] = sorted[at - 1];
      order[at] = order[at - 1];
    }
    sorted[at] = value;
    order[at] = static_cast<uint8_t>(i);
  }
}

CpuDecoder::CpuDecoder(const NetLayout& layout, const CpuKernels& kernels) : layout_(layout), kernels_(kernels) {
  std::vector<float> steps(static_cast<size_t>(layout.shape.horizon));
  for (size_t step = 0; step < steps.size(); ++step) steps[step] = static_cast<float>(step + 1);
  horizon_log_.resize(steps.size());
  kernels_.signed_log(steps.size(), steps.data(), horizon_log_.data());
}

void CpuDecoder::Forward(const CpuWeights& weights, const DecoderInput& input, bool learn) {
  const NetShape& shape = layout_.shape;
  const size_t rows = static_cast<size_t>(input.rows);
  const size_t horizon = static_cast<size_t>(shape.horizon);
  const size_t positions = rows * horizon;
  const size_t context_width = static_cast<size_t>(layout_.context_width());
  const size_t step_width = static_cast<size_t>(layout_.step_width());
  const size_t memory = static_cast<size_t>(layout_.memory_width());
  const size_t id_width = static_cast<size_t>(shape.id_width);
  const size_t statics = static_cast<size_t>(shape.statics);
  const size_t known = static_cast<size_t>(shape.known);

  context_input_.resize(rows * context_width);
  for (size_t row = 0; row < rows; ++row) {
    float* out = context_input_.data() + row * context_width;
    if (memory > 0) out = std::copy_n(input.hidden + static_cast<ptrdiff_t>(row) * input.hidden_row, memory, out);
    out = std::copy_n(weights.embedding.data() + input.ids[row] * id_width, id_width, out);
    std::copy_n(input.statics + row * statics, statics, out);
  }
  context_.assign(rows * kDecoderWidth, 0.0F);
  kernels_.multiply_add(input.rows, kDecoderWidth, layout_.context_width(), context_input_.data(),
                        layout_.context_width(), 1, weights.context.data(), weights.context.row, context_.data(),
                        kDecoderWidth);

  features_.resize(positions * step_width);
  hidden_.resize(positions * kDecoderWidth);
  raw_.resize(positions * kOutputs);
  base_.resize(positions * kLevelsPadded);
  values_.resize(positions * kLevelsPadded);
  for (size_t position = 0; position < positions; ++position) {
    const size_t row = position / horizon;
    const size_t step = position % horizon;
    float* feature = features_.data() + position * step_width;
    feature = std::copy_n(input.known + position * known, known, feature);
    *feature++ = .25F * horizon_log_[step];
    *feature++ = 1.0F / static_cast<float>(step + 1);
    const float* base = input.base + position * kLevelCount;
    float* padded = base_.data() + position * kLevelsPadded;
    std::fill(std::copy_n(base, kLevelCount, padded), padded + kLevelsPadded, 0.0F);
    kernels_.signed_log(kLevelCount, base, feature);
    for (size_t j = 0; j < kDecoderWidth; ++j) {
      hidden_[position * kDecoderWidth + j] =
          context_[row * kDecoderWidth + j] + weights.horizon_bias[step * kDecoderWidth + j];
    }
    std::copy_n(weights.output_bias.data(), kOutputs, raw_.data() + position * kOutputs);
  }
  const int count = static_cast<int>(positions);
  kernels_.multiply_add(count, kDecoderWidth, layout_.step_width(), features_.data(), layout_.step_width(), 1,
                        weights.step.data(), weights.step.row, hidden_.data(), kDecoderWidth);
  if (learn) {
    hidden_slope_.resize(hidden_.size());
    value_slope_.resize(values_.size());
  }
  kernels_.silu(hidden_.size(), hidden_.data(), learn ? hidden_slope_.data() : nullptr);
  kernels_.multiply_add(count, kOutputs, kDecoderWidth, hidden_.data(), kDecoderWidth, 1, weights.output.data(),
                        weights.output.row, raw_.data(), kOutputs);
  kernels_.correct(positions, raw_.data(), base_.data(), values_.data(), learn ? value_slope_.data() : nullptr);
}

void CpuDecoder::Backward(const CpuWeights& weights, const DecoderInput& input, const float* dvalues, float* gradient,
                          float* d_hidden) {
  const NetShape& shape = layout_.shape;
  const size_t rows = static_cast<size_t>(input.rows);
  const size_t horizon = static_cast<size_t>(shape.horizon);
  const size_t positions = rows * horizon;
  const size_t context_width = static_cast<size_t>(layout_.context_width());
  const int count = static_cast<int>(positions);

  d_raw_.resize(positions * kOutputs);
  for (size_t position = 0; position < positions; ++position) {
    float* raw = d_raw_.data() + position * kOutputs;
    const float* d = dvalues + position * kLevelsPadded;
    const float* slope = value_slope_.data() + position * kLevelsPadded;
    for (size_t level = 0; level < kLevelsPadded; ++level) {
      const bool used = level < kLevelCount;
      raw[level] = used ? d[level] * slope[level] : 0.0F;
      raw[kLevelsPadded + level] = used ? d[level] : 0.0F;
    }
  }
  kernels_.add_columns(count, kOutputs, d_raw_.data(), kOutputs, gradient + layout_.output_bias.offset);
  kernels_.multiply_add(kDecoderWidth, kOutputs, count, hidden_.data(), 1, kDecoderWidth, d_raw_.data(), kOutputs,
                        gradient + layout_.output.offset, kOutputs);

  d_hidden_.assign(positions * kDecoderWidth, 0.0F);
  kernels_.multiply_add(count, kDecoderWidth, kOutputs, d_raw_.data(), kOutputs, 1, weights.output_transposed.data(),
                        weights.output_transposed.row, d_hidden_.data(), kDecoderWidth);
  for (size_t i = 0; i < d_hidden_.size(); ++i) d_hidden_[i] *= hidden_slope_[i];
  kernels_.multiply_add(layout_.step_width(), kDecoderWidth, count, features_.data(), 1, layout_.step_width(),
                        d_hidden_.data(), kDecoderWidth, gradient + layout_.step.offset, kDecoderWidth);

  d_context_.assign(rows * kDecoderWidth, 0.0F);
  for (size_t position = 0; position < positions; ++position) {
    const float* d = d_hidden_.data() + position * kDecoderWidth;
    float* bias = gradient + layout_.horizon_bias.offset + position % horizon * kDecoderWidth;
    float* context = d_context_.data() + position / horizon * kDecoderWidth;
    for (size_t j = 0; j < kDecoderWidth; ++j) {
      bias[j] += d[j];
      context[j] += d[j];
    }
  }
  kernels_.multiply_add(layout_.context_width(), kDecoderWidth, input.rows, context_input_.data(), 1,
                        layout_.context_width(), d_context_.data(), kDecoderWidth, gradient + layout_.context.offset,
                        kDecoderWidth);
  d_context_input_.assign(rows * context_width, 0.0F);
  kernels_.multiply_add(input.rows, layout_.context_width(), kDecoderWidth, d_context_.data(), kDecoderWidth, 1,
                        weights.context_transposed.data(), weights.context_transposed.row, d_context_input_.data(),
                        layout_.context_width());
  for (size_t row = 0; row < rows; ++row) {
    const float* d = d_context_input_.data() + row * context_width;
    const ptrdiff_t memory = layout_.memory_width();
    if (memory > 0) std::copy_n(d, memory, d_hidden + static_cast<ptrdiff_t>(row) * memory);
    float* embedding = gradient + layout_.embedding.offset + input.ids[row] * static_cast<size_t>(shape.id_width);
    for (int j = 0; j < shape.id_width; ++j) embedding[j] += d[memory + j];
  }
}

}  // namespace tidecast::net
