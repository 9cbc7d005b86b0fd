#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/record.h"

namespace tidecast {

/// Records that wait for their commit, packed into blocks: at high load there is about one row an event, and strings of
/// its own for topic, key, value and headers would cost a dozen allocations each. Names of topics and headers are kept
/// once; record times are the log's choice.
/// Thread: confined.
class PackedRecords {
 public:
  PackedRecords() = default;
  PackedRecords(PackedRecords&& other) noexcept { Swap(other); }
  PackedRecords& operator=(PackedRecords&& other) noexcept {
    Clear();
    Swap(other);
    return *this;
  }

  /// Copies the record.
  void Add(const RecordView& record);
  /// Memory in which the next record may be written: its key, then its value; `size_max`: of both and the headers.
  char* Room(size_t size_max);
  /// What the headers of a record take.
  static size_t HeaderBytes(std::span<const HeaderView> headers);
  /// Keeps the record that was written there; copies its headers.
  /// REQUIRES: `record.key` begins where Room said, `record.value` right behind it; no more than `size_max` in all.
  void AddWritten(const RecordView& record);
  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  /// Memory that it takes, about.
  size_t bytes() const { return bytes_; }
  /// The same, with what is kept to be filled next.
  size_t held_bytes() const;
  /// `headers` holds what the view's headers point to. The view lives as long as both.
  RecordView View(size_t i, std::vector<HeaderView>* headers) const;
  void Clear();
  /// Gives its records away; keeps the memory that Reuse gave it.
  PackedRecords Take();
  /// Takes the memory of one that is done with, to be filled again: as much as that one held, and no more.
  void Reuse(PackedRecords&& spent);

 private:
  struct Entry {
    const char* at = nullptr;  ///< key, value, then per header: place of its name u16, size of its value u32, the value
    uint32_t key_size = 0;
    uint32_t value_size = 0;
    int32_t partition = -1;
    uint16_t topic = 0;
    uint8_t headers = 0;
    bool is_null = false;
  };
  /// Names seen so far; a handful.
  struct Names {
    std::vector<std::string> names;
    size_t last = 0;
    uint16_t PlaceOf(std::string_view name);
  };
  void Swap(PackedRecords& other) noexcept;

  std::vector<Entry> entries_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::vector<std::unique_ptr<char[]>> spare_;  ///< of the full size, to be filled next
  char* block_at_ = nullptr;
  size_t block_left_ = 0;
  size_t bytes_ = 0;
  bool has_odd_block_ = false;  ///< of another size than the usual ones
  Names topics_;
  Names header_names_;
};

}  // namespace tidecast
