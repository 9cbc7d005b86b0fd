#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "models/bucket_context.h"
#include "models/expert.h"

namespace tidecast {

/// What all series share apart from the net: one vector of numbers (each part of the model owns a range of it), and the
/// season phases of the newest kHistory buckets.
/// Thread: confined; const access side by side.
class PooledState {
 public:
  /// Claims `size` numbers of the pool and `sums` of a round's sums; returns the part's number.
  size_t Claim(size_t size, size_t sums);
  /// Likewise, of a part that states of formats before `format` do not have yet: it begins at 0 then. REQUIRES: the
  /// last claim, but for later formats' ones.
  size_t ClaimSince(uint32_t format, size_t size, size_t sums);
  std::span<double> pooled(size_t part) { return std::span(values_).subspan(parts_[part].begin, parts_[part].size); }
  std::span<const double> pooled(size_t part) const {
    return std::span(values_).subspan(parts_[part].begin, parts_[part].size);
  }
  std::span<double> Sums(size_t part, std::span<double> all) const {
    return all.subspan(parts_[part].sums_begin, parts_[part].sums);
  }
  std::span<const double> Sums(size_t part, std::span<const double> all) const {
    return all.subspan(parts_[part].sums_begin, parts_[part].sums);
  }
  size_t sums_size() const { return sums_size_; }
  /// Whether a round stored by a format that is read has so many sums.
  bool HasSums(size_t size) const;

  void SetPhase(int64_t index, uint16_t phase);
  uint16_t PhaseOf(int64_t index) const { return phase_[HistorySlot(index)]; }

  void Encode(uint64_t fingerprint, std::string* out) const;
  /// Errors: kVersion for another format, kInvalidShape for another pool, kCorruption, kNotFinite.
  Status Decode(uint64_t fingerprint, std::string_view bytes);
  /// As before the first round; the parts then start their ranges.
  void Clear();
  int64_t rounds = 0;

 private:
  struct Part {
    size_t begin, size, sums_begin, sums;
  };
  std::vector<Part> parts_;
  std::vector<double> values_;
  std::array<uint16_t, kHistory> phase_{};
  size_t sums_size_ = 0;
  struct Later {
    uint32_t format;
    size_t values, sums;
  };
  std::vector<Later> later_;  ///< what formats have added
};

}  // namespace tidecast
