#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/event.h"
#include "engine/io/input_options.h"

namespace tidecast {

/// What a field of an input does in an event.
enum class FieldRole : uint8_t { kKey, kTime, kNumber, kText, kCustomer, kSession, kAction, kValidFrom, kValidTo, kId };

/// Numbers that a field may take.
enum class FieldRange : uint8_t { kAny, kNotNegative, kShare };

/// One field of an input kind, under our own name. The one place that lists them (DESIGN.md 7).
struct InputField {
  std::string_view name;     ///< ours, e.g. "unit_price"
  FieldRole role = FieldRole::kId;
  uint8_t index = 0;         ///< NumberField or TextField
  FieldRange range = FieldRange::kAny;
  bool required = false;
};

/// Fields of a kind: key first, then time.
std::span<const InputField> FieldsOf(InputKind kind);
/// Nothing when the kind has no such field.
const InputField* FindField(InputKind kind, std::string_view name);
/// "orders", "clicks" ...
std::string_view InputKindName(InputKind kind);
/// Names of a kind's fields, for messages.
std::vector<std::string> FieldNames(InputKind kind);
/// The pointer that the options give the field, or "/name".
std::string PointerOf(const InputOptions& options, std::string_view field);
/// Whether the input cannot do without the field: the table's word, and the time where it comes from a field of a clock input.
bool IsRequired(const InputOptions& options, const InputField& field);

}  // namespace tidecast
