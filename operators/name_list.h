#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace tidecast {

/// Names by dense id, kept for good: views of them stay valid as long as the list. Names of up to kShort bytes lie in
/// the list itself, so that to compare one takes a single cache line and 16 bytes at once.
/// Thread: confined.
class NameList {
 public:
  static constexpr size_t kShort = 12;
  static constexpr size_t kPrefix = 4;  ///< bytes of a longer name that lie in the list

  /// A name made ready to be compared with many. Points at its bytes.
  class Probe {
   public:
    explicit Probe(std::string_view name) : name_(name), entry_(name) {}

   private:
    friend class NameList;
    std::string_view name_;
    struct Entry {
      Entry() = default;
      explicit Entry(std::string_view name) : size(static_cast<uint32_t>(name.size())) {
        if (!is_short()) {
          std::memcpy(head.data(), name.data(), kPrefix);
        } else if (size >= 8) {  // pieces that may overlap: no call for a length that is not known before
          std::memcpy(head.data(), name.data(), 8);
          std::memcpy(head.data() + size - 4, name.data() + size - 4, 4);
        } else if (size >= 4) {
          std::memcpy(head.data(), name.data(), 4);
          std::memcpy(head.data() + size - 4, name.data() + size - 4, 4);
        } else {
          for (uint32_t i = 0; i < size; ++i) head[i] = name[i];
        }
      }
      bool is_short() const { return size <= kShort; }

      uint32_t size = 0;
      std::array<char, kShort> head{};  ///< of a longer name: its first bytes, then where all of it is
    };
    Entry entry_;
  };

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view operator[](size_t id) const {
    const Entry& entry = at(id);
    return {entry.is_short() ? entry.head.data() : FarOf(entry), entry.size};
  }
  bool Is(size_t id, const Probe& probe) const {
    const Entry& entry = at(id);
    if (std::memcmp(&entry, &probe.entry_, probe.entry_.is_short() ? sizeof(Entry) : kNear) != 0) return false;
    return entry.is_short() || std::memcmp(FarOf(entry), probe.name_.data(), entry.size) == 0;
  }
  void Add(std::string_view name);

  /// Of all names together.
  size_t name_bytes() const { return name_bytes_; }
  size_t memory_bytes() const { return pages_.size() * sizeof(Page) + far_bytes_; }

 private:
  using Entry = Probe::Entry;
  static constexpr size_t kNear = sizeof(uint32_t) + kPrefix;  ///< of an entry: size and first bytes
  static constexpr size_t kPageNames = 256;
  using Page = std::array<Entry, kPageNames>;

  static const char* FarOf(const Entry& entry) {
    const char* far = nullptr;
    std::memcpy(&far, entry.head.data() + kPrefix, sizeof far);
    return far;
  }
  const Entry& at(size_t id) const { return (*pages_[id / kPageNames])[id % kPageNames]; }
  const char* KeepFar(std::string_view name);

  std::vector<std::unique_ptr<Page>> pages_;
  size_t size_ = 0;
  size_t name_bytes_ = 0;
  std::vector<std::unique_ptr<char[]>> chunks_;  ///< hold the names that are not short
  char* chunk_at_ = nullptr;
  size_t chunk_left_ = 0;
  size_t far_bytes_ = 0;
};

}  // namespace tidecast
