#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/core/event.h"
#include "engine/core/stateful.h"

namespace tidecast {

/// Facts of series (catalog, promotions, inventory), kept by the time they were announced at and the time they hold
/// from, and read as of a moment: only what had been announced by then counts, so that a backlog sees no future price
/// or stock. A newer fact of the same input, series and (for promotions) promotion name replaces the older one from its
/// valid-from on; at equal times the larger value, so that the order of arrival does not matter. Thread: confined.
class FactTable {
 public:
  /// How long what is superseded stays: prices are compared with those of 60 days before.
  static constexpr Duration kKeep = std::chrono::hours(24 * 75);
  static constexpr Duration kPriceReference = std::chrono::hours(24 * 60);

  explicit FactTable(size_t inputs) : inputs_(inputs) {}

  void Add(uint32_t id, const Event& fact);

  /// Newest value of `field` announced at or before `as_of` and valid at `at`; nothing when there is none.
  std::optional<Decimal> ValueAt(uint32_t id, uint16_t input, NumberField field, EventTime as_of, EventTime at) const;
  /// Largest depth of the promotions that hold anywhere in [from, to), as announced by `as_of`; 0 when there is none.
  double PromotionDepth(uint32_t id, EventTime as_of, EventTime from, EventTime to) const;
  /// Catalog price in force just before `to` divided by that of 60 days before `as_of` (or the oldest known one);
  /// 1 when either is not known.
  double PriceRatio(uint32_t id, EventTime as_of, EventTime to) const;

  /// Frees what was superseded or has ended more than kKeep before `watermark`.
  void Expire(EventTime watermark);
  bool empty() const { return facts_.empty(); }

  void Save(DeltaSink& out);
  Status Load(std::string_view key_after_table, std::string_view value);
  void Clear();
  size_t memory_bytes() const;

 private:
  struct Fact {
    EventTime announced;
    EventTime valid_from;
    EventTime valid_to;
    uint64_t name = 0;  ///< promotions: hash of the promotion's name
    InputKind kind = InputKind::kCatalog;
    uint16_t has = 0;
    std::vector<int64_t> numbers;  ///< those of `has`, in order
    bool dirty = false;
    bool stored = false;
    auto Order() const { return std::tie(valid_from, announced, name, has, numbers, valid_to); }
    std::optional<Decimal> Number(NumberField field) const;
  };
  static uint64_t SlotOf(uint32_t id, uint16_t input) { return (uint64_t{id} << 16) | input; }
  static std::string Key(uint64_t slot, const Fact& fact);
  const Fact* InForce(const std::vector<Fact>& facts, NumberField field, EventTime as_of, EventTime at) const;

  size_t inputs_;
  std::unordered_map<uint64_t, std::vector<Fact>> facts_;  ///< by (id, input)
  std::map<uint16_t, InputKind> kinds_;                    ///< inputs that brought facts
  std::vector<uint64_t> dirty_;                            ///< slots with dirty facts
  std::vector<std::string> deleted_;
  EventTime expired_to_;
};

}  // namespace tidecast
