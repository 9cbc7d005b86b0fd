#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/decimal.h"
#include "engine/core/time.h"

namespace tidecast {

/// What a topic is about; decides the fields of its events.
enum class InputKind : uint8_t { kOrders, kClicks, kCatalog, kPromotions, kInventory, kMarket };

/// Clock inputs drive the watermark; facts are kept by event time and read as of a bucket's end.
constexpr bool IsClock(InputKind kind) {
  return kind == InputKind::kOrders || kind == InputKind::kClicks || kind == InputKind::kMarket;
}

enum class ClickAction : uint8_t { kView, kCart, kFavourite, kOther };

/// Numeric fields that features may name. A kind fills those that it has; `has` says which.
enum class NumberField : uint8_t {
  kQuantity,    ///< orders; negative = return or cancellation
  kUnitPrice,   ///< orders, market (close), catalog (list price)
  kAmount,      ///< orders: quantity x unit price
  kOnHand,      ///< inventory
  kDueIn,       ///< inventory
  kLeadTime,    ///< inventory, days
  kUnitCost,    ///< inventory
  kDepth,       ///< promotions: share of the price taken off, 0..1
  kVolume,      ///< market
  kCount_,
};
inline constexpr size_t kNumberFields = static_cast<size_t>(NumberField::kCount_);

/// Text fields that facts carry or that distinct counts may name.
enum class TextField : uint8_t { kCategory, kBrand, kDescription, kCountry, kChannel, kPromotion, kCount_ };
inline constexpr size_t kTextFields = static_cast<size_t>(TextField::kCount_);

/// One decoded event. Views point into the EventBatch that owns it.
/// `customer` and `session` are keyed-hash pseudonyms (0 = none): no customer id passes this point in clear.
struct Event {
  EventTime time;
  int64_t offset = 0;
  uint32_t record = 0;      ///< index of its record in the RecordBatch that was decoded
  uint16_t input = 0;       ///< index of the input in the config
  InputKind kind = InputKind::kOrders;
  ClickAction action = ClickAction::kOther;
  uint16_t has = 0;         ///< bit i: numbers[i] is present
  std::string_view key;     ///< sku or symbol; never empty
  uint64_t customer = 0;
  uint64_t session = 0;
  uint64_t dedupe = 0;      ///< hash of the configured id fields, 0 = none
  std::array<Decimal, kNumberFields> numbers{};
  std::array<std::string_view, kTextFields> texts{};
  EventTime valid_from;     ///< facts: from when it holds (default: time)
  EventTime valid_to = EventTime::Max();

  bool Has(NumberField f) const { return (has >> static_cast<unsigned>(f)) & 1U; }
  Decimal Number(NumberField f) const { return numbers[static_cast<size_t>(f)]; }
  void Set(NumberField f, Decimal value) {
    numbers[static_cast<size_t>(f)] = value;
    has = static_cast<uint16_t>(has | (1U << static_cast<unsigned>(f)));
  }
};

/// Why a record was not accepted; the text goes into the dead letter's header and the metric's label.
enum class RejectReason : uint8_t {
  kUndecodable, kMissingField, kBadValue, kOutOfRange, kNoKey, kKeyMismatch, kNoTime, kFuture, kOverflow, kTooLarge,
};
std::string_view RejectReasonName(RejectReason reason);

/// A rejected record with all that is needed to try it again.
struct DeadLetter {
  std::string topic;
  int32_t partition = 0;
  int64_t offset = 0;
  EventTime record_time;
  RejectReason reason = RejectReason::kUndecodable;
  std::string detail;        ///< e.g. "field /quantity: not a number: \"abc\""
  std::string key;
  std::string value;         ///< original bytes (customer ids pseudonymised where they could be found)
};

/// Decoded events of one input partition in log order, with the bytes that they point to.
/// Thread: confined. Reuse by Clear() so that nothing is allocated per event.
struct EventBatch {
  std::vector<Event> events;
  std::vector<DeadLetter> dead_letters;
  int64_t records = 0;        ///< records decoded into this batch, dead letters included
  std::deque<std::string> arena;  ///< blocks that hold texts; addresses are stable

  /// Copies `text` into the arena.
  std::string_view Keep(std::string_view text);
  void Clear();
};

}  // namespace tidecast
