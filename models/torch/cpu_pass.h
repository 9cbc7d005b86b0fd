#pragma once

#include <span>
#include <vector>

#include "models/torch/cpu_backend.h"
#include "models/torch/encoder_tape.h"
#include "models/torch/packed_windows.h"

namespace tidecast::net {

/// Forward over windows, loss, and backward through time.
///   1. rows without any label are left out; the rest go in chunks that fit the cache, in order;
///   2. forward, of an LSTM layer by layer, keeping activations; masked steps read zeros and keep the state, and
///      those before the first live one of the chunk are skipped;
///   3. decoder, pinball of the sorted values, gradient back through the sort;
///   4. backward through time, weight gradients added step by step.
/// Thread: confined; keeps its scratch between calls.
class CpuBackend::Pass {
 public:
  Pass(const NetLayout& layout, const CpuKernels& kernels);
  /// Adds to `gradient` (zeroed by the caller) unless it is empty.
  BatchLoss Run(const CpuWeights& weights, const NetBatch& batch, std::span<float> gradient);

 private:
  struct LayerTrace {
    std::vector<float> gates;   // [window, rows, gates_row]
    std::vector<float> h;       // [window + 1, rows, hidden]
    std::vector<float> c;       // [window + 1, rows, hidden]
    std::vector<float> tanh_c;  // [window, rows, hidden]
  };

  void Gather(const NetBatch& batch, std::span<const int> rows);
  void ForwardLayer(const CpuWeights& weights, int layer);
  void BackwardLayer(const CpuWeights& weights, int layer, float* gradient);
  /// Adds the chunk's loss; fills d_values_ with `learn`.
  void Loss(double total, bool learn, BatchLoss* out);
  const float* layer_input(int layer, int step) const;
  int first_position() const { return layout_.shape.window - layout_.shape.positions; }

  const NetLayout& layout_;
  const CpuKernels& kernels_;
  CpuDecoder decoder_;
  int first_step_ = 0;             // steps before it are masked in all rows of the chunk
  int rows_ = 0;                   // of the chunk
  std::vector<float> inputs_;      // [window, rows, inputs]
  std::vector<float> input_mask_;  // [window, rows]
  // The decoder's side, [positions, rows, ...]: position by position.
  std::vector<float> statics_;
  std::vector<uint32_t> ids_;
  std::vector<float> known_;
  std::vector<float> base_;
  std::vector<float> target_;          // [positions, rows, horizon]
  std::vector<float> label_weight_;    // [positions, rows, horizon] weight * mask
  std::vector<float> d_values_;        // [positions, rows, horizon, kLevelsPadded]
  std::unique_ptr<EncoderTape> tape_;  // null for an LSTM, whose traces_ do the same
  PackedWindows packed_;
  std::vector<float> memory_;  // [positions, rows, hidden]
  LayerTrace traces_[NetLayout::kMaxLayers];
  std::vector<float> d_decoder_;  // [positions, rows, hidden]
  std::vector<float> dh_;         // [rows, hidden]
  std::vector<float> dc_;
  std::vector<float> d_from_above_;  // [window, rows, hidden]
};

}  // namespace tidecast::net
