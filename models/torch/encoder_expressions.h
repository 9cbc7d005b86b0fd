#pragma once

#include <ATen/core/Tensor.h>

#include "models/torch/net_layout.h"
#include "models/torch/packed_windows.h"

namespace tidecast::net {

/// A matrix of the flat parameters.
at::Tensor MatrixOf(const at::Tensor& parameters, const Segment& segment);

/// GRU of all layers, as torch's own. inputs [rows, steps, inputs], h [layers, rows, hidden], which is moved on.
/// Returns the top layer's h after each step [rows, steps, hidden].
/// Source: Cho et al. 2014, with torch's order of reset and recurrent product.
at::Tensor RunGru(const NetLayout& layout, const at::Tensor& parameters, const at::Tensor& inputs, at::Tensor* h);

/// What an encoder other than the LSTM remembers at each position [rows * positions, hidden], position by position
/// within a row, or with `by_position` row by row within a position. Zero before the first step.
/// Source: Bai et al. 2018 (TCN: dilated causal convolutions, residual); Vaswani et al. 2017 (attention), with a bias
/// by steps back in place of positions (Press et al. 2022, but learnt).
at::Tensor Remember(const NetLayout& layout, const at::Tensor& parameters, const PackedWindows& windows,
                    bool by_position, const at::Device& device);

}  // namespace tidecast::net
