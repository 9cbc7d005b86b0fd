#include "models/torch/cpu_weights.h"

#include <algorithm>

namespace tidecast::net {

void PaddedMatrix::CopyFrom(const float* source, int rows, int columns) {
  row = PaddedRow(columns);
  values.resize(static_cast<size_t>(row * rows));
  for (int i = 0; i < rows; ++i) std::copy_n(source + ptrdiff_t{i} * columns, columns, values.data() + i * row);
}

void PaddedMatrix::TransposeFrom(const float* source, int rows, int columns) {
  row = PaddedRow(rows);
  values.resize(static_cast<size_t>(row * columns));
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) values[static_cast<size_t>(j * row + i)] = source[ptrdiff_t{i} * columns + j];
  }
}

void CpuWeights::Prepare(const NetLayout& layout, std::span<const float> parameters, Use use) {
  const auto at = [&](const Segment& segment) { return parameters.data() + segment.offset; };
  const auto vector = [&](const Segment& segment, std::vector<float>* out) {
    out->assign(at(segment), at(segment) + segment.size());
  };
  const auto copy = [&](const Segment& segment, PaddedMatrix* out) {
    out->CopyFrom(at(segment), segment.rows, segment.columns);
  };
  const auto transpose = [&](const Segment& segment, PaddedMatrix* out) {
    out->TransposeFrom(at(segment), segment.rows, segment.columns);
  };
  const bool learn = use == Use::kLearn;
  if (!layout.is_lstm()) encoder.assign(parameters.begin(), parameters.begin() + ptrdiff_t(layout.encoder_size));
  dense.resize(learn ? 0 : layout.dense.size());
  for (size_t i = 0; i < dense.size(); ++i) {
    copy(layout.dense[i].weight, &dense[i].weight);
    vector(layout.dense[i].bias, &dense[i].bias);
  }
  if (!learn) vector(layout.age_bias, &age_bias);
  for (int layer = 0; layout.is_lstm() && layer < layout.shape.layers; ++layer) {
    const LayerSegments& segments = layout.layers[layer];
    copy(segments.input, &layers[layer].input);
    copy(segments.recurrent, &layers[layer].recurrent);
    vector(segments.bias, &layers[layer].bias);
    if (learn) transpose(segments.recurrent, &layers[layer].recurrent_transposed);
    if (learn && layer > 0) transpose(segments.input, &layers[layer].input_transposed);
  }
  vector(layout.embedding, &embedding);
  copy(layout.context, &context);
  copy(layout.step, &step);
  vector(layout.horizon_bias, &horizon_bias);
  copy(layout.output, &output);
  vector(layout.output_bias, &output_bias);
  if (learn) {
    transpose(layout.context, &context_transposed);
    transpose(layout.output, &output_transposed);
  }
}

}  // namespace tidecast::net
