#include "engine/io/event_decoder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "engine/core/check.h"
#include "engine/core/hash.h"
#include "engine/io/event_time_parser.h"
#include "engine/io/input_fields.h"
#include "engine/io/json_slot_scanner.h"
#include "engine/io/nearest_name.h"

// A record becomes an event in these steps; the first that fails makes the dead letter.
//   1. size and bytes: too large, no value, not a JSON object
//   2. key: the field, or the record's key where the value has none; both must agree and lie in the right partition
//   3. time: by field, ce_time header or record; not too far ahead of the record's own time
//   4. fields of the kind in the order of engine/io/input_fields.h: numbers as decimals, texts as views, ids as pseudonyms
//   5. what follows from them: amount, de-duplication id

namespace tidecast {
namespace {

constexpr std::string_view kPseudonymPrefix = "pseudonym:";
constexpr size_t kShownBytes = 64;

// A value as it is shown in a detail: cut to a line's worth.
std::string Shown(std::string_view raw) {
  if (raw.size() <= kShownBytes) return std::string(raw);
  size_t cut = kShownBytes;
  while (cut > 0 && (static_cast<unsigned char>(raw[cut]) & 0xC0U) == 0x80U) --cut;  // not inside a UTF-8 letter
  return fmt::format("{}... ({} bytes)", raw.substr(0, cut), raw.size());
}

bool EqualsLower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
    if (c != lower[i]) return false;
  }
  return true;
}

ClickAction ParseAction(std::string_view text) {
  struct Row {
    std::string_view word;
    ClickAction action;
  };
  static constexpr std::array<Row, 6> kWords = {{{"view", ClickAction::kView},
                                                 {"pv", ClickAction::kView},
                                                 {"cart", ClickAction::kCart},
                                                 {"favourite", ClickAction::kFavourite},
                                                 {"favorite", ClickAction::kFavourite},
                                                 {"fav", ClickAction::kFavourite}}};
  for (const Row& row : kWords) {
    if (EqualsLower(text, row.word)) return row.action;
  }
  return ClickAction::kOther;
}

// Whether a text that ParseDecimal refused is a number all the same, one that 64 bits of millionths cannot hold.
bool IsTooLarge(std::string_view text) {
  double value = 0;
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return false;
  return error == std::errc::result_out_of_range || (std::isfinite(value) && std::abs(value) >= 9.2e12);
}

class JsonEventDecoder final : public EventDecoder {
 public:
  struct BoundField {
    const InputField* field = nullptr;
    size_t slot = 0;
    bool required = false;
  };

  JsonEventDecoder(InputOptions options, uint16_t input_index, std::string_view pseudonym_key, EventTimeParser times,
                   std::vector<JsonPointerPath> slots, std::vector<BoundField> fields, std::vector<size_t> dedupe_slots)
      : options_(std::move(options)),
        input_(input_index),
        seed_(Hash64(pseudonym_key, 0x70736575646F6E79ULL)),
        times_(std::move(times)),
        pointers_(slots),
        fields_(std::move(fields)),
        dedupe_slots_(std::move(dedupe_slots)),
        scanner_(std::move(slots)) {}

  bool reads_headers() const override { return options_.time_source == TimeSource::kCeTime; }

  void Decode(std::span<const InputRecord> records, const TopicPartition& source, int32_t partitions, uint32_t record_base,
              EventBatch& out) override {
    out.events.reserve(out.events.size() + records.size());
    for (size_t i = 0; i < records.size(); ++i) {
      out.events.emplace_back();
      Event& event = out.events.back();
      event.record = record_base + static_cast<uint32_t>(i);
      if (!DecodeRecord(records[i], source, partitions, event, out)) {
        out.events.pop_back();
        AddDeadLetter(records[i], source, out);
      }
      ++out.records;
    }
  }

 private:
  bool Reject(RejectReason reason, std::string detail) {
    reason_ = reason;
    detail_ = std::move(detail);
    return false;
  }
  bool RejectField(RejectReason reason, size_t slot, std::string_view what) {
    return Reject(reason, fmt::format("field {}: {}: {}", pointers_[slot].text, what, Shown(scanner_.token(slot).raw)));
  }
  bool RejectMissing(RejectReason reason, size_t slot) {
    const JsonToken& token = scanner_.token(slot);
    const std::string_view how = token.kind == JsonToken::Kind::kMissing ? "is not there"
                                 : token.kind == JsonToken::Kind::kNull  ? "is null"
                                                                         : "is empty";
    return Reject(reason, fmt::format("field {}: {}", pointers_[slot].text, how));
  }

