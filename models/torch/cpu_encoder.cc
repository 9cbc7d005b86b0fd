// How each encoder serves:
//   LSTM, GRU   step by step; a window is its steps;
//   TCN         the newest 2^levels live steps; a level joins neighbours two and two, which is the dilated causal
//               convolution at the one step that is asked for;
//   attention   one block of self-attention over the live steps of the window, asked from the newest.
#include "models/torch/cpu_encoder.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "engine/core/check.h"
#include "models/torch/packed_windows.h"

namespace tidecast::net {
namespace {

constexpr int kServeRows = 48;

/// out [rows, columns] = bias + x [rows, inner] weight, columns from `first` on.
void Apply(const CpuKernels& kernels, const DenseWeights& dense, int rows, int inner, const float* x, ptrdiff_t x_row,
           int first, int columns, float* out, ptrdiff_t out_row) {
  for (int row = 0; row < rows; ++row) {
    if (dense.bias.empty()) {
      std::fill_n(out + row * out_row, columns, 0.0F);
    } else {
      std::copy_n(dense.bias.begin() + first, columns, out + row * out_row);
    }
  }
  kernels.multiply_add(rows, columns, inner, x, x_row, 1, dense.weight.data() + first, dense.weight.row, out, out_row);
}

class RecurrentEncoder : public CpuEncoder {
 public:
  RecurrentEncoder(const NetLayout& layout, const CpuKernels& kernels) : layout_(layout), kernels_(kernels) {}

  void Advance(const CpuWeights& weights, int rows, const float* inputs, const float* mask,
               float* states) const override {
    std::vector<float> gates(scratch());
    for (int first = 0; first < rows; first += kServeRows) {
      Step(weights, std::min(kServeRows, rows - first), inputs + ptrdiff_t{first} * layout_.shape.inputs,
           layout_.shape.inputs, mask + first, 1, states + first * state_row(), gates.data());
    }
  }

  void Rerun(const CpuWeights& weights, int rows, const float* inputs, const float* mask,
             float* states) const override {
    const ptrdiff_t window = layout_.shape.window;
    const ptrdiff_t width = layout_.shape.inputs;
    std::vector<float> gates(scratch());
    for (int first = 0; first < rows; first += kServeRows) {
      for (ptrdiff_t step = 0; step < window; ++step) {
        Step(weights, std::min(kServeRows, rows - first), inputs + (first * window + step) * width, window * width,
             mask + first * window + step, window, states + first * state_row(), gates.data());
      }
    }
  }

 protected:
  /// Steps `rows` states by inputs that are `input_row` apart, masks `mask_row` apart. gates: scratch.
  virtual void Step(const CpuWeights& weights, int rows, const float* inputs, ptrdiff_t input_row, const float* mask,
                    ptrdiff_t mask_row, float* states, float* gates) const = 0;
  virtual size_t scratch() const = 0;
  ptrdiff_t state_row() const { return static_cast<ptrdiff_t>(layout_.state_floats()); }

  const NetLayout& layout_;
  const CpuKernels& kernels_;
};

class LstmEncoder final : public RecurrentEncoder {
 public:
  using RecurrentEncoder::RecurrentEncoder;

 private:
  size_t scratch() const override { return static_cast<size_t>(kServeRows * PaddedRow(4 * layout_.shape.hidden)); }
  void Step(const CpuWeights& weights, int rows, const float* inputs, ptrdiff_t input_row, const float* mask,
            ptrdiff_t mask_row, float* states, float* gates) const override {
    const int hidden = layout_.shape.hidden;
    const ptrdiff_t gates_row = PaddedRow(4 * hidden);
    for (int layer = 0; layer < layout_.shape.layers; ++layer) {
      const LayerWeights& own = weights.layers[layer];
      float* h = states + ptrdiff_t{2} * layer * hidden;
      const float* x = layer == 0 ? inputs : h - 2 * hidden;
      const ptrdiff_t x_row = layer == 0 ? input_row : state_row();
      for (int row = 0; row < rows; ++row) std::copy(own.bias.begin(), own.bias.end(), gates + row * gates_row);
      kernels_.multiply_add(rows, 4 * hidden, layout_.layer_inputs(layer), x, x_row, 1, own.input.data(), own.input.row,
                            gates, gates_row);
      kernels_.multiply_add(rows, 4 * hidden, hidden, h, state_row(), 1, own.recurrent.data(), own.recurrent.row, gates,
                            gates_row);
      kernels_.lstm_cell(rows, hidden, mask, mask_row, gates, gates_row, h, h + hidden, h, h + hidden, state_row(),
                         nullptr);
    }
  }
};

class GruEncoder final : public RecurrentEncoder {
 public:
  using RecurrentEncoder::RecurrentEncoder;

