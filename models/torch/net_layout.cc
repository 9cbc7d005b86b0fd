#include "models/torch/net_layout.h"

#include <fmt/format.h>

#include <bit>

namespace tidecast::net {

NetLayout::NetLayout(const NetShape& given) : shape(given) {
  const auto take = [this](int rows, int columns) {
    const Segment segment{size, rows, columns};
    size += segment.size();
    return segment;
  };
  const int gates = 4 * shape.hidden;
  const auto take_dense = [&](int rows, int columns, bool with_bias) {
    const Segment weight = take(rows, columns);
    dense.push_back({weight, with_bias ? take(1, columns) : Segment{size, 0, columns}});
  };
  const int hidden = shape.hidden;
  switch (shape.encoder) {
    case NetEncoder::kLstm:
      break;
    case NetEncoder::kGru:
      for (int layer = 0; layer < shape.layers; ++layer) {
        take_dense(layer_inputs(layer), 3 * hidden, true);
        take_dense(hidden, 3 * hidden, true);
      }
      break;
    case NetEncoder::kTcn:
      for (int level = 0; level < tcn_levels(); ++level)
        take_dense(2 * (level == 0 ? shape.inputs : hidden), hidden, true);
      break;
    case NetEncoder::kAttention:
      take_dense(shape.inputs, hidden, true);
      take_dense(hidden, 3 * hidden, false);
      take_dense(hidden, hidden, true);
      age_bias = take(shape.window, kHeads);
      break;
  }
  for (int layer = 0; is_lstm() && layer < shape.layers; ++layer) {
    layers[layer].input = take(layer_inputs(layer), gates);
    layers[layer].recurrent = take(shape.hidden, gates);
    layers[layer].bias = take(1, gates);
  }
  encoder_size = size;
  embedding = take(shape.id_buckets, shape.id_width);
  context = take(context_width(), kDecoderWidth);
  step = take(step_width(), kDecoderWidth);
  horizon_bias = take(shape.horizon, kDecoderWidth);
  output = take(kDecoderWidth, kOutputs);
  output_bias = take(1, kOutputs);
}

int NetLayout::tcn_levels() const { return std::bit_width(static_cast<unsigned>(shape.window)) - 1; }

Status CheckShape(const NetShape& shape) {
  const auto check = [](const char* name, int value, int low, int high) -> Status {
    if (value >= low && value <= high) return Status::Ok();
    return Status(Code::kInvalidArgument, fmt::format("a net's shape is out of range: {} is {}", name, value),
                  Domain::kInput)
        .WithRemedy(fmt::format("choose {} between {} and {}", name, low, high));
  };
  TC_RETURN_IF_ERROR(check("horizon", shape.horizon, 1, 4096));
  TC_RETURN_IF_ERROR(check("window", shape.window, 1, 4096));
  TC_RETURN_IF_ERROR(check("positions", shape.positions, 1, shape.window));
  TC_RETURN_IF_ERROR(check("inputs", shape.inputs, 1, 4096));
  TC_RETURN_IF_ERROR(check("known", shape.known, 0, 4096));
  TC_RETURN_IF_ERROR(check("statics", shape.statics, 0, 4096));
  TC_RETURN_IF_ERROR(check("hidden", shape.hidden, 8, 1024));
  const int encoder = static_cast<int>(shape.encoder);
  TC_RETURN_IF_ERROR(check("encoder", encoder, 0, static_cast<int>(NetEncoder::kAttention)));
  TC_RETURN_IF_ERROR(check("layers", shape.layers, shape.encoder == NetEncoder::kLstm ? 0 : 1,
                           CarriesState(shape) ? NetLayout::kMaxLayers : 1));
  if (!CarriesState(shape)) TC_RETURN_IF_ERROR(check("window", shape.window, 2, 4096));
  TC_RETURN_IF_ERROR(check("id_buckets", shape.id_buckets, 1, 1 << 24));
  TC_RETURN_IF_ERROR(check("id_width", shape.id_width, 1, 256));
  if (shape.hidden % 8 != 0) {
    return Status(Code::kInvalidArgument, fmt::format("a net's hidden width is a multiple of 8: {}", shape.hidden),
                  Domain::kInput)
        .WithRemedy("choose hidden 64 or 128");
  }
  return Status::Ok();
}

std::string DescribeShape(const NetShape& shape) {
  constexpr const char* kNames[] = {"lstm", "gru", "tcn", "attention"};
  const auto encoder = static_cast<size_t>(shape.encoder);
  return fmt::format(
      "{}, horizon {}, window {}, inputs {}, known {}, statics {}, hidden {}, layers {}, id_buckets {}, id_width {}",
      shape.layers == 0             ? "mlp"
      : encoder < std::size(kNames) ? kNames[encoder]
                                    : "unknown",
      shape.horizon, shape.window, shape.inputs, shape.known, shape.statics, shape.hidden, shape.layers,
      shape.id_buckets, shape.id_width);
}

bool SameShape(const NetShape& left, const NetShape& right) {
  return left.horizon == right.horizon && left.window == right.window && left.inputs == right.inputs &&
         left.known == right.known && left.statics == right.statics && left.encoder == right.encoder &&
         left.hidden == right.hidden && left.layers == right.layers && left.id_buckets == right.id_buckets &&
         left.id_width == right.id_width;
}

}  // namespace tidecast::net