  bool DecodeRecord(const InputRecord& record, const TopicPartition& source, int32_t partitions, Event& event, EventBatch& out);
  bool DecodeKey(const InputRecord& record, const BoundField& bound, const TopicPartition& source, int32_t partitions, Event& event,
                 EventBatch& out);
  bool DecodeTime(const InputRecord& record, const BoundField& bound, Event& event);
  bool DecodeField(const BoundField& bound, Event& event, EventBatch& out);
  bool DecodeNumber(const BoundField& bound, Event& event);
  bool Finish(const InputRecord& record, Event& event);
  bool ReadTime(size_t slot, EventTime* time);
  /// Text of a scalar; false when it is a container or has wrong escapes. `*text` points into the record or the arena.
  bool ReadText(size_t slot, EventBatch& out, std::string_view* text);
  bool ReadPseudonym(size_t slot, uint64_t* pseudonym);
  uint64_t Pseudonym(std::string_view text) const;
  void AddDeadLetter(const InputRecord& record, const TopicPartition& source, EventBatch& out);
  std::string Pseudonymised(std::string_view value);

  const InputOptions options_;
  const uint16_t input_;
  const uint64_t seed_;
  EventTimeParser times_;
  const std::vector<JsonPointerPath> pointers_;
  const std::vector<BoundField> fields_;  // key first, then time
  const std::vector<size_t> dedupe_slots_;
  JsonSlotScanner scanner_;
  std::string scratch_;
  bool scanned_ = false;
  RejectReason reason_ = RejectReason::kUndecodable;
  std::string detail_;
};

bool JsonEventDecoder::DecodeRecord(const InputRecord& record, const TopicPartition& source, int32_t partitions, Event& event,
                                    EventBatch& out) {
  scanned_ = false;
  if (record.value.size() > options_.value_bytes_max) {
    return Reject(RejectReason::kTooLarge,
                  fmt::format("value: larger than value_bytes_max: {} bytes, limit {}", record.value.size(), options_.value_bytes_max));
  }
  if (record.is_null) return Reject(RejectReason::kUndecodable, "value: none (a tombstone)");
  scanned_ = true;
  if (!scanner_.Scan(record.value)) {
    const bool framed = record.value.size() > 5 && (record.value[0] == '\0' || record.value[0] == '\1');
    return Reject(RejectReason::kUndecodable,
                  framed ? "value: framed by a schema registry (it begins with a magic byte), not plain JSON; produce JSON without schema ids"
                         : fmt::format("value: not a JSON object: {} Found: {}", scanner_.error(), Shown(record.value)));
  }
  event.offset = record.offset;
  event.input = input_;
  event.kind = options_.kind;
  if (!DecodeKey(record, fields_[0], source, partitions, event, out)) return false;
  if (!DecodeTime(record, fields_[1], event)) return false;
  for (size_t i = 2; i < fields_.size(); ++i) {
    if (!DecodeField(fields_[i], event, out)) return false;
  }
  return Finish(record, event);
}

bool JsonEventDecoder::DecodeKey(const InputRecord& record, const BoundField& bound, const TopicPartition& source, int32_t partitions,
                                 Event& event, EventBatch& out) {
  const bool has_record_key = record.has_key && !record.key.empty();
  if (scanner_.token(bound.slot).filled()) {
    if (!ReadText(bound.slot, out, &event.key)) return RejectField(RejectReason::kBadValue, bound.slot, "not a text");
  } else if (has_record_key) {
    event.key = record.key;  // topics that carry the sku as the key alone
  } else {
    return Reject(RejectReason::kNoKey,
                  fmt::format("field {}: no {}, and the record has no key", pointers_[bound.slot].text, bound.field->name));
  }
  if (!options_.key_check) return true;
  if (!has_record_key) {
    return Reject(RejectReason::kNoKey,
                  fmt::format("record key: none, field {} is \"{}\"; produce with the {} as key, or set `key_check: false` for input {}",
                              pointers_[bound.slot].text, Shown(event.key), bound.field->name, options_.name));
  }
  if (record.key != event.key) {
    return Reject(RejectReason::kKeyMismatch,
                  fmt::format("record key: \"{}\", but field {} is \"{}\"; produce with the {} as key (repartition the topic), or set "
                              "`key_check: false` for input {}",
                              Shown(record.key), pointers_[bound.slot].text, Shown(event.key), bound.field->name, options_.name));
  }
  if (partitions > 1) {
    const int32_t expected = PartitionOf(event.key, partitions);
    if (expected != source.partition) {
      return Reject(RejectReason::kKeyMismatch,
                    fmt::format("record key: \"{}\" belongs to partition {} of {} (murmur2), but was read from partition {}; produce with "
                                "partitioner=murmur2_random (repartition the topic), or set `key_check: false` for input {}",
                                Shown(event.key), expected, partitions, source.partition, options_.name));
    }
  }
  return true;
}

