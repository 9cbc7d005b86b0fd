#include "models/torch/encoder_expressions.h"

#define AT_PER_OPERATOR_HEADERS  // only the operators named here: a third of the compile time
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/gru.h>
#include <ATen/ops/lstm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "models/torch/encoder_tape.h"

namespace tidecast::net {
namespace {

at::Tensor Bias(const at::Tensor& parameters, const Segment& segment) {
  return MatrixOf(parameters, segment).view({segment.columns});
}

at::Tensor RunTcn(const NetLayout& layout, const at::Tensor& parameters, const at::Tensor& inputs) {
  at::Tensor x = inputs.transpose(1, 2);  // [rows, channels, steps]
  for (int level = 0; level < layout.tcn_levels(); ++level) {
    const DenseSegments& own = layout.dense[static_cast<size_t>(level)];
    const int64_t dilation = int64_t{1} << level;
    const at::Tensor taps =
        MatrixOf(parameters, own.weight).view({2, own.weight.rows / 2, own.weight.columns}).permute({2, 1, 0});
    const at::Tensor joined = at::silu(at::conv1d(at::constant_pad_nd(x, {dilation, 0}), taps,
                                                  Bias(parameters, own.bias), 1, at::IntArrayRef{0}, dilation));
    x = level == 0 ? joined : joined + x;
  }
  return x.transpose(1, 2);
}

at::Tensor RunAttention(const NetLayout& layout, const at::Tensor& parameters, const at::Tensor& inputs) {
  const int64_t rows = inputs.size(0);
  const int64_t steps = inputs.size(1);
  const int64_t hidden = layout.shape.hidden;
  const int64_t width = hidden / kHeads;
  const auto weight = [&](size_t i) { return MatrixOf(parameters, layout.dense[i].weight); };
  const auto bias = [&](size_t i) { return Bias(parameters, layout.dense[i].bias); };
  const at::Tensor embedded = at::silu(at::matmul(inputs, weight(0)) + bias(0));
  const at::Tensor all = at::matmul(embedded, weight(1)).view({rows, steps, 3, kHeads, width}).permute({2, 0, 3, 1, 4});
  const at::Tensor at = at::arange(steps, at::TensorOptions(at::kLong).device(inputs.device()));
  const at::Tensor back = at.view({steps, 1}) - at.view({1, steps});
  const at::Tensor by_age = at::embedding(MatrixOf(parameters, layout.age_bias), back.clamp_min(0).view({-1}))
                                .view({steps, steps, kHeads})
                                .permute({2, 0, 1});
  const at::Tensor never = at::zeros({1}, inputs.options()).fill_(-std::numeric_limits<float>::infinity());
  const at::Tensor scores =
      at::matmul(all.select(0, 0), all.select(0, 1).transpose(2, 3)) / std::sqrt(static_cast<double>(width)) + by_age;
  const at::Tensor heard = at::matmul(at::softmax(at::where(back >= 0, scores, never), 3), all.select(0, 2));
  return embedded + at::matmul(heard.transpose(1, 2).reshape({rows, steps, hidden}), weight(2)) + bias(2);
}

/// torch's parameters of the recurrent layers: weights of each layer and both biases, [gates * hidden, in] each.
std::vector<at::Tensor> RecurrentParameters(const NetLayout& layout, const at::Tensor& parameters) {
  std::vector<at::Tensor> weights;
  std::vector<at::Tensor> biases;
  for (size_t layer = 0; layer < static_cast<size_t>(layout.shape.layers); ++layer) {
    if (layout.is_lstm()) {
      const LayerSegments& own = layout.layers[layer];
      weights.push_back(MatrixOf(parameters, own.input));
      weights.push_back(MatrixOf(parameters, own.recurrent));
      biases.push_back(Bias(parameters, own.bias));
      biases.push_back(at::zeros({own.bias.columns}, parameters.options()));  // torch has two, ours is one
    } else {
      for (const size_t part : {2 * layer, 2 * layer + 1}) {
        weights.push_back(MatrixOf(parameters, layout.dense[part].weight));
        biases.push_back(Bias(parameters, layout.dense[part].bias));
      }
    }
  }
  // Side by side in the order in which cuDNN keeps them, so that it takes them as they lie.
  std::vector<at::Tensor> lines;
  for (const at::Tensor& weight : weights) lines.push_back(weight.t().reshape({-1}));
  lines.insert(lines.end(), biases.begin(), biases.end());
  const at::Tensor flat = at::cat(lines);
  std::vector<at::Tensor> pieces;
  for (int64_t at = 0; const at::Tensor& line : lines) {
    pieces.push_back(flat.narrow(0, at, line.size(0)));
    at += line.size(0);
  }
  std::vector<at::Tensor> own;
  for (size_t i = 0; i < weights.size(); i += 2) {
    own.push_back(pieces[i].view({weights[i].size(1), weights[i].size(0)}));
    own.push_back(pieces[i + 1].view({weights[i + 1].size(1), weights[i + 1].size(0)}));
    own.push_back(pieces[weights.size() + i]);
    own.push_back(pieces[weights.size() + i + 1]);
  }
  return own;
}

class ExpressionTape final : public EncoderTape {
 public:
  explicit ExpressionTape(const NetLayout& layout) : layout_(layout) {}

