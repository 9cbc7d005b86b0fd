#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/stateful.h"

namespace tidecast {

/// Rows that change together. In the order of the calls; the last word on a key wins. Keys and values are packed into
/// blocks: an epoch has hundreds of thousands of small rows, and two strings each would take thrice the memory.
/// Thread: confined.
class StateBatch {
 public:
  /// Views live as long as the batch, and move with it.
  struct Row {
    Family family;
    bool is_delete;
    std::string_view key;
    std::string_view value;
  };
  struct Range {
    Family family;
    std::string from;  ///< included
    std::string to;    ///< excluded
  };
  StateBatch() = default;
  StateBatch(StateBatch&& other) noexcept { Swap(other); }
  StateBatch& operator=(StateBatch&& other) noexcept {
    Clear();
    Swap(other);
    return *this;
  }

  void Put(Family family, std::string_view key, std::string_view value) {
    bytes_ += key.size() + value.size() + kRowBytes;
    rows_.push_back({family, false, Copy(key), Copy(value)});
  }
  /// Put for a value that the caller gives away: no copy.
  void PutOwned(Family family, std::string_view key, std::string value) {
    bytes_ += key.size() + value.size() + kRowBytes;
    owned_.push_back(std::move(value));
    rows_.push_back({family, false, Copy(key), owned_.back()});
  }
  void Delete(Family family, std::string_view key) {
    bytes_ += key.size() + kRowBytes;
    rows_.push_back({family, true, Copy(key), {}});
  }
  /// Ranges are applied before the rows.
  void DeleteRange(Family family, std::string_view from, std::string_view to) {
    ranges_.push_back({family, std::string(from), std::string(to)});
  }
  /// Adds what `other` does after what this one does, its ranges included; empties `other`.
  void Append(StateBatch&& other);
  void Clear();
  bool empty() const { return rows_.empty() && ranges_.empty(); }
  /// Memory that it takes, about.
  size_t bytes() const { return bytes_; }
  const std::vector<Row>& rows() const { return rows_; }
  const std::vector<Range>& ranges() const { return ranges_; }

 private:
  static constexpr size_t kRowBytes = sizeof(Row) + 8;

  void Swap(StateBatch& other) noexcept;
  std::string_view Copy(std::string_view bytes);

  std::vector<Row> rows_;
  std::vector<Range> ranges_;
  std::vector<std::unique_ptr<char[]>> blocks_;  ///< hold the rows' bytes
  std::deque<std::string> owned_;                ///< values that were given away
  char* block_at_ = nullptr;
  size_t block_left_ = 0;
  size_t bytes_ = 0;
};

/// The instance's local state: ordered keys in a few families, written in atomic batches.
/// What one batch wrote survives a killed process whole or not at all; `Sync` makes it survive a power loss.
/// Errors: kIo, kNoSpace (nothing of the batch was applied), kCorruption.
/// Thread: safe; one writer at a time.
class StateStore {
 public:
  virtual ~StateStore() = default;
  virtual Status Write(const StateBatch& batch) = 0;
  virtual Result<bool> Get(Family family, std::string_view key, std::string* value) const = 0;
  /// Get of many keys at once, which reads what lies together once. `values[i]` and `found[i]` answer `keys[i]`.
  virtual Status GetMany(Family family, std::span<const std::string> keys, std::span<std::string> values, std::span<uint8_t> found) const;
  /// Visits keys in [from, to) in order until `visit` returns false. An empty `to` means: to the end of the family.
  /// Sees the store as it was at the call. The views live during the visit; `visit` must not write to the store.
  virtual Status Scan(Family family, std::string_view from, std::string_view to,
                      const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;
  virtual Status Sync() = 0;
  /// Bytes of memory that the store holds now (caches, write buffers).
  virtual size_t MemoryBytes() const = 0;
};

struct StateStoreOptions {
  std::string directory;
  size_t memory_bytes_max = 128ULL << 20;  ///< block cache and write buffers together
  bool read_only = false;
};

/// Opens or creates the RocksDB store in `options.directory`; refuses a directory that another process holds (kFenced),
/// that may not be written (kPermission), or whose format is newer than this build (kVersion, both formats named).
/// After kNoSpace the store goes on by itself with the first Write that finds room again. Formats: FORMAT.md.
Result<std::unique_ptr<StateStore>> OpenRocksStore(const StateStoreOptions& options);
/// A store in memory, with the same contract, for tests and the simulation.
std::unique_ptr<StateStore> MakeMemoryStore();

}  // namespace tidecast