bool JsonEventDecoder::ReadTime(size_t slot, EventTime* time) {
  const JsonToken& token = scanner_.token(slot);
  if (token.kind != JsonToken::Kind::kString && token.kind != JsonToken::Kind::kNumber) return false;
  std::string_view text = token.text;
  if (token.escaped) {
    if (!scanner_.Unescape(token, &scratch_)) return false;
    text = scratch_;
  }
  const auto parsed = times_.Parse(text);
  if (!parsed) return false;
  *time = *parsed;
  return true;
}

bool JsonEventDecoder::DecodeTime(const InputRecord& record, const BoundField& bound, Event& event) {
  switch (options_.time_source) {
    case TimeSource::kField:
      if (scanner_.token(bound.slot).filled()) {
        if (!ReadTime(bound.slot, &event.time)) return RejectField(RejectReason::kBadValue, bound.slot, "not a time");
      } else if (bound.required) {
        return RejectMissing(RejectReason::kNoTime, bound.slot);
      } else {
        event.time = record.record_time;  // a fact that says no time was announced when it was written
      }
      break;
    case TimeSource::kCeTime: {
      const HeaderView* header = nullptr;
      for (const HeaderView& candidate : record.headers) {
        if (candidate.name == "ce_time") header = &candidate;
      }
      if (header == nullptr) return Reject(RejectReason::kNoTime, "header ce_time: is not there");
      const auto parsed = times_.Parse(header->value);
      if (!parsed) return Reject(RejectReason::kBadValue, fmt::format("header ce_time: not a time: \"{}\"", Shown(header->value)));
      event.time = *parsed;
      break;
    }
    case TimeSource::kRecord:
      event.time = record.record_time;
      if (!event.time.IsFinite()) return Reject(RejectReason::kNoTime, "record time: the log has none");
      break;
  }
  event.valid_from = event.time;
  return true;
}

bool JsonEventDecoder::ReadText(size_t slot, EventBatch& out, std::string_view* text) {
  const JsonToken& token = scanner_.token(slot);
  if (token.kind == JsonToken::Kind::kContainer) return false;
  if (!token.escaped) {
    *text = token.text;
    return true;
  }
  if (!scanner_.Unescape(token, &scratch_)) return false;
  *text = out.Keep(scratch_);
  return true;
}

uint64_t JsonEventDecoder::Pseudonym(std::string_view text) const {
  if (text.empty()) return 0;
  // A dead letter that is tried again already carries its pseudonym.
  if (text.size() == kPseudonymPrefix.size() + 16 && text.substr(0, kPseudonymPrefix.size()) == kPseudonymPrefix) {
    uint64_t value = 0;
    for (const char c : text.substr(kPseudonymPrefix.size())) {
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
      if (digit < 0) return std::max<uint64_t>(1, Hash64(text, seed_));
      value = value << 4 | static_cast<uint64_t>(digit);
    }
    return std::max<uint64_t>(1, value);
  }
  return std::max<uint64_t>(1, Hash64(text, seed_));
}

bool JsonEventDecoder::ReadPseudonym(size_t slot, uint64_t* pseudonym) {
  const JsonToken& token = scanner_.token(slot);
  *pseudonym = 0;
  if (!token.filled()) return true;
  if (token.kind == JsonToken::Kind::kContainer) return false;
  if (!token.escaped) {
    *pseudonym = Pseudonym(token.text);
    return true;
  }
  if (!scanner_.Unescape(token, &scratch_)) return false;
  *pseudonym = Pseudonym(scratch_);
  return true;
}

