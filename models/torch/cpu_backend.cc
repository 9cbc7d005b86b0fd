#include "models/torch/cpu_backend.h"

#include <algorithm>

#include "models/torch/cpu_pass.h"

namespace tidecast::net {
namespace {

constexpr int kServeRows = 48;

}  // namespace

CpuBackend::CpuBackend(const NetLayout& layout, const CpuKernels& kernels)
    : layout_(layout), kernels_(kernels), pass_(std::make_unique<Pass>(layout, kernels)) {}

CpuBackend::~CpuBackend() = default;

void CpuBackend::SetServing(std::span<const float> parameters) {
  serving_.Prepare(layout_, parameters, CpuWeights::Use::kServe);
}

void CpuBackend::Step(int rows, const float* inputs, ptrdiff_t input_row, const float* mask, ptrdiff_t mask_row,
                      float* states, float* gates) const {
  const int hidden = layout_.shape.hidden;
  const ptrdiff_t gates_row = PaddedRow(4 * hidden);
  const ptrdiff_t state_row = static_cast<ptrdiff_t>(layout_.state_floats());
  for (int layer = 0; layer < layout_.shape.layers; ++layer) {
    const LayerWeights& own = serving_.layers[layer];
    float* h = states + ptrdiff_t{2} * layer * hidden;
    const float* x = layer == 0 ? inputs : h - 2 * hidden;
    const ptrdiff_t x_row = layer == 0 ? input_row : state_row;
    for (int row = 0; row < rows; ++row) std::copy(own.bias.begin(), own.bias.end(), gates + row * gates_row);
    kernels_.multiply_add(rows, 4 * hidden, layout_.layer_inputs(layer), x, x_row, 1, own.input.data(), own.input.row,
                          gates, gates_row);
    kernels_.multiply_add(rows, 4 * hidden, hidden, h, state_row, 1, own.recurrent.data(), own.recurrent.row, gates,
                          gates_row);
    kernels_.lstm_cell(rows, hidden, mask, mask_row, gates, gates_row, h, h + hidden, h, h + hidden, state_row,
                       nullptr);
  }
}

void CpuBackend::Advance(int rows, std::span<const float> inputs, std::span<const float> mask,
                         std::span<float> states) const {
  std::vector<float> gates(static_cast<size_t>(kServeRows * PaddedRow(4 * layout_.shape.hidden)));
  for (int first = 0; first < rows; first += kServeRows) {
    Step(std::min(kServeRows, rows - first), inputs.data() + ptrdiff_t{first} * layout_.shape.inputs,
         layout_.shape.inputs, mask.data() + first, 1,
         states.data() + static_cast<size_t>(first) * layout_.state_floats(), gates.data());
  }
}

void CpuBackend::Rerun(int rows, std::span<const float> inputs, std::span<const float> mask,
                       std::span<float> states) const {
  const ptrdiff_t window = layout_.shape.window;
  const ptrdiff_t inputs_width = layout_.shape.inputs;
  std::vector<float> gates(static_cast<size_t>(kServeRows * PaddedRow(4 * layout_.shape.hidden)));
  std::fill(states.begin(), states.end(), 0.0F);
  for (int first = 0; first < rows; first += kServeRows) {
    for (ptrdiff_t step = 0; step < window; ++step) {
      Step(std::min(kServeRows, rows - first), inputs.data() + (first * window + step) * inputs_width,
           window * inputs_width, mask.data() + first * window + step, window,
           states.data() + static_cast<size_t>(first) * layout_.state_floats(), gates.data());
    }
  }
}

void CpuBackend::Correct(int rows, std::span<const float> states, std::span<const float> statics,
                         std::span<const uint32_t> ids, std::span<const float> known, std::span<const float> base,
                         std::span<float> out) const {
  const NetShape& shape = layout_.shape;
  const size_t top = shape.layers > 0 ? static_cast<size_t>(2 * (shape.layers - 1) * shape.hidden) : 0;
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
