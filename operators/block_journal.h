#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/stateful.h"
#include "state/key_codec.h"

namespace tidecast {

/// Errors: kConfig where rows of `what` were stored for other features than the config's.
Status CheckStoredSlots(std::string_view what, uint64_t stored, size_t slots);
/// Errors: kCorruption where the block is of none of the `series`.
Status CheckStoredBlock(std::string_view what, uint32_t block, size_t series);

/// How a table is stored whose rows go by series id, 32 ids a block. Save writes a block whole where many of its rows
/// have changed. The changed rows of all others go together into one delta, so that a short epoch does not write 32
/// rows for each that has changed; it writes as many rows again by blocks in turn, and deletes a delta once each block
/// that it might be of has been written since. A block says how many deltas it is newer than (state/FORMAT.md 6).
/// Thread: confined.
class BlockJournal {
 public:
  static constexpr uint32_t kBlockIds = 32;
  static constexpr uint32_t kAllIds = UINT32_MAX;
  /// Fewer blocks are not worth a delta: with it go blocks in turn, and a row to delete.
  static constexpr size_t kDeltaBlocks = 4;
  static constexpr size_t kNoDeltas = SIZE_MAX;
  /// A delta ends behind the block that takes it over this: brokers take records of 1 MB.
  static constexpr size_t kDeltaBytes = 64 << 10;

  /// What the journal needs of its table.
  class Table {
   public:
    virtual ~Table() = default;
    virtual size_t rows() const = 0;
    virtual size_t slots() const = 0;
    virtual std::string BlockKey(uint32_t block) const = 0;
    virtual std::string DeltaKey(uint64_t number) const = 0;
    /// Appends the rows of those ids of the block whose bits are set.
    virtual void EncodeRows(uint32_t block, uint32_t ids, ByteWriter& value) const = 0;
  };
  /// Takes what EncodeRows wrote of these ids, up to the end of `rows`, in place of what it has of them.
  using DecodeRows = std::function<Status(uint32_t block, uint32_t ids, ByteReader& rows)>;

  /// The row of `id` is not what was saved last.
  void Mark(uint32_t id) {
    const uint32_t number = id / kBlockIds;
    if (number >= blocks_.size()) [[unlikely]]
      blocks_.resize(size_t{number} + 1);
    Block& block = blocks_[number];
    if (block.changed == 0) changed_.push_back(number);
    block.changed |= 1U << id % kBlockIds;
  }
  bool dirty() const { return !changed_.empty(); }
  bool has_deltas() const { return !deltas_.empty(); }
  /// Each has a changed row.
  const std::vector<uint32_t>& changed_blocks() const { return changed_; }
  uint32_t changed_ids(uint32_t block) const { return blocks_[block].changed; }

  /// Writes a delta where it stands for `delta_blocks` blocks at least. kNoDeltas: and those that are there are to go,
  /// some with each call.
  void Save(const Table& table, size_t delta_blocks, DeltaSink& out);
  /// Deletes what is stored, about `most` rows of the store a call; returns whether nothing is left.
  bool DeleteStored(const Table& table, size_t most, DeltaSink& out);

  /// All blocks, then all deltas by their numbers. Rows of a delta that its block is newer than are left out.
  Status LoadBlock(uint32_t block, size_t slots, std::string_view what, std::string_view value,
                   const DecodeRows& decode);
  Status LoadDelta(uint64_t number, size_t slots, std::string_view what, std::string_view value,
                   const DecodeRows& decode);
  void Clear();
  size_t memory_bytes() const;

 private:
  enum Flag : uint8_t { kStored = 1, kInDelta = 2 };
  struct Block {
    uint32_t changed = 0;  ///< a bit an id
    uint8_t flags = 0;
  };
  struct Delta {
    uint64_t number = 0;
    uint64_t passed = 0;  ///< when it was written
  };
  void PutBlock(const Table& table, uint32_t block, DeltaSink& out);
  void PutDelta(const Table& table, DeltaSink& out);
  void PutInTurn(const Table& table, size_t most, DeltaSink& out);

  std::vector<Block> blocks_;
  std::vector<uint32_t> changed_;
  std::vector<Delta> deltas_;         ///< stored, the oldest first
  uint64_t newest_ = 0;               ///< number of the last delta
  uint64_t passed_ = 0;               ///< blocks that were written in turn, or needed no writing
  size_t turn_ = 0;                   ///< the next of them
  size_t deleted_ = 0;                ///< what DeleteStored has done
  std::vector<uint64_t> newer_than_;  ///< by block, while it is loaded
  std::vector<uint32_t> into_delta_;
  ByteWriter value_, rows_;
};

}  // namespace tidecast