  void Forward(std::span<const float> parameters, const PackedWindows& windows, bool learn,
               std::span<float> memory) override {
    leaf_ = at::from_blob(const_cast<float*>(parameters.data()), {static_cast<int64_t>(parameters.size())},
                          at::TensorOptions(at::kFloat))
                .clone()
                .set_requires_grad(learn);
    memory_ = Remember(layout_, leaf_, windows, true, at::kCPU);
    const at::Tensor plain = memory_.detach().contiguous();
    std::copy_n(plain.data_ptr<float>(), memory.size(), memory.data());
  }

  void Backward(std::span<const float> d_memory, std::span<float> gradient) override {
    if (!memory_.requires_grad()) return;  // no row had a step
    memory_.backward(
        at::from_blob(const_cast<float*>(d_memory.data()), memory_.sizes(), at::TensorOptions(at::kFloat)));
    const at::Tensor own = leaf_.grad().contiguous();
    for (size_t i = 0; i < gradient.size(); ++i) gradient[i] += own.data_ptr<float>()[i];
  }

 private:
  const NetLayout& layout_;
  at::Tensor leaf_;
  at::Tensor memory_;
};

}  // namespace

at::Tensor MatrixOf(const at::Tensor& parameters, const Segment& segment) {
  return parameters.narrow(0, static_cast<int64_t>(segment.offset), static_cast<int64_t>(segment.size()))
      .view({segment.rows, segment.columns});
}

at::Tensor RunRecurrent(const NetLayout& layout, const at::Tensor& parameters, const at::Tensor& inputs,
                        at::Tensor* state) {
  const std::vector<at::Tensor> own = RecurrentParameters(layout, parameters);
  const int64_t layers = layout.shape.layers;
  const int64_t rows = inputs.size(0);
  const int64_t hidden = layout.shape.hidden;
  // cuDNN keeps what its backward needs only when told to train; without dropout nothing else depends on it.
  const bool train = parameters.requires_grad();
  if (layout.is_lstm()) {
    const at::Tensor parts = state->view({rows, layers, 2, hidden}).permute({2, 1, 0, 3}).contiguous();
    const std::vector<at::Tensor> start = {parts.select(0, 0), parts.select(0, 1)};
    auto [trace, h, c] = at::lstm(inputs, start, own, /*has_biases=*/true, layers, /*dropout=*/0, train,
                                  /*bidirectional=*/false, /*batch_first=*/true);
    *state = at::stack({h, c}, 1).permute({2, 0, 1, 3}).reshape({rows, 2 * layers, hidden});
    return trace;
  }
  auto [trace, h] = at::gru(inputs, state->transpose(0, 1).contiguous(), own, /*has_biases=*/true, layers,
                            /*dropout=*/0, train, /*bidirectional=*/false, /*batch_first=*/true);
  *state = h.transpose(0, 1);
  return trace;
}

at::Tensor Remember(const NetLayout& layout, const at::Tensor& parameters, const PackedWindows& windows,
                    bool by_position, const at::Device& device) {
  const int64_t rows = windows.rows;
  const int64_t steps = windows.steps;
  const int64_t hidden = layout.shape.hidden;
  const int64_t positions = static_cast<int64_t>(windows.live.size()) / std::max<int64_t>(1, rows);
  const at::TensorOptions options = at::TensorOptions(at::kFloat).device(device);
  if (steps == 0) return at::zeros({rows * positions, hidden}, options);
  const at::Tensor inputs = at::from_blob(const_cast<float*>(windows.inputs.data()), {rows, steps, layout.shape.inputs},
                                          at::TensorOptions(at::kFloat))
                                .to(device, at::kFloat, false, true);
  at::Tensor trace;
  if (CarriesState(layout.shape)) {
    at::Tensor state = at::zeros({rows, static_cast<int64_t>(layout.state_floats()) / hidden, hidden}, options);
    trace = RunRecurrent(layout, parameters, inputs, &state);
  } else {
    trace = layout.shape.encoder == NetEncoder::kTcn ? RunTcn(layout, parameters, inputs)
                                                     : RunAttention(layout, parameters, inputs);
  }
  // Step 0 of each row is what there is before the first one.
  const at::Tensor with_birth = at::cat({at::zeros({rows, 1, hidden}, options), trace}, 1).view({-1, hidden});
  std::vector<int64_t> at(windows.live.size());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t position = 0; position < positions; ++position) {
      const int64_t to = by_position ? position * rows + row : row * positions + position;
      at[static_cast<size_t>(to)] = row * (steps + 1) + windows.live[static_cast<size_t>(row * positions + position)];
    }
  }
  const at::Tensor index = at::from_blob(at.data(), {static_cast<int64_t>(at.size())}, at::TensorOptions(at::kLong))
                               .to(device, at::kLong, false, true);
  // Not index_select: on a CUDA device its backward adds up in no fixed order.
  return at::embedding(with_birth, index);
}

std::unique_ptr<EncoderTape> MakeEncoderTape(const NetLayout& layout) {
  return std::make_unique<ExpressionTape>(layout);
}

}  // namespace tidecast::net