bool JsonEventDecoder::DecodeNumber(const BoundField& bound, Event& event) {
  const JsonToken& token = scanner_.token(bound.slot);
  if (token.kind != JsonToken::Kind::kNumber && token.kind != JsonToken::Kind::kString) {
    return RejectField(RejectReason::kBadValue, bound.slot, "not a number");
  }
  const auto value = ParseDecimal(token.text);
  if (!value) {
    if (IsTooLarge(token.text)) return RejectField(RejectReason::kOverflow, bound.slot, "larger than 9.2e12");
    return RejectField(RejectReason::kBadValue, bound.slot, "not a number");
  }
  if (bound.field->range != FieldRange::kAny && value->micros < 0) {
    return RejectField(RejectReason::kOutOfRange, bound.slot, "must not be negative");
  }
  if (bound.field->range == FieldRange::kShare && value->micros > Decimal::kOne) {
    return RejectField(RejectReason::kOutOfRange, bound.slot, "must be a share between 0 and 1");
  }
  event.Set(static_cast<NumberField>(bound.field->index), *value);
  return true;
}

bool JsonEventDecoder::DecodeField(const BoundField& bound, Event& event, EventBatch& out) {
  if (!scanner_.token(bound.slot).filled()) {
    if (bound.required) return RejectMissing(RejectReason::kMissingField, bound.slot);
    return true;
  }
  switch (bound.field->role) {
    case FieldRole::kNumber:
      return DecodeNumber(bound, event);
    case FieldRole::kText:
      if (ReadText(bound.slot, out, &event.texts[bound.field->index])) return true;
      return RejectField(RejectReason::kBadValue, bound.slot, "not a text");
    case FieldRole::kCustomer:
    case FieldRole::kSession: {
      uint64_t& target = bound.field->role == FieldRole::kCustomer ? event.customer : event.session;
      if (ReadPseudonym(bound.slot, &target)) return true;
      return Reject(RejectReason::kBadValue, fmt::format("field {}: not a text", pointers_[bound.slot].text));  // never its value
    }
    case FieldRole::kAction: {
      std::string_view text;
      if (!ReadText(bound.slot, out, &text)) return RejectField(RejectReason::kBadValue, bound.slot, "not a text");
      event.action = ParseAction(text);
      return true;
    }
    case FieldRole::kValidFrom:
      if (ReadTime(bound.slot, &event.valid_from)) return true;
      return RejectField(RejectReason::kBadValue, bound.slot, "not a time");
    case FieldRole::kValidTo:
      if (!ReadTime(bound.slot, &event.valid_to)) return RejectField(RejectReason::kBadValue, bound.slot, "not a time");
      if (event.valid_to < event.valid_from) return RejectField(RejectReason::kOutOfRange, bound.slot, "ends before it begins");
      return true;
    case FieldRole::kKey:
    case FieldRole::kTime:
    case FieldRole::kId:
      return true;
  }
  return true;
}

bool JsonEventDecoder::Finish(const InputRecord& record, Event& event) {
  // A promotion that says neither when it was announced nor has a record time is known from its first day.
  if (!event.time.IsFinite()) event.time = event.valid_from;
  if (!event.time.IsFinite()) return RejectMissing(RejectReason::kNoTime, fields_[1].slot);
  if (options_.max_future > Duration::zero() && record.record_time.IsFinite() &&
      event.time > record.record_time + options_.max_future) {
    return Reject(RejectReason::kFuture,
                  fmt::format("event time: {} s ahead of the record's time, max_future is {} s",
                              (event.time - record.record_time).count() / 1'000'000, options_.max_future.count() / 1'000'000));
  }
  if (options_.kind == InputKind::kOrders && event.Has(NumberField::kUnitPrice)) {
    const auto amount = CheckedMultiply(event.Number(NumberField::kQuantity), event.Number(NumberField::kUnitPrice));
    if (!amount) {
      return Reject(RejectReason::kOverflow, fmt::format("quantity x unit_price: too large: {} x {}",
                                                         event.Number(NumberField::kQuantity).ToDouble(),
                                                         event.Number(NumberField::kUnitPrice).ToDouble()));
    }
    event.Set(NumberField::kAmount, *amount);
  }
  if (!dedupe_slots_.empty()) {
    uint64_t hash = 0;
    for (const size_t slot : dedupe_slots_) {
      const JsonToken& token = scanner_.token(slot);
      if (!token.filled()) return RejectMissing(RejectReason::kMissingField, slot);
      hash = Hash64(token.text, hash);
    }
    event.dedupe = std::max<uint64_t>(1, hash);
  }
  return true;
}

