#include "models/torch/packed_windows.h"

#include <algorithm>

namespace tidecast::net {

PackedWindows PackedWindows::Of(const NetShape& shape, int positions, std::span<const int> rows,
                                std::span<const float> inputs, std::span<const float> mask) {
  const size_t window = static_cast<size_t>(shape.window);
  const size_t width = static_cast<size_t>(shape.inputs);
  const size_t first_position = window - static_cast<size_t>(positions);
  PackedWindows out;
  out.rows = static_cast<int>(rows.size());
  for (const int row : rows) {
    int live = 0;
    for (size_t step = 0; step < window; ++step) {
      if (mask[static_cast<size_t>(row) * window + step] != 0.0F) ++live;
      if (step >= first_position) out.live.push_back(live);
    }
    out.steps = std::max(out.steps, live);
  }
  const size_t steps = static_cast<size_t>(out.steps);
  out.inputs.assign(rows.size() * steps * width, 0.0F);
  for (size_t i = 0; i < rows.size(); ++i) {
    float* to = out.inputs.data() + i * steps * width;
    for (size_t at = static_cast<size_t>(rows[i]) * window; at < (static_cast<size_t>(rows[i]) + 1) * window; ++at) {
      if (mask[at] != 0.0F) to = std::copy_n(inputs.data() + at * width, width, to);
    }
  }
  return out;
}

}  // namespace tidecast::net
