#include "engine/io/input_fields.h"

#include <fmt/format.h>

#include <array>

namespace tidecast {
namespace {

constexpr InputField Key(std::string_view name) { return {name, FieldRole::kKey, 0, FieldRange::kAny, true}; }
constexpr InputField Number(std::string_view name, NumberField field, FieldRange range, bool required = false) {
  return {name, FieldRole::kNumber, static_cast<uint8_t>(field), range, required};
}
constexpr InputField Text(std::string_view name, TextField field) {
  return {name, FieldRole::kText, static_cast<uint8_t>(field), FieldRange::kAny, false};
}
constexpr InputField Of(std::string_view name, FieldRole role, bool required = false) {
  return {name, role, 0, FieldRange::kAny, required};
}

constexpr std::array kOrders = {
    Key("sku"),
    Of("ts", FieldRole::kTime),
    Number("quantity", NumberField::kQuantity, FieldRange::kAny, true),
    Number("unit_price", NumberField::kUnitPrice, FieldRange::kNotNegative),
    Of("order_id", FieldRole::kId),
    Of("line", FieldRole::kId),
    Of("customer_id", FieldRole::kCustomer),
    Text("country", TextField::kCountry),
    Text("channel", TextField::kChannel),
    Text("category", TextField::kCategory),
    Text("brand", TextField::kBrand),
    Text("description", TextField::kDescription),
    Text("promotion", TextField::kPromotion),
};
constexpr std::array kClicks = {
    Key("sku"),
    Of("ts", FieldRole::kTime),
    Of("action", FieldRole::kAction, true),
    Of("event_id", FieldRole::kId),
    Of("session_id", FieldRole::kSession),
    Of("customer_id", FieldRole::kCustomer),
    Text("country", TextField::kCountry),
    Text("channel", TextField::kChannel),
    Text("category", TextField::kCategory),
};
constexpr std::array kCatalog = {
    Key("sku"),
    Of("ts", FieldRole::kTime),
    Text("category", TextField::kCategory),
    Text("brand", TextField::kBrand),
    Text("description", TextField::kDescription),
    Number("unit_price", NumberField::kUnitPrice, FieldRange::kNotNegative),
};
constexpr std::array kPromotions = {
    Key("sku"),
    Of("ts", FieldRole::kTime),
    Of("from", FieldRole::kValidFrom, true),
    Of("to", FieldRole::kValidTo),
    Number("depth", NumberField::kDepth, FieldRange::kShare),
    Text("promotion", TextField::kPromotion),
};
constexpr std::array kInventory = {
    Key("sku"),
    Of("ts", FieldRole::kTime),
    Number("on_hand", NumberField::kOnHand, FieldRange::kAny, true),  // negative: back orders
    Number("due_in", NumberField::kDueIn, FieldRange::kNotNegative),
    Number("lead_time", NumberField::kLeadTime, FieldRange::kNotNegative),
    Number("unit_cost", NumberField::kUnitCost, FieldRange::kNotNegative),
};
constexpr std::array kMarket = {
    Key("symbol"),
    Of("ts", FieldRole::kTime),
    Number("close", NumberField::kUnitPrice, FieldRange::kNotNegative, true),
    Number("volume", NumberField::kVolume, FieldRange::kNotNegative),
};

}  // namespace

std::span<const InputField> FieldsOf(InputKind kind) {
  switch (kind) {
    case InputKind::kOrders: return kOrders;
    case InputKind::kClicks: return kClicks;
    case InputKind::kCatalog: return kCatalog;
    case InputKind::kPromotions: return kPromotions;
    case InputKind::kInventory: return kInventory;
    case InputKind::kMarket: return kMarket;
  }
  return {};
}

const InputField* FindField(InputKind kind, std::string_view name) {
  for (const InputField& field : FieldsOf(kind)) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::string_view InputKindName(InputKind kind) {
  switch (kind) {
    case InputKind::kOrders: return "orders";
    case InputKind::kClicks: return "clicks";
    case InputKind::kCatalog: return "catalog";
    case InputKind::kPromotions: return "promotions";
    case InputKind::kInventory: return "inventory";
    case InputKind::kMarket: return "market";
  }
  return "unknown";
}

std::vector<std::string> FieldNames(InputKind kind) {
  std::vector<std::string> names;
  for (const InputField& field : FieldsOf(kind)) names.emplace_back(field.name);
  return names;
}

std::string PointerOf(const InputOptions& options, std::string_view field) {
  const auto found = options.fields.find(std::string(field));
  if (found != options.fields.end()) return found->second;
  return fmt::format("/{}", field);
}

bool IsRequired(const InputOptions& options, const InputField& field) {
  if (field.role == FieldRole::kTime) return options.time_source == TimeSource::kField && IsClock(options.kind);
  return field.required;
}

}  // namespace tidecast
