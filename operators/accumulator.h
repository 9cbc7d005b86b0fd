#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "engine/core/event.h"
#include "engine/core/status.h"
#include "operators/distinct_sketch.h"
#include "operators/view_options.h"

namespace tidecast {

/// How the features of a view lie in a row of int64 slots, and how an event changes them. Slot 0 counts the events.
/// count: 1 slot; sum: micros; mean: micros, count; max, min: micros or kNone; last: micros, event time (at equal times
/// the larger value, so that the order of arrival does not matter); distinct: place of its sketch + 1, or 0.
/// A feature of a fact input (inventory, catalog) has no slot: `last` as of the bucket's end is read from the facts.
/// Thread: immutable.
class Accumulator {
 public:
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::min();

  struct Column {
    Aggregate aggregate = Aggregate::kCount;
    NumberField field = NumberField::kQuantity;
    SignFilter sign = SignFilter::kAll;
    DistinctOf distinct = DistinctOf::kCustomer;
    bool absolute = false;
    bool has_action = false;
    bool is_fact = false;
    ClickAction action = ClickAction::kOther;
    uint16_t input = 0;
    uint16_t slot = 0;
  };

  /// Errors: kConfig: unknown input, a fact feature that is not `last`, no features.
  static Result<Accumulator> Make(const ViewOptions& view, const std::vector<std::string>& input_names,
                                  const std::vector<InputKind>& input_kinds);

  size_t slots() const { return slots_; }
  const std::vector<Column>& columns() const { return columns_; }
  bool has_distinct() const { return has_distinct_; }
  bool Takes(uint16_t input) const { return input < by_input_.size() && !by_input_[input].empty(); }
  uint16_t target_input() const { return target_input_; }

  void InitRow(int64_t* row) const {
    for (size_t i = 0; i < slots_; ++i) row[i] = zero_row_[i];
  }
  const int64_t* zero_row() const { return zero_row_.data(); }
  bool IsSketchSlot(size_t slot) const { return is_sketch_[slot]; }

  /// Whether adding the event would carry a sum past int64. `row` may be null (a row that does not exist yet).
  bool WouldOverflow(const Event& event, const int64_t* row) const;
  /// Adds the event. REQUIRES: !WouldOverflow. `changed_sketch` is called with the place of each sketch that changed.
  template <typename Sketches>
  void Add(const Event& event, int64_t* row, Sketches& sketches) const;
  /// Adds row `from` into `into`; sums saturate. Sketches are copied over.
  template <typename Sketches>
  void Merge(const int64_t* from, const Sketches& from_sketches, int64_t* into, Sketches& into_sketches) const;

  /// A feature's value; `distinct` is its sketch's count. Slots may be int64 or wider.
  template <typename Slot>
  double Value(size_t feature, const Slot* row, int64_t distinct) const;
  template <typename Sketches>
  double ValueOf(size_t feature, const int64_t* row, const Sketches& sketches) const {
    const Column& c = columns_[feature];
    int64_t distinct = 0;
    if (c.aggregate == Aggregate::kDistinct && row[c.slot] != 0)
      distinct = sketches[static_cast<size_t>(row[c.slot] - 1)].sketch.Count();
    return Value(feature, row, distinct);
  }

 private:
  static bool Passes(const Column& c, const Event& e) {
    if (c.has_action && e.action != c.action) return false;
    if (c.sign == SignFilter::kAll) return true;
    if (!e.Has(NumberField::kQuantity)) return false;
    const int64_t q = e.Number(NumberField::kQuantity).micros;
    return c.sign == SignFilter::kPositive ? q > 0 : q < 0;
  }
  static bool Number(const Column& c, const Event& e, int64_t* value) {
    if (!e.Has(c.field)) return false;
    const int64_t v = e.Number(c.field).micros;
    *value = c.absolute && v < 0 ? -v : v;
    return true;
  }
  static uint64_t DistinctHash(const Column& c, const Event& e);

