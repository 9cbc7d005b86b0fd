#pragma once

#include <span>
#include <vector>

#include "models/torch/net_layout.h"

namespace tidecast::net {

/// A matrix whose rows are set apart by an odd number of cache lines, so that a column does not fall into one cache
/// set.
struct PaddedMatrix {
  std::vector<float> values;
  ptrdiff_t row = 0;  ///< floats from one row to the next

  void CopyFrom(const float* source, int rows, int columns);
  void TransposeFrom(const float* source, int rows, int columns);
  const float* data() const { return values.data(); }
};

/// Floats between rows of `columns` columns in a PaddedMatrix.
constexpr ptrdiff_t PaddedRow(int columns) { return (columns + 15) / 32 * 32 + 16; }

struct LayerWeights {
  PaddedMatrix input;
  PaddedMatrix recurrent;
  std::vector<float> bias;
  PaddedMatrix input_transposed;      ///< for learning, from the second layer on
  PaddedMatrix recurrent_transposed;  ///< for learning
};

struct DenseWeights {
  PaddedMatrix weight;
  std::vector<float> bias;
};

/// Parameters laid out for the CPU kernels.
/// Thread: immutable between two calls of Prepare.
struct CpuWeights {
  enum class Use { kServe, kLearn };
  void Prepare(const NetLayout& layout, std::span<const float> parameters, Use use);

  LayerWeights layers[NetLayout::kMaxLayers];
  std::vector<DenseWeights> dense;  ///< for serving
  std::vector<float> age_bias;      ///< for serving
  std::vector<float> encoder;       ///< of an encoder other than the LSTM, as in the layout
  std::vector<float> embedding;
  PaddedMatrix context;
  PaddedMatrix context_transposed;
  PaddedMatrix step;
  std::vector<float> horizon_bias;
  PaddedMatrix output;
  PaddedMatrix output_transposed;
  std::vector<float> output_bias;
};

}  // namespace tidecast::net