 private:
  size_t scratch() const override { return static_cast<size_t>(2 * kServeRows * PaddedRow(3 * layout_.shape.hidden)); }
  void Step(const CpuWeights& weights, int rows, const float* inputs, ptrdiff_t input_row, const float* mask,
            ptrdiff_t mask_row, float* states, float* gates) const override {
    const int hidden = layout_.shape.hidden;
    const ptrdiff_t gates_row = PaddedRow(3 * hidden);
    float* from_state = gates + kServeRows * gates_row;
    for (int layer = 0; layer < layout_.shape.layers; ++layer) {
      float* h = states + ptrdiff_t{layer} * hidden;
      Apply(kernels_, weights.dense[static_cast<size_t>(2 * layer)], rows, layout_.layer_inputs(layer),
            layer == 0 ? inputs : h - hidden, layer == 0 ? input_row : state_row(), 0, 3 * hidden, gates, gates_row);
      Apply(kernels_, weights.dense[static_cast<size_t>(2 * layer + 1)], rows, hidden, h, state_row(), 0, 3 * hidden,
            from_state, gates_row);
      kernels_.gru_cell(rows, hidden, mask, mask_row, gates, from_state, gates_row, h, state_row());
    }
  }
};

/// Reads the window anew each time, in chunks of rows.
class WindowEncoder : public CpuEncoder {
 public:
  WindowEncoder(const NetLayout& layout, const CpuKernels& kernels) : layout_(layout), kernels_(kernels) {}

  void Advance(const CpuWeights&, int, const float*, const float*, float*) const override {
    TC_CHECK(false, "an encoder that carries no state was told to step");
  }
  void Rerun(const CpuWeights& weights, int rows, const float* inputs, const float* mask,
             float* states) const override {
    const size_t window = static_cast<size_t>(layout_.shape.window);
    std::vector<int> chunk;
    for (int first = 0; first < rows; first += kServeRows) {
      chunk.resize(static_cast<size_t>(std::min(kServeRows, rows - first)));
      std::iota(chunk.begin(), chunk.end(), first);
      const size_t steps = static_cast<size_t>(rows) * window;
      const PackedWindows packed = PackedWindows::Of(
          layout_.shape, 1, chunk, std::span(inputs, steps * static_cast<size_t>(layout_.shape.inputs)),
          std::span(mask, steps));
      Read(weights, packed, states + ptrdiff_t{first} * layout_.shape.hidden);
    }
  }

 protected:
  virtual void Read(const CpuWeights& weights, const PackedWindows& windows, float* memory) const = 0;

  const NetLayout& layout_;
  const CpuKernels& kernels_;
};

class TcnEncoder final : public WindowEncoder {
 public:
  using WindowEncoder::WindowEncoder;

 private:
  void Read(const CpuWeights& weights, const PackedWindows& windows, float* memory) const override {
    const size_t rows = static_cast<size_t>(windows.rows);
    const size_t inputs = static_cast<size_t>(layout_.shape.inputs);
    const size_t hidden = static_cast<size_t>(layout_.shape.hidden);
    const size_t seen = size_t{1} << layout_.tcn_levels();
    std::vector<float> from(rows * seen * inputs);
    for (size_t row = 0; row < rows; ++row) {
      const size_t live = static_cast<size_t>(windows.live[row]);
      const size_t taken = std::min(seen, live);
      std::copy_n(windows.inputs.data() + (row * static_cast<size_t>(windows.steps) + live - taken) * inputs,
                  taken * inputs, from.data() + ((row + 1) * seen - taken) * inputs);
    }
    std::vector<float> to;
    for (int level = 0; level < layout_.tcn_levels(); ++level) {
      const size_t nodes = seen >> (level + 1);
      const size_t width = level == 0 ? inputs : hidden;
      to.resize(rows * nodes * hidden);
      Apply(kernels_, weights.dense[static_cast<size_t>(level)], static_cast<int>(rows * nodes),
            static_cast<int>(2 * width), from.data(), static_cast<ptrdiff_t>(2 * width), 0, layout_.shape.hidden,
            to.data(), layout_.shape.hidden);
      kernels_.silu(to.size(), to.data(), nullptr);
      for (size_t row = 0; row < rows; ++row) {
        for (size_t node = 0; node < nodes; ++node) {
          float* own = to.data() + (row * nodes + node) * hidden;
          const size_t newest_age = (nodes - 1 - node) << (level + 1);
          if (newest_age >= static_cast<size_t>(windows.live[row])) {
            std::fill_n(own, hidden, 0.0F);  // before the first step
          } else if (level > 0) {
            const float* newer = from.data() + ((row * nodes + node) * 2 + 1) * hidden;
            for (size_t j = 0; j < hidden; ++j) own[j] += newer[j];
          }
        }
      }
      std::swap(from, to);
    }
    std::copy(from.begin(), from.end(), memory);
  }
};

class AttentionEncoder final : public WindowEncoder {
 public:
  using WindowEncoder::WindowEncoder;

