#pragma once

#include <cstddef>
#include <span>

#include "engine/core/check.h"

namespace tidecast {

/// Rolling features of a block of series: [series, time, feature] float32, row-major, oldest time first.
/// Rows before a series was born are NaN. A view: the builder owns the memory, until its next call.
/// Thread: immutable.
struct FeatureTensor {
  std::span<const float> data;
  size_t series = 0;
  size_t time = 0;
  size_t feature = 0;

  float At(size_t s, size_t t, size_t f) const { return data[(s * time + t) * feature + f]; }
  std::span<const float> Row(size_t s, size_t t) const { return data.subspan((s * time + t) * feature, feature); }
};

}  // namespace tidecast
