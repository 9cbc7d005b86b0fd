#include "operators/fact_table.h"

#include <algorithm>
#include <bit>
#include <set>
#include <tuple>

#include "engine/core/hash.h"
#include "operators/window_keys.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

std::optional<Decimal> FactTable::Fact::Number(NumberField field) const {
  const auto bit = static_cast<unsigned>(field);
  if (((has >> bit) & 1U) == 0) return std::nullopt;
  return Decimal{numbers[static_cast<size_t>(std::popcount(static_cast<unsigned>(has) & ((1U << bit) - 1)))]};
}

// The hash of the content at the end keeps apart facts that agree in everything else that orders them.
std::string FactTable::Key(uint64_t slot, const Fact& fact) {
  uint64_t content =
      Hash64({reinterpret_cast<const char*>(fact.numbers.data()), fact.numbers.size() * sizeof(int64_t)}, fact.has);
  content = Mix64(content ^ static_cast<uint64_t>(fact.valid_to.us));
  return KeyWriter()
      .U8(static_cast<uint8_t>(WindowTable::kFact))
      .U64(slot)
      .Time(fact.valid_from)
      .Time(fact.announced)
      .U64(fact.name)
      .U64(content)
      .Take();
}

void FactTable::Add(uint32_t id, const Event& event) {
  TC_CHECK_LT(event.input, inputs_);
  Fact fact;
  fact.announced = event.time;
  fact.valid_from = event.valid_from == EventTime::Min() ? event.time : event.valid_from;
  fact.valid_to = event.valid_to;
  fact.kind = event.kind;
  if (event.kind == InputKind::kPromotions) fact.name = Hash64(event.texts[static_cast<size_t>(TextField::kPromotion)]);
  fact.has = event.has;
  for (size_t f = 0; f < kNumberFields; ++f) {
    if (event.Has(static_cast<NumberField>(f))) fact.numbers.push_back(event.numbers[f].micros);
  }
  fact.dirty = true;
  kinds_[event.input] = event.kind;
  const uint64_t slot = SlotOf(id, event.input);
  std::vector<Fact>& facts = facts_[slot];
  const auto at = std::lower_bound(facts.begin(), facts.end(), fact,
                                   [](const Fact& a, const Fact& b) { return a.Order() < b.Order(); });
  if (at != facts.end() && at->Order() == fact.Order()) return;
  facts.insert(at, std::move(fact));
  dirty_.push_back(slot);
}

const FactTable::Fact* FactTable::InForce(const std::vector<Fact>& facts, NumberField field, EventTime as_of,
                                          EventTime at) const {
  const Fact* best = nullptr;
  for (const Fact& fact : facts) {
    if (fact.valid_from > at) break;
    if (fact.announced > as_of || fact.valid_to <= at || !fact.Number(field)) continue;
    if (best == nullptr || std::tuple(fact.valid_from, fact.announced, fact.Number(field)->micros) >=
                               std::tuple(best->valid_from, best->announced, best->Number(field)->micros)) {
      best = &fact;
    }
  }
  return best;
}

std::optional<Decimal> FactTable::ValueAt(uint32_t id, uint16_t input, NumberField field, EventTime as_of,
                                          EventTime at) const {
  const auto facts = facts_.find(SlotOf(id, input));
  if (facts == facts_.end()) return std::nullopt;
  const Fact* fact = InForce(facts->second, field, as_of, at);
  return fact == nullptr ? std::nullopt : fact->Number(field);
}

double FactTable::PromotionDepth(uint32_t id, EventTime as_of, EventTime from, EventTime to) const {
  double depth = 0;
  for (const auto& [input, kind] : kinds_) {
    if (kind != InputKind::kPromotions) continue;
    const auto facts = facts_.find(SlotOf(id, input));
    if (facts == facts_.end()) continue;
    for (const Fact& fact : facts->second) {
      if (fact.announced > as_of || fact.valid_from >= to || fact.valid_to <= from) continue;
      // A later word on the same promotion takes this one's place, also when it moves or ends it.
      const bool replaced = std::any_of(facts->second.begin(), facts->second.end(), [&](const Fact& other) {
        return other.name == fact.name && other.announced <= as_of && other.announced > fact.announced;
      });
      const std::optional<Decimal> value = fact.Number(NumberField::kDepth);
      if (!replaced && value) depth = std::max(depth, value->ToDouble());
    }
  }
  return depth;
}

double FactTable::PriceRatio(uint32_t id, EventTime as_of, EventTime to) const {
  for (const auto& [input, kind] : kinds_) {
    if (kind != InputKind::kCatalog) continue;
    const auto facts = facts_.find(SlotOf(id, input));
    if (facts == facts_.end()) continue;
    const Fact* price = InForce(facts->second, NumberField::kUnitPrice, as_of, to - Duration(1));
    const Fact* reference = InForce(facts->second, NumberField::kUnitPrice, as_of, as_of - kPriceReference);
    if (reference == nullptr) {
      const auto oldest = std::find_if(facts->second.begin(), facts->second.end(), [as_of](const Fact& fact) {
        return fact.announced <= as_of && fact.Number(NumberField::kUnitPrice);
      });
      if (oldest != facts->second.end()) reference = &*oldest;
    }
    if (price == nullptr || reference == nullptr || reference->Number(NumberField::kUnitPrice)->micros <= 0) continue;
    return price->Number(NumberField::kUnitPrice)->ToDouble() / reference->Number(NumberField::kUnitPrice)->ToDouble();
  }
  return 1;
}

