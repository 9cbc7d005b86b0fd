#pragma once

#include <cstddef>
#include <cstdint>
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
  bool exact() const { return registers_.empty(); }
  void Clear();

  /// Bytes depend on the set alone (sorted hashes, or registers).
  void Encode(ByteWriter& out) const;
  /// Errors: kCorruption, kVersion.
  Status Decode(ByteReader& in);
  size_t memory_bytes() const { return table_.capacity() * sizeof(uint64_t) + registers_.capacity(); }

 private:
  bool Insert(uint64_t hash);
  void Grow(size_t slots);
  bool AddToRegisters(uint64_t hash);
  void ToRegisters();

  std::vector<uint64_t> table_;  ///< open addressing, 0 = free; a power of two
  size_t size_ = 0;
  std::vector<uint8_t> registers_;
};

}  // namespace tidecast
