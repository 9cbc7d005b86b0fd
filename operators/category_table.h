#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/core/event.h"
#include "engine/core/stateful.h"

namespace tidecast {

/// The category of each series as the catalog told it, read as of a moment. Kept where a view is grouped by
/// category or forecasts. Thread: confined.
class CategoryTable {
 public:
  /// How long a category that was superseded is kept: longer than any bucket and its lateness.
  static constexpr Duration kKeep = std::chrono::hours(24 * 800);

  /// Takes a catalog fact; one without a category tells nothing.
  void Add(uint32_t id, const Event& fact);
  /// The newest category that was announced and held at `time`; empty when there is none. At equal times the greater
  /// text, so that the order of arrival does not matter.
  std::string_view At(uint32_t id, EventTime time) const;
  void Expire(EventTime watermark);

  void Save(DeltaSink& out);
  Status Load(std::string_view key_after_table, std::string_view value);
  void Clear();
  size_t memory_bytes() const;

 private:
  struct Entry {
    EventTime valid_from;
    EventTime announced;
    std::string category;
    auto operator<=>(const Entry&) const = default;
  };
  static std::string Key(uint32_t id, const Entry& entry);
  bool Insert(uint32_t id, Entry entry);

  std::unordered_map<uint32_t, std::vector<Entry>> entries_;  ///< in order
  std::vector<std::pair<uint32_t, Entry>> added_;
  std::vector<std::string> deleted_;
  EventTime expired_to_;
};

}  // namespace tidecast
