#pragma once

#include <ATen/core/Tensor.h>

#include "models/torch/net_layout.h"
#include "models/torch/packed_windows.h"

namespace tidecast::net {

/// A matrix of the flat parameters.
at::Tensor MatrixOf(const at::Tensor& parameters, const Segment& segment);

/// LSTM or GRU of all layers, as torch's own (cuDNN's on a CUDA device). inputs [rows, steps, inputs], state [rows,
/// state_floats / hidden, hidden], which is moved on. Returns the top layer's h after each step [rows, steps, hidden].
/// Source: Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000; Cho et al. 2014, with torch's order
/// of reset and recurrent product.
at::Tensor RunRecurrent(const NetLayout& layout, const at::Tensor& parameters, const at::Tensor& inputs,
                        at::Tensor* state);

/// What an encoder remembers at each position [rows * positions, hidden], position by position within a row, or with
/// `by_position` row by row within a position. Zero before the first step. REQUIRES: layers.
/// Source: Bai et al. 2018 (TCN: dilated causal convolutions, residual); Vaswani et al. 2017 (attention), with a bias
/// by steps back in place of positions (Press et al. 2022, but learnt).
at::Tensor Remember(const NetLayout& layout, const at::Tensor& parameters, const PackedWindows& windows,
                    bool by_position, const at::Device& device);

}  // namespace tidecast::net