  std::vector<Column> columns_;
  std::vector<std::vector<uint16_t>> by_input_;  ///< features fed by an input
  std::vector<int64_t> zero_row_;
  std::vector<bool> is_sketch_;
  size_t slots_ = 1;
  uint16_t target_input_ = 0;
  bool has_distinct_ = false;
};

/// A sketch of a row, with its mark for Save.
struct RowSketch {
  DistinctSketch sketch;
  uint16_t feature = 0;
  bool dirty = false;
  bool stored = false;
};

template <typename Sketches>
void Accumulator::Add(const Event& event, int64_t* row, Sketches& sketches) const {
  ++row[0];
  for (const uint16_t f : by_input_[event.input]) {
    const Column& c = columns_[f];
    if (!Passes(c, event)) continue;
    int64_t* slot = row + c.slot;
    int64_t value = 0;
    switch (c.aggregate) {
      case Aggregate::kCount:
        ++*slot;
        break;
      case Aggregate::kSum:
        if (Number(c, event, &value)) *slot += value;
        break;
      case Aggregate::kMean:
        if (Number(c, event, &value)) {
          slot[0] += value;
          ++slot[1];
        }
        break;
      case Aggregate::kMax:
        if (Number(c, event, &value) && (*slot == kNone || value > *slot)) *slot = value;
        break;
      case Aggregate::kMin:
        if (Number(c, event, &value) && (*slot == kNone || value < *slot)) *slot = value;
        break;
      case Aggregate::kLast:
        if (Number(c, event, &value) && (event.time.us > slot[1] || (event.time.us == slot[1] && value > slot[0]))) {
          slot[0] = value;
          slot[1] = event.time.us;
        }
        break;
      case Aggregate::kDistinct: {
        const uint64_t hash = DistinctHash(c, event);
        if (hash == 0) break;
        if (*slot == 0) {
          sketches.emplace_back();
          sketches.back().feature = f;
          *slot = static_cast<int64_t>(sketches.size());
        }
        RowSketch& sketch = sketches[static_cast<size_t>(*slot - 1)];
        sketch.dirty |= sketch.sketch.Add(hash);
        break;
      }
    }
  }
}

inline int64_t SaturatingAdd(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min() + 1;
}

template <typename Sketches>
void Accumulator::Merge(const int64_t* from, const Sketches& from_sketches, int64_t* into,
                        Sketches& into_sketches) const {
  into[0] += from[0];
  for (size_t f = 0; f < columns_.size(); ++f) {
    const Column& c = columns_[f];
    if (c.is_fact) continue;
    const int64_t* a = from + c.slot;
    int64_t* b = into + c.slot;
    switch (c.aggregate) {
      case Aggregate::kCount:
      case Aggregate::kSum:
        *b = SaturatingAdd(*b, *a);
        break;
      case Aggregate::kMean:
        b[0] = SaturatingAdd(b[0], a[0]);
        b[1] += a[1];
        break;
      case Aggregate::kMax:
        if (*a != kNone && (*b == kNone || *a > *b)) *b = *a;
        break;
      case Aggregate::kMin:
        if (*a != kNone && (*b == kNone || *a < *b)) *b = *a;
        break;
      case Aggregate::kLast:
        if (a[1] > b[1] || (a[1] == b[1] && a[0] > b[0])) {
          b[0] = a[0];
          b[1] = a[1];
        }
        break;
      case Aggregate::kDistinct:
        if (*a == 0) break;
        if (*b == 0) {
          into_sketches.emplace_back();
          into_sketches.back().feature = static_cast<uint16_t>(f);
          *b = static_cast<int64_t>(into_sketches.size());
        }
        into_sketches[static_cast<size_t>(*b - 1)].sketch.Merge(from_sketches[static_cast<size_t>(*a - 1)].sketch);
        into_sketches[static_cast<size_t>(*b - 1)].dirty = true;
        break;
    }
  }
}

/// A wide sum nearly always fits 64 bits, which a machine converts by itself.
template <typename Slot>
double ToDouble(Slot slot) {
  const auto narrow = static_cast<int64_t>(slot);
  return narrow == slot ? static_cast<double>(narrow) : static_cast<double>(slot);
}

template <typename Slot>
double Accumulator::Value(size_t feature, const Slot* row, int64_t distinct) const {
  const Column& c = columns_[feature];
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (c.is_fact) return kNaN;
  const Slot* slot = row + c.slot;
  switch (c.aggregate) {
    case Aggregate::kCount:
      return ToDouble(slot[0]);
    case Aggregate::kSum:
      return ToDouble(slot[0]) / Decimal::kOne;
    case Aggregate::kMean:
      return slot[1] == 0 ? kNaN : static_cast<double>(slot[0]) / (static_cast<double>(slot[1]) * Decimal::kOne);
    case Aggregate::kMax:
    case Aggregate::kMin:
      return slot[0] == kNone ? kNaN : ToDouble(slot[0]) / Decimal::kOne;
    case Aggregate::kLast:
      return slot[1] == kNone ? kNaN : ToDouble(slot[0]) / Decimal::kOne;
    case Aggregate::kDistinct:
      return static_cast<double>(distinct);
  }
  return kNaN;
}

}  // namespace tidecast
