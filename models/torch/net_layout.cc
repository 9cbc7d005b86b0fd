#include "models/torch/net_layout.h"

#include <fmt/format.h>

namespace tidecast::net {

NetLayout::NetLayout(const NetShape& given) : shape(given) {
  const auto take = [this](int rows, int columns) {
    const Segment segment{size, rows, columns};
    size += segment.size();
    return segment;
  };
  const int gates = 4 * shape.hidden;
  for (int layer = 0; layer < shape.layers; ++layer) {
    layers[layer].input = take(layer_inputs(layer), gates);
    layers[layer].recurrent = take(shape.hidden, gates);
    layers[layer].bias = take(1, gates);
  }
  embedding = take(shape.id_buckets, shape.id_width);
  context = take(context_width(), kDecoderWidth);
  step = take(step_width(), kDecoderWidth);
  horizon_bias = take(shape.horizon, kDecoderWidth);
  output = take(kDecoderWidth, kOutputs);
  output_bias = take(1, kOutputs);
}

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
  TC_RETURN_IF_ERROR(check("layers", shape.layers, 0, NetLayout::kMaxLayers));
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
  return fmt::format(
      "horizon {}, window {}, inputs {}, known {}, statics {}, hidden {}, layers {}, id_buckets {}, id_width {}",
      shape.horizon, shape.window, shape.inputs, shape.known, shape.statics, shape.hidden, shape.layers,
      shape.id_buckets, shape.id_width);
}

bool SameShape(const NetShape& left, const NetShape& right) {
  return left.horizon == right.horizon && left.window == right.window && left.inputs == right.inputs &&
         left.known == right.known && left.statics == right.statics && left.hidden == right.hidden &&
         left.layers == right.layers && left.id_buckets == right.id_buckets && left.id_width == right.id_width;
}

}  // namespace tidecast::net
