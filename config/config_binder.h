#pragma once

#include "config/config_tree.h"
#include "engine/runtime/engine_options.h"

namespace tidecast {

/// Fills the option structs from a tree that the field table has been held against. Values that were found wrong stay at
/// their default, so that the rules can look at the rest.
EngineOptions BindConfig(const ConfigNode& root);

/// The number field that a feature may name for an input of this kind: quantity, unit_price, amount, close ... Nothing when
/// the kind does not have it.
std::optional<NumberField> NumberFieldOf(InputKind kind, std::string_view name);
/// Names for messages.
std::vector<std::string> NumberFieldNames(InputKind kind);

}  // namespace tidecast
