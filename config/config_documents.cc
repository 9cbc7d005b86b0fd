#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/config_fields.h"
#include "config/config_problem.h"
#include "config/config_values.h"

// Schema, reference and templates: all made from the field table.

namespace tidecast {
namespace {

using Json = nlohmann::ordered_json;

Json SchemaOf(const ConfigField& field);

Json SectionSchema(std::string_view path) {
  Json schema = {{"type", "object"}, {"additionalProperties", false}};
  Json properties = Json::object();
  Json required = Json::array();
  for (const ConfigField* row : FieldsBelow(path)) {
    properties[std::string(row->key())] = SchemaOf(*row);
    if (row->required) required.push_back(row->key());
  }
  schema["properties"] = std::move(properties);
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

Json ValueSchema(const ConfigField& field) {
  const auto pattern = [](std::string_view text) { return Json{{"type", "string"}, {"pattern", text}}; };
  switch (field.type) {
    case FieldType::kSection: return SectionSchema(field.path);
    case FieldType::kNamedSections: return {{"type", "object"}, {"additionalProperties", SectionSchema(std::string(field.path) + ".*")}};
    case FieldType::kTextMap: return {{"type", "object"}, {"additionalProperties", {{"type", {"string", "number", "boolean"}}}}};
    case FieldType::kName: return pattern("^[a-z0-9._-]+$");
    case FieldType::kTextList: return {{"type", "array"}, {"items", {{"type", "string"}}}};
    case FieldType::kHolidays: {
      const Json text = {{"type", "string"}};
      const Json file = {{"type", "object"}, {"properties", {{"file", text}}}, {"required", Json::array({"file"})}, {"additionalProperties", false}};
      return {{"type", "array"}, {"items", {{"oneOf", Json::array({text, file})}}}};
    }
    case FieldType::kBoolean: return {{"type", "boolean"}};
    case FieldType::kFlag: return {{"const", true}};
    case FieldType::kDuration: return {{"oneOf", {pattern("^([0-9.]+(us|ms|s|m|min|h|d|w))+$"), {{"const", 0}}}}};
    case FieldType::kBytes: return {{"oneOf", {pattern("^[0-9.]+(B|KiB|MiB|GiB|KB|MB|GB)$"), {{"const", 0}}}}};
    case FieldType::kChoice: return {{"enum", ChoicesOf(field)}};
    case FieldType::kPointer: return {{"type", "string"}, {"format", "json-pointer"}};
    case FieldType::kBucketLength: return pattern("^[0-9]+(s|m|min|h|d|w|mo)$");
    case FieldType::kOpenDays:
      return {{"oneOf", {{{"enum", {"all", "learned"}}}, {{"type", "array"}, {"items", {{"enum", {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}}}}}}}};
    case FieldType::kHours: return pattern("^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$");
    case FieldType::kInteger:
    case FieldType::kNumber: {
      Json schema = {{"type", field.type == FieldType::kInteger ? "integer" : "number"}};
      if (field.type == FieldType::kInteger) {
        schema["minimum"] = static_cast<int64_t>(field.min);
        schema["maximum"] = static_cast<int64_t>(field.max);
      } else {
        schema["minimum"] = field.min;
        schema["maximum"] = field.max;
      }
      return schema;
    }
    default: return {{"type", "string"}};
  }
}

// The default as JSON has it.
Json FallbackOf(const ConfigField& field) {
  const std::string text(field.fallback);
  if (field.type == FieldType::kInteger) return std::stoll(text);
  if (field.type == FieldType::kNumber) return std::stod(text);
  if (field.type == FieldType::kBoolean) return text == "true";
  if (field.type == FieldType::kBytes && text == "0") return 0;
  return text;
}

Json SchemaOf(const ConfigField& field) {
  Json schema = ValueSchema(field);
  // A single value may stand for a section: model: experts.
  if (field.type == FieldType::kSection && !field.choices.empty()) {
    const ConfigField* only = FindConfigField(fmt::format("{}.{}", field.path, field.choices));
    schema = {{"oneOf", {std::move(schema), ValueSchema(*only)}}};
  }
  if (!field.doc.empty()) schema["description"] = field.doc;
  if (!field.fallback.empty()) schema["default"] = FallbackOf(field);
  return schema;
}

std::string RangeText(const ConfigField& field) {
  const auto show = [&](double bound) {
    if (field.type == FieldType::kDuration) return ShowDuration(Duration(static_cast<int64_t>(bound)));
    if (field.type == FieldType::kBytes) return ShowBytes(static_cast<uint64_t>(bound));
    return fmt::format("{:g}", bound);
  };
  if (field.max != std::numeric_limits<double>::infinity()) return fmt::format("{} to {}", show(field.min), show(field.max));
  if (field.type != FieldType::kSection && !field.choices.empty()) return fmt::format("{}", fmt::join(ChoicesOf(field), ", "));
  switch (field.type) {
    case FieldType::kBoolean: return "true, false";
    case FieldType::kFlag: return "true";
    case FieldType::kOpenDays: return "all, learned, list of days";
    case FieldType::kTextList: return "list";
    case FieldType::kHolidays: return "list of countries, days, files";
    case FieldType::kTextMap: return "name: value";
    default: return "";
  }
}

void WriteTemplate(std::string_view path, int depth, std::string* out) {
  const std::string indent(static_cast<size_t>(depth) * 2, ' ');
  for (const ConfigField* row : FieldsBelow(path)) {
    if (!row->doc.empty()) *out += fmt::format("{}# {}\n", indent, row->doc);
    switch (row->type) {
      case FieldType::kSection:
        *out += fmt::format("{}{}:\n", indent, row->key());
        WriteTemplate(row->path, depth + 1, out);
        break;
      default: {
        const std::string range = RangeText(*row);
        *out += fmt::format("{}# {}: {}{}\n", indent, row->key(), row->fallback.empty() ? row->example : row->fallback,
                            range.empty() ? "" : fmt::format("   # {}", range));
      }
    }
  }
}

constexpr std::string_view kShortTemplate = R"(# yaml-language-server: $schema=config.schema.json
namespace: shop                # topics are shop.orders, shop.forecasts ...
transport: embedded            # or kafka, with kafka: {bootstrap.servers: "host:9092"}
state: {directory: ./tidecast-state, memory_limit: 512MiB}

inputs:
  orders:
    time: {field: /ts, zone: UTC}
    # fields: {quantity: /qty}         # where our fields stand in the JSON, if not under their own names
    # columns: {sku: StockCode}        # and in CSV files, where they are not found by themselves
    # dedupe: {key: [order_id, line], for: 2d}
  # clicks:
  #   out_of_orderness: 5m

views:
  sku:
    bucket: {every: 1d, zone: UTC, open: learned}   # or 1h, 5m, 1w; open: all, [mon, tue, ...]
    allowed_lateness: 1d
    features:
      units: {input: orders, sum: quantity, where: positive}
      returns: {input: orders, sum: quantity, where: negative, absolute: true}
      revenue: {input: orders, sum: amount, where: positive}
      customers: {input: orders, distinct: customer, where: positive}
      price: {input: orders, mean: unit_price, where: positive}
    target: units
    horizon: 14
    past_covariates: [price]

model: lstm                    # experts: without the net; none: windows only
alerts: {tail_probability: 0.0001}
server: {address: 127.0.0.1, port: 8080}
)";

}  // namespace

std::string ConfigSchema() {
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Tidecast config"}};
  const Json top = SectionSchema("");
  for (const auto& [key, value] : top.items()) schema[key] = value;
  return schema.dump(2) + "\n";
}

std::string ConfigReference() {
  std::string out = "| key | default | values | meaning | environment |\n|---|---|---|---|---|\n";
  for (const ConfigField& field : ConfigFields()) {
    const bool section = field.type == FieldType::kSection || field.type == FieldType::kNamedSections;
    if (field.key() == "*") continue;
    if (section) {
      out += fmt::format("| **`{}`** |  | {} | {} |  |\n", field.path,
                         field.choices.empty() ? std::string() : fmt::format("a single value stands for `{}`", field.choices), field.doc);
      continue;
    }
    out += fmt::format("| `{}` | {} | {} | {} | `{}` |\n", field.path, field.fallback.empty() ? std::string(field.required ? "needed" : "") : fmt::format("`{}`", field.fallback),
                       RangeText(field), field.doc, EnvironmentName(field));
  }
  out += "\n| error | meaning | remedy |\n|---|---|---|\n";
  for (const ProblemCode& code : ProblemCodes()) out += fmt::format("| {} | {} | {} |\n", code.code, code.sentence, code.remedy);
  return out;
}

std::string ConfigTemplate(bool full) {
  std::string out(kShortTemplate);
  if (!full) return out;
  out += "\n# ---- every key, with its default or an example ----\n";
  std::string all;
  WriteTemplate("", 0, &all);
  for (const std::string_view section : {"inputs.*", "views.*", "views.*.features.*", "views.*.windows.*"}) {
    all += fmt::format("# -- below {} --\n", section);
    WriteTemplate(section, 1, &all);
  }
  // Comments only: what is above is what holds.
  size_t at = 0;
  while (at < all.size()) {
    const size_t end = all.find('\n', at);
    const std::string_view line = std::string_view(all).substr(at, end - at);
    const size_t text = line.find_first_not_of(' ');
    if (text != std::string_view::npos) {
      const bool comment = line[text] == '#';
      out += fmt::format("#{}{}\n", comment ? "" : " ", comment ? fmt::format("{}{}", line.substr(0, text), line.substr(text + 1)) : std::string(line));
    }
    at = end + 1;
  }
  return out;
}

}  // namespace tidecast
