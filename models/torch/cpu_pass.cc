#include "models/torch/cpu_pass.h"

#include <algorithm>

namespace tidecast::net {
namespace {

constexpr int kChunkRows = 48;      // a multiple of the kernel's row tile
constexpr int kTapeChunkRows = 96;  // what autograd costs beside the arithmetic is paid once a chunk

}  // namespace

CpuBackend::Pass::Pass(const NetLayout& layout, const CpuKernels& kernels)
    : layout_(layout),
      kernels_(kernels),
      decoder_(layout, kernels),
      tape_(layout.is_lstm() ? nullptr : MakeEncoderTape(layout)) {}

void CpuBackend::Pass::Gather(const NetBatch& batch, std::span<const int> rows) {
  const NetShape& shape = layout_.shape;
  const size_t count = rows.size();
  const size_t window = static_cast<size_t>(shape.window);
  const size_t inputs = static_cast<size_t>(shape.inputs);
  const size_t horizon = static_cast<size_t>(shape.horizon);
  const size_t statics = static_cast<size_t>(shape.statics);
  const size_t known = static_cast<size_t>(shape.known);
  const size_t positions = static_cast<size_t>(shape.positions);
  rows_ = static_cast<int>(count);
  if (tape_ != nullptr) {
    packed_ = PackedWindows::Of(shape, shape.positions, rows, batch.inputs, batch.input_mask);
  } else {
    inputs_.assign(window * count * inputs, 0.0F);
    input_mask_.resize(window * count);
  }
  statics_.resize(positions * count * statics);
  ids_.resize(positions * count);
  known_.assign(positions * count * horizon * known, 0.0F);
  base_.assign(positions * count * horizon * kLevelCount, 0.0F);
  target_.assign(positions * count * horizon, 0.0F);
  label_weight_.assign(positions * count * horizon, 0.0F);
  first_step_ = shape.window;
  for (size_t i = 0; i < count; ++i) {
    const size_t row = static_cast<size_t>(rows[i]);
    for (size_t step = 0; tape_ == nullptr && step < window; ++step) {
      const float mask = batch.input_mask[row * window + step];
      input_mask_[step * count + i] = mask;
      if (mask == 0.0F) continue;
      first_step_ = std::min(first_step_, static_cast<int>(step));
      std::copy_n(batch.inputs.data() + (row * window + step) * inputs, inputs,
                  inputs_.data() + (step * count + i) * inputs);
    }
    for (size_t position = 0; position < positions; ++position) {
      // The decoder's rows run through the chunk for each position in turn, as the states of the trace lie.
      const size_t source = row * positions + position;
      const size_t place = position * count + i;
      std::copy_n(batch.statics.data() + source * statics, statics, statics_.data() + place * statics);
      ids_[place] = batch.ids[row];
      for (size_t step = 0; step < horizon; ++step) {
        const size_t from = source * horizon + step;
        const size_t to = place * horizon + step;
        if (batch.mask[from] == 0.0F) continue;
        label_weight_[to] = batch.weight[row] * batch.mask[from];
        target_[to] = batch.target[from];
        std::copy_n(batch.known.data() + from * known, known, known_.data() + to * known);
        std::copy_n(batch.base.data() + from * kLevelCount, kLevelCount, base_.data() + to * kLevelCount);
      }
    }
  }
}

const float* CpuBackend::Pass::layer_input(int layer, int step) const {
  const ptrdiff_t rows = rows_;
  if (layer == 0) return inputs_.data() + step * rows * layout_.shape.inputs;
  return traces_[layer - 1].h.data() + (step + 1) * rows * layout_.shape.hidden;
}

void CpuBackend::Pass::ForwardLayer(const CpuWeights& weights, int layer) {
  const int hidden = layout_.shape.hidden;
  const int width = layout_.layer_inputs(layer);
  const ptrdiff_t gates_row = PaddedRow(4 * hidden);
  const ptrdiff_t state = ptrdiff_t{rows_} * hidden;
  const size_t window = static_cast<size_t>(layout_.shape.window);
  const LayerWeights& own = weights.layers[layer];
  LayerTrace& trace = traces_[layer];
  trace.gates.resize(window * static_cast<size_t>(rows_ * gates_row));
  trace.h.resize((window + 1) * static_cast<size_t>(state));
  trace.c.resize((window + 1) * static_cast<size_t>(state));
  trace.tanh_c.resize(window * static_cast<size_t>(state));
  // Positions before the first live step see the state of birth.
  const ptrdiff_t first_zero = std::min(first_step_, first_position() + 1);
  std::fill_n(trace.h.begin() + first_zero * state, (first_step_ + 1 - first_zero) * state, 0.0F);
  std::fill_n(trace.c.begin() + first_step_ * state, state, 0.0F);
  for (int step = first_step_; step < layout_.shape.window; ++step) {
    float* gates = trace.gates.data() + step * rows_ * gates_row;
    for (int row = 0; row < rows_; ++row) std::copy(own.bias.begin(), own.bias.end(), gates + row * gates_row);
    kernels_.multiply_add(rows_, 4 * hidden, width, layer_input(layer, step), width, 1, own.input.data(), own.input.row,
                          gates, gates_row);
    kernels_.multiply_add(rows_, 4 * hidden, hidden, trace.h.data() + step * state, hidden, 1, own.recurrent.data(),
                          own.recurrent.row, gates, gates_row);
    kernels_.lstm_cell(rows_, hidden, input_mask_.data() + ptrdiff_t{step} * rows_, 1, gates, gates_row,
                       trace.h.data() + step * state, trace.c.data() + step * state,
                       trace.h.data() + (step + 1) * state, trace.c.data() + (step + 1) * state, hidden,
                       trace.tanh_c.data() + step * state);
  }
}

void CpuBackend::Pass::BackwardLayer(const CpuWeights& weights, int layer, float* gradient) {
  const int hidden = layout_.shape.hidden;
  const int width = layout_.layer_inputs(layer);
  const ptrdiff_t gates_row = PaddedRow(4 * hidden);
  const ptrdiff_t state = ptrdiff_t{rows_} * hidden;
  const bool top = layer == layout_.shape.layers - 1;
  const LayerSegments& segments = layout_.layers[layer];
  LayerTrace& trace = traces_[layer];
  dh_.assign(static_cast<size_t>(state), 0.0F);
  dc_.assign(static_cast<size_t>(state), 0.0F);
  for (int step = layout_.shape.window - 1; step >= first_step_; --step) {
    if (!top || step >= first_position()) {
      const float* from =
          top ? d_decoder_.data() + (step - first_position()) * state : d_from_above_.data() + step * state;
      for (ptrdiff_t i = 0; i < state; ++i) dh_[static_cast<size_t>(i)] += from[i];
    }
    float* gates = trace.gates.data() + step * rows_ * gates_row;
    kernels_.lstm_cell_backward(rows_, hidden, input_mask_.data() + ptrdiff_t{step} * rows_, 1, gates, gates_row,
                                trace.c.data() + step * state, trace.tanh_c.data() + step * state, dh_.data(),
                                dc_.data());
    kernels_.add_columns(rows_, 4 * hidden, gates, gates_row, gradient + segments.bias.offset);
    kernels_.multiply_add(width, 4 * hidden, rows_, layer_input(layer, step), 1, width, gates, gates_row,
                          gradient + segments.input.offset, 4 * hidden);
    if (step > first_step_) {
      kernels_.multiply_add(hidden, 4 * hidden, rows_, trace.h.data() + step * state, 1, hidden, gates, gates_row,
                            gradient + segments.recurrent.offset, 4 * hidden);
      const PaddedMatrix& back = weights.layers[layer].recurrent_transposed;
      kernels_.multiply_add(rows_, hidden, 4 * hidden, gates, gates_row, 1, back.data(), back.row, dh_.data(), hidden);
    }
    if (layer > 0) {
      // This layer's own row of d_from_above_ has been read: it now carries what goes to the layer below.
      float* below = d_from_above_.data() + step * state;
      std::fill_n(below, state, 0.0F);
      const PaddedMatrix& back = weights.layers[layer].input_transposed;
      kernels_.multiply_add(rows_, hidden, 4 * hidden, gates, gates_row, 1, back.data(), back.row, below, hidden);
    }
  }
}

void CpuBackend::Pass::Loss(double total, bool learn, BatchLoss* out) {
  const size_t positions = label_weight_.size();
  const double scale = 1.0 / (total * static_cast<double>(kLevelCount));
  if (learn) d_values_.assign(positions * kLevelsPadded, 0.0F);
  for (size_t position = 0; position < positions; ++position) {
    const float weight = label_weight_[position];
    if (weight == 0.0F) continue;
    float sorted[kLevelCount];
    uint8_t order[kLevelCount];
    SortLevels(decoder_.values() + position * kLevelsPadded, sorted, order);
    const float target = target_[position];
    const float* base = base_.data() + position * kLevelCount;
    double loss = 0;
    double base_loss = 0;
    for (size_t level = 0; level < kLevelCount; ++level) {
      const float tau = kLevels[level];
      const float above = target - sorted[level];
      loss += static_cast<double>(above > 0 ? tau * above : (tau - 1.0F) * above);
      const float base_above = target - base[level];
      base_loss += static_cast<double>(base_above > 0 ? tau * base_above : (tau - 1.0F) * base_above);
      if (!learn) continue;
      const float slope = above > 0 ? -tau : above < 0 ? 1.0F - tau : 0.0F;
      d_values_[position * kLevelsPadded + order[level]] = static_cast<float>(weight * scale) * slope;
    }
    out->loss += loss * weight * scale;
    out->base_loss += base_loss * weight * scale;
  }
}

BatchLoss CpuBackend::Pass::Run(const CpuWeights& weights, const NetBatch& batch, std::span<float> gradient) {
  const size_t labels = static_cast<size_t>(layout_.shape.positions) * static_cast<size_t>(layout_.shape.horizon);
  const bool learn = !gradient.empty();
  BatchLoss out;
  std::vector<int> active;
  for (size_t row = 0; row < static_cast<size_t>(batch.rows); ++row) {
    double sum = 0;
    for (size_t label = row * labels; label < (row + 1) * labels; ++label) {
      if (batch.mask[label] != 0.0F)
        sum += static_cast<double>(batch.weight[row]) * static_cast<double>(batch.mask[label]);
    }
    if (sum != 0.0) active.push_back(static_cast<int>(row));
    out.labels += sum;
  }
  if (out.labels == 0.0) return out;

  const int layers = layout_.shape.layers;
  const size_t state = static_cast<size_t>(layout_.shape.hidden);
  const size_t chunk = tape_ != nullptr ? kTapeChunkRows : kChunkRows;
  for (size_t first = 0; first < active.size(); first += chunk) {
    Gather(batch, std::span(active).subspan(first, std::min(chunk, active.size() - first)));
    const size_t rows = static_cast<size_t>(rows_);
    if (tape_ != nullptr) {
      memory_.resize(static_cast<size_t>(layout_.shape.positions) * rows * state);
      tape_->Forward(weights.encoder, packed_, learn, memory_);
    } else {
      for (int layer = 0; layer < layers; ++layer) ForwardLayer(weights, layer);
    }
    const DecoderInput input{
        .rows = layout_.shape.positions * rows_,
        .hidden = tape_ != nullptr ? memory_.data()
                  : layers > 0 ? traces_[layers - 1].h.data() + static_cast<size_t>(first_position() + 1) * rows * state
                               : nullptr,
        .hidden_row = layout_.memory_width(),
        .statics = statics_.data(),
        .ids = ids_.data(),
        .known = known_.data(),
        .base = base_.data()};
    decoder_.Forward(weights, input, learn);
    Loss(out.labels, learn, &out);
    if (!learn) continue;
    d_decoder_.resize(static_cast<size_t>(input.rows) * state);
    decoder_.Backward(weights, input, d_values_.data(), gradient.data(), d_decoder_.data());
    if (tape_ != nullptr) {
      tape_->Backward(d_decoder_, gradient.first(layout_.encoder_size));
      continue;
    }
    if (layers > 1) d_from_above_.assign(static_cast<size_t>(layout_.shape.window) * rows * state, 0.0F);
    for (int layer = layers - 1; layer >= 0; --layer) BackwardLayer(weights, layer, gradient.data());
  }
  return out;
}

}  // namespace tidecast::net
