#include "models/sorted_history.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace tidecast {
namespace {

static_assert(kHistory <= 256, "a slot fits a byte");

/// Orders by value, then slot, as one whole number.
uint64_t Pack(float value, size_t slot) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t ordered = bits ^ ((bits >> 31) != 0 ? 0xffffffffU : 0x80000000U);
  return static_cast<uint64_t>(ordered) << 32 | slot;
}
SortedHistory::Entry Unpack(uint64_t packed) {
  const uint32_t ordered = static_cast<uint32_t>(packed >> 32);
  const uint32_t bits = ordered ^ ((ordered >> 31) != 0 ? 0x80000000U : 0xffffffffU);
  return {std::bit_cast<float>(bits), static_cast<uint32_t>(packed)};
}

}  // namespace

void SortedHistory::Take(const ExpertBlock& block, bool zeros_apart) {
  entries_.resize(block.series * kHistory);
  zeros_.resize(block.series * kHistory);
  counts_.assign(block.series, 0);
  zero_counts_.assign(block.series, 0);
  std::array<uint64_t, kHistory> packed;
  for (size_t i = 0; i < block.series; ++i) {
    const float* history = block.history.data() + i * kHistory;
    size_t count = 0;
    uint32_t zeros = 0;
    for (size_t slot = 0; slot < kHistory; ++slot) {
      const float y = history[slot];
      if (!(std::fabs(y) < 3e38F)) continue;
      if (zeros_apart && y == 0) {
        zeros_[i * kHistory + zeros++] = static_cast<uint8_t>(slot);
      } else {
        packed[count++] = Pack(y * block.inverse_factor[slot], slot);
      }
    }
    std::sort(packed.begin(), packed.begin() + static_cast<ptrdiff_t>(count));
    Entry* out = entries_.data() + i * kHistory;
    for (size_t at = 0; at < count; ++at) out[at] = Unpack(packed[at]);
    counts_[i] = static_cast<uint32_t>(count);
    zero_counts_[i] = zeros;
  }
}

}  // namespace tidecast
