#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/torch/cpu_kernels.h"
#include "models/torch/cpu_weights.h"
#include "models/torch/net_layout.h"

namespace tidecast::net {

/// What the decoder reads of one chunk of rows. Views are valid during the call.
struct DecoderInput {
  int rows = 0;
  const float* hidden = nullptr;  ///< [rows] apart by hidden_row: h of the top layer
  ptrdiff_t hidden_row = 0;
  const float* statics = nullptr;  ///< [rows, statics]
  const uint32_t* ids = nullptr;   ///< [rows]
  const float* known = nullptr;    ///< [rows, horizon, known]
  const float* base = nullptr;     ///< [rows, horizon, kLevelCount]
};

/// The decoder on CPU: context once a row, then a small net a position (row, step).
///   1. context = W_c [h, embedding, statics];
///   2. hidden = silu(context + horizon bias + W_s [known, code, signed log of base]);
///   3. raw = W_o hidden + bias;
///   4. value = base * exp(a) + b, sorted along the level.
/// Thread: confined; scratch of one chunk.
class CpuDecoder {
 public:
  CpuDecoder(const NetLayout& layout, const CpuKernels& kernels);

  /// Fills values() for all positions, unsorted; with `learn` also what Backward needs.
  void Forward(const CpuWeights& weights, const DecoderInput& input, bool learn);
  /// dvalues: gradient of each unsorted value [positions, kLevelsPadded]. Adds to `gradient` (layout) and overwrites
  /// d_hidden [rows, hidden].  REQUIRES: Forward(learn = true) of the same input came before.
  void Backward(const CpuWeights& weights, const DecoderInput& input, const float* dvalues, float* gradient,
                float* d_hidden);
  /// [positions, kLevelsPadded]
  const float* values() const { return values_.data(); }

 private:
  const NetLayout& layout_;
  const CpuKernels& kernels_;
  std::vector<float> horizon_log_;  // [horizon] log(1 + step)
  std::vector<float> context_input_;
  std::vector<float> context_;
  std::vector<float> features_;
  std::vector<float> hidden_;
  std::vector<float> hidden_slope_;
  std::vector<float> raw_;
  std::vector<float> base_;
  std::vector<float> values_;
  std::vector<float> value_slope_;
  std::vector<float> d_raw_;
  std::vector<float> d_hidden_;
  std::vector<float> d_context_;
  std::vector<float> d_context_input_;
};

/// Sorts kLevelCount values ascending, stable. order[i] = where the i-th smallest stood. NaN never moves past a number.
void SortLevels(const float* values, float* sorted, uint8_t* order);

}  // namespace tidecast::net
