#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/core/forecast.h"
#include "engine/core/status.h"
#include "models/net.h"

namespace tidecast::net {

inline constexpr int kDecoderWidth = 64;            ///< units of the decoder's hidden layer
inline constexpr int kLevelsPadded = 16;            ///< kLevelCount rounded up to whole vectors
inline constexpr int kOutputs = 2 * kLevelsPadded;  ///< columns of the last layer: a in 0..13, b in 16..29, rest unused
inline constexpr int kHorizonCode = 2;              ///< {log(1 + step) / 4, 1 / step}: the same for any horizon
inline constexpr float kScaleLimit = 3.0F;          ///< |a| stays below it: a = limit * tanh(raw / limit)

/// A matrix within the flat parameter vector, row-major [rows][columns]; weights stand as [in][out].
struct Segment {
  size_t offset = 0;
  int rows = 0;
  int columns = 0;
  size_t size() const { return static_cast<size_t>(rows) * static_cast<size_t>(columns); }
};

/// Matrices of one recurrent layer. Gates stand in the order input, forget, cell, output.
struct LayerSegments {
  Segment input;      ///< [inputs or hidden][4 hidden]
  Segment recurrent;  ///< [hidden][4 hidden]
  Segment bias;       ///< [1][4 hidden]
};

/// A matrix and what is added to its product. No bias: no rows.
struct DenseSegments {
  Segment weight;  ///< [in][out]
  Segment bias;    ///< [1][out]
};

inline constexpr int kHeads = 4;  ///< of self-attention

/// Where each parameter lies in the flat vector that weights, averages, moments and gradients share.
/// Thread: immutable after construction.
struct NetLayout {
  static constexpr int kMaxLayers = 2;

  explicit NetLayout(const NetShape& shape);

  /// Width of the carried h that the decoder reads: none without layers.
  int memory_width() const { return shape.layers > 0 ? shape.hidden : 0; }
  int context_width() const { return memory_width() + shape.id_width + shape.statics; }
  int step_width() const { return shape.known + kHorizonCode + static_cast<int>(kLevelCount); }
  int layer_inputs(int layer) const { return layer == 0 ? shape.inputs : shape.hidden; }
  size_t state_floats() const { return StateFloats(shape); }
  /// Where in a state the decoder's part begins: h of the top layer.
  size_t top_state() const {
    const size_t layers = static_cast<size_t>(shape.layers);
    return layers == 0 ? 0 : state_floats() / layers * (layers - 1);
  }
  bool is_lstm() const { return shape.encoder == NetEncoder::kLstm; }
  /// Halvings of the window by the TCN: its output sees the newest 2^levels steps.
  int tcn_levels() const;

  NetShape shape;
  LayerSegments layers[kMaxLayers];  ///< of an LSTM
  /// Of the other encoders. GRU: a layer's input, then its recurrent one, gates in the order reset, update, new.
  /// TCN: a level's two taps, the older first. Attention: embedding, query-key-value, output.
  std::vector<DenseSegments> dense;
  Segment age_bias;         ///< [window][kHeads] of attention, by steps back
  size_t encoder_size = 0;  ///< floats of all of these
  Segment embedding;        ///< [id_buckets][id_width]
  Segment context;          ///< [memory + id_width + statics][decoder]
  Segment step;             ///< [known + horizon code + levels][decoder]
  Segment horizon_bias;     ///< [horizon][decoder]
  Segment output;           ///< [decoder][kOutputs], zero at birth
  Segment output_bias;      ///< [1][kOutputs], zero at birth
  size_t size = 0;          ///< floats in all
};

/// Errors: kInvalidArgument with the member that is out of its range.
Status CheckShape(const NetShape& shape);
/// "lstm, horizon 14, window 42, ..." for messages.
std::string DescribeShape(const NetShape& shape);
bool SameShape(const NetShape& left, const NetShape& right);

}  // namespace tidecast::net