void FactTable::Expire(EventTime watermark) {
  if (!watermark.IsFinite()) return;
  // Whole days, so that what is gone is a function of the watermark and not of when this was called before.
  constexpr int64_t kDayUs = Duration(std::chrono::hours(24)).count();
  const EventTime before{(watermark - kKeep).us / kDayUs * kDayUs};
  if (before == expired_to_) return;
  expired_to_ = before;
  for (auto& [slot, facts] : facts_) {
    // What was in force at `before` stays however old it is: the newest fact of each field by then.
    std::set<unsigned> newer;
    for (auto fact = facts.rbegin(); fact != facts.rend(); ++fact) {
      bool needed = fact->valid_from > before || fact->announced > before;
      if (fact->kind == InputKind::kPromotions) {
        needed = needed || fact->valid_to > before;
      } else if (!needed) {
        for (unsigned f = 0; f < kNumberFields; ++f) {
          if (((fact->has >> f) & 1U) != 0 && newer.insert(f).second) needed = needed || fact->valid_to > before;
        }
      }
      if (needed) continue;
      if (fact->stored) deleted_.push_back(Key(slot, *fact));
      fact->announced = EventTime::Max();  // marked for the sweep below
    }
    std::erase_if(facts, [](const Fact& fact) { return fact.announced == EventTime::Max(); });
  }
  std::erase_if(facts_, [](const auto& entry) { return entry.second.empty(); });
}

void FactTable::Save(DeltaSink& out) {
  std::sort(deleted_.begin(), deleted_.end());
  for (const std::string& key : deleted_) out.Delete(Family::kPanes, key);
  deleted_.clear();
  std::sort(dirty_.begin(), dirty_.end());
  dirty_.erase(std::unique(dirty_.begin(), dirty_.end()), dirty_.end());
  ByteWriter value;
  for (const uint64_t slot : dirty_) {
    const auto facts = facts_.find(slot);
    if (facts == facts_.end()) continue;
    for (Fact& fact : facts->second) {
      if (!fact.dirty) continue;
      value.Clear();
      value.U8(kVersion)
          .U8(static_cast<uint8_t>(fact.kind))
          .Time(fact.valid_to)
          .U16(fact.has)
          .Varint(fact.numbers.size());
      for (const int64_t number : fact.numbers) value.SignedVarint(number);
      out.Put(Family::kPanes, Key(slot, fact), value.view());
      fact.dirty = false;
      fact.stored = true;
    }
  }
  dirty_.clear();
}

Status FactTable::Load(std::string_view key, std::string_view bytes) {
  KeyReader at(key);
  ByteReader value(bytes);
  const uint64_t slot = at.U64();
  Fact fact;
  fact.valid_from = at.Time();
  fact.announced = at.Time();
  fact.name = at.U64();
  at.U64();
  if (const uint8_t version = value.U8(); version != kVersion) {
    return Status(Code::kVersion, fmt::format("a fact has format {}, this build reads {}", version, kVersion));
  }
  fact.kind = static_cast<InputKind>(value.U8());
  fact.valid_to = value.Time();
  fact.has = value.U16();
  fact.numbers.resize(value.Count(1));
  for (int64_t& number : fact.numbers) number = value.SignedVarint();
  TC_RETURN_IF_ERROR(at.Finish("fact's key"));
  TC_RETURN_IF_ERROR(value.Finish("fact"));
  if (fact.numbers.size() != static_cast<size_t>(std::popcount(fact.has))) {
    return Status(Code::kCorruption,
                  fmt::format("a fact has {} numbers for the fields {:#x}", fact.numbers.size(), fact.has));
  }
  fact.stored = true;
  kinds_[static_cast<uint16_t>(slot & 0xffff)] = fact.kind;
  std::vector<Fact>& facts = facts_[slot];
  const auto place = std::upper_bound(facts.begin(), facts.end(), fact,
                                      [](const Fact& a, const Fact& b) { return a.Order() < b.Order(); });
  facts.insert(place, std::move(fact));
  return Status::Ok();
}

void FactTable::Clear() {
  facts_.clear();
  kinds_.clear();
  dirty_.clear();
  deleted_.clear();
  expired_to_ = EventTime::Min();
}

size_t FactTable::memory_bytes() const {
  size_t bytes = facts_.size() * 64;
  for (const auto& [slot, facts] : facts_)
    bytes += facts.capacity() * sizeof(Fact) + facts.size() * 2 * sizeof(int64_t);
  return bytes;
}

}  // namespace tidecast