 private:
  void Read(const CpuWeights& weights, const PackedWindows& windows, float* memory) const override {
    const ptrdiff_t inputs = layout_.shape.inputs;
    const ptrdiff_t hidden = layout_.shape.hidden;
    std::vector<ptrdiff_t> first;  // of each row's steps, one after the other
    std::vector<float> live;
    ptrdiff_t steps = 0;
    for (int row = 0; row < windows.rows; ++row) {
      first.push_back(steps);
      steps += windows.live[static_cast<size_t>(row)];
      const auto from = windows.inputs.begin() + ptrdiff_t{row} * windows.steps * inputs;
      live.insert(live.end(), from, from + windows.live[static_cast<size_t>(row)] * inputs);
    }
    const int count = static_cast<int>(steps);
    std::vector<float> embedded(static_cast<size_t>(steps * hidden)), pairs(static_cast<size_t>(steps * 2 * hidden));
    Apply(kernels_, weights.dense[0], count, layout_.shape.inputs, live.data(), inputs, 0, layout_.shape.hidden,
          embedded.data(), hidden);
    kernels_.silu(embedded.size(), embedded.data(), nullptr);
    Apply(kernels_, weights.dense[1], count, layout_.shape.hidden, embedded.data(), hidden, layout_.shape.hidden,
          2 * layout_.shape.hidden, pairs.data(), 2 * hidden);
    const size_t width = static_cast<size_t>(windows.rows) * static_cast<size_t>(hidden);
    std::vector<float> newest(width), query(width), heard(width), scores(static_cast<size_t>(windows.steps));
    for (int row = 0; row < windows.rows; ++row) {
      const ptrdiff_t own = windows.live[static_cast<size_t>(row)];
      if (own > 0)
        std::copy_n(embedded.data() + (first[static_cast<size_t>(row)] + own - 1) * hidden, hidden,
                    newest.data() + row * hidden);
    }
    Apply(kernels_, weights.dense[1], windows.rows, layout_.shape.hidden, newest.data(), hidden, 0,
          layout_.shape.hidden, query.data(), hidden);
    for (int row = 0; row < windows.rows; ++row) {
      const int own = windows.live[static_cast<size_t>(row)];
      if (own == 0) continue;
      const float* keys = pairs.data() + first[static_cast<size_t>(row)] * 2 * hidden;
      kernels_.attend(kHeads, layout_.shape.hidden / kHeads, own, query.data() + row * hidden, keys, keys + hidden,
                      2 * hidden, weights.age_bias.data(), scores.data(), heard.data() + row * hidden);
    }
    Apply(kernels_, weights.dense[2], windows.rows, layout_.shape.hidden, heard.data(), hidden, 0, layout_.shape.hidden,
          memory, hidden);
    for (int row = 0; row < windows.rows; ++row) {
      float* out = memory + row * hidden;
      if (windows.live[static_cast<size_t>(row)] == 0) {
        std::fill_n(out, hidden, 0.0F);
      } else {
        for (ptrdiff_t j = 0; j < hidden; ++j) out[j] += newest[static_cast<size_t>(row * hidden + j)];
      }
    }
  }
};

}  // namespace

std::unique_ptr<CpuEncoder> MakeCpuEncoder(const NetLayout& layout, const CpuKernels& kernels) {
  switch (layout.shape.encoder) {
    case NetEncoder::kGru:
      return std::make_unique<GruEncoder>(layout, kernels);
    case NetEncoder::kTcn:
      return std::make_unique<TcnEncoder>(layout, kernels);
    case NetEncoder::kAttention:
      return std::make_unique<AttentionEncoder>(layout, kernels);
    case NetEncoder::kLstm:
      break;
  }
  return std::make_unique<LstmEncoder>(layout, kernels);
}

}  // namespace tidecast::net
