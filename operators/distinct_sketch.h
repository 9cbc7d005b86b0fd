#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "state/key_codec.h"

namespace tidecast {

/// Counts distinct 64-bit hashes: exactly up to kExactMax, then as a HyperLogLog of 4,096 registers, which `exact()`
/// tells. The standard error is then 1.04 / sqrt(4096) = 1.6 %. The result does not depend on the order of what was
/// added. Thread: confined. Source: Flajolet et al. 2007; estimator of Ertl 2017 (New cardinality estimation algorithms
/// for HyperLogLog sketches, alg. 6).
class DistinctSketch {
 public:
  static constexpr size_t kExactMax = 4096;
  static constexpr size_t kRegisterBits = 12;
  static constexpr size_t kRegisters = size_t{1} << kRegisterBits;

  /// Returns whether anything changed.
  bool Add(uint64_t hash);
  void Merge(const DistinctSketch& other);
  /// A whole number.
  int64_t Count() const;
  bool exact() const { return many_ == nullptr || many_->registers.empty(); }
  void Clear();

  /// Bytes depend on the set alone (sorted hashes, or registers).
  void Encode(ByteWriter& out) const;
  /// Errors: kCorruption, kVersion.
  Status Decode(ByteReader& in);
  size_t memory_bytes() const {
    return many_ == nullptr ? 0 : sizeof(Many) + many_->table.capacity() * sizeof(uint64_t) + many_->registers.capacity();
  }

 private:
  static constexpr size_t kFew = 3;

  struct Many {
    std::vector<uint64_t> table;  ///< open addressing, 0 = free; a power of two
    std::vector<uint8_t> registers;

    bool Insert(uint64_t hash, size_t size);
    void Grow(size_t slots);
    bool AddToRegisters(uint64_t hash);
  };
  /// The values of an exact count, in no order.
  std::span<const uint64_t> Slots() const {
    return many_ != nullptr ? std::span<const uint64_t>(many_->table) : std::span<const uint64_t>(few_.data(), size_);
  }
  bool Insert(uint64_t hash);
  void ToRegisters();

  std::array<uint64_t, kFew> few_{};  ///< the first ones: most rows never have more, and need no memory of their own
  std::unique_ptr<Many> many_;
  uint32_t size_ = 0;                 ///< of an exact count
};

}  // namespace tidecast