std::string JsonEventDecoder::Pseudonymised(std::string_view value) {
  // Later places first, so that earlier positions stay right.
  struct Place {
    size_t begin;
    size_t size;
    uint64_t pseudonym;
  };
  std::vector<Place> places;
  for (const BoundField& bound : fields_) {
    if (bound.field->role != FieldRole::kCustomer && bound.field->role != FieldRole::kSession) continue;
    const JsonToken& token = scanner_.token(bound.slot);
    uint64_t pseudonym = 0;
    if (!token.filled() || !ReadPseudonym(bound.slot, &pseudonym)) continue;
    places.push_back({static_cast<size_t>(token.raw.data() - value.data()), token.raw.size(), pseudonym});
  }
  std::string text(value);
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.begin > b.begin; });
  for (const Place& place : places) {
    text.replace(place.begin, place.size, fmt::format("\"{}{:016x}\"", kPseudonymPrefix, place.pseudonym));
  }
  return text;
}

void JsonEventDecoder::AddDeadLetter(const InputRecord& record, const TopicPartition& source, EventBatch& out) {
  DeadLetter letter;
  letter.topic = source.topic;
  letter.partition = source.partition;
  letter.offset = record.offset;
  letter.record_time = record.record_time;
  letter.reason = reason_;
  letter.detail = std::move(detail_);
  letter.key = record.key;
  letter.value = scanned_ ? Pseudonymised(record.value) : std::string(record.value);
  out.dead_letters.push_back(std::move(letter));
}

}  // namespace

Result<std::unique_ptr<EventDecoder>> EventDecoder::Make(const InputOptions& options, uint16_t input_index,
                                                         std::string_view pseudonym_key) {
  const std::vector<std::string> names = FieldNames(options.kind);
  const auto unknown = [&](std::string_view name, std::string_view where) {
    const std::string nearest = NearestName(name, names);
    return Status(Code::kConfig,
                  fmt::format("input {}: {} names a field that {} do not have: \"{}\"", options.name, where, InputKindName(options.kind), name),
                  Domain::kInput)
        .WithRemedy(nearest.empty() ? fmt::format("fields of {}: {}", InputKindName(options.kind), fmt::join(names, ", "))
                                    : fmt::format("did you mean \"{}\"?", nearest));
  };
  for (const auto& [name, pointer] : options.fields) {
    if (FindField(options.kind, name) == nullptr) return unknown(name, "fields");
  }
  std::vector<JsonPointerPath> slots;
  std::vector<JsonEventDecoder::BoundField> fields;
  std::vector<size_t> dedupe_slots;
  const auto slot_of = [&slots](JsonPointerPath path) {
    for (size_t i = 0; i < slots.size(); ++i) {
      if (slots[i].steps == path.steps) return i;
    }
    slots.push_back(std::move(path));
    return slots.size() - 1;
  };
  for (const InputField& field : FieldsOf(options.kind)) {
    if (field.role == FieldRole::kId) continue;  // read for de-duplication alone
    auto path = JsonPointerPath::Parse(PointerOf(options, field.name));
    if (!path.ok()) return std::move(path).status().In(fmt::format("input {}, field {}", options.name, field.name));
    fields.push_back({&field, slot_of(std::move(path).value()), IsRequired(options, field)});
  }
  if (options.dedupe) {
    for (const std::string& name : options.dedupe->fields) {
      if (FindField(options.kind, name) == nullptr) return unknown(name, "dedupe");
      auto path = JsonPointerPath::Parse(PointerOf(options, name));
      if (!path.ok()) return std::move(path).status().In(fmt::format("input {}, field {}", options.name, name));
      dedupe_slots.push_back(slot_of(std::move(path).value()));
    }
  }
  TC_ASSIGN_OR_RETURN(EventTimeParser times, EventTimeParser::Make(options.time_format, options.zone));
  return std::unique_ptr<EventDecoder>(std::make_unique<JsonEventDecoder>(options, input_index, pseudonym_key, std::move(times),
                                                                          std::move(slots), std::move(fields), std::move(dedupe_slots)));
}

}  // namespace tidecast
