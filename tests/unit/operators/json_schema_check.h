#pragma once

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>
#include <string>

namespace tidecast {

/// Checks a value against the part of JSON Schema 2020-12 that config/schemas/ uses. A keyword it does not know is an
/// error, so that no rule of a schema goes unchecked. Returns "" or the place and the rule that is broken.
class JsonSchemaCheck {
 public:
  explicit JsonSchemaCheck(nlohmann::json schema) : root_(std::move(schema)) {}

  static JsonSchemaCheck Load(const std::string& name) {
    const char* source = std::getenv("TIDECAST_SOURCE_DIR");
    const std::string path = std::string(source != nullptr ? source : ".") + "/config/schemas/" + name + ".schema.json";
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path);
    return JsonSchemaCheck(nlohmann::json::parse(file));
  }

  std::string Check(const nlohmann::json& value) const { return Check(root_, value, "$"); }
  const nlohmann::json& schema() const { return root_; }

 private:
  using Json = nlohmann::json;

  static bool IsType(const Json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "number") return value.is_number();
    if (type == "integer") return value.is_number_integer();
    if (type == "boolean") return value.is_boolean();
    if (type == "null") return value.is_null();
    throw std::runtime_error("unknown type " + type);
  }

  std::string Check(const Json& schema, const Json& value, const std::string& at) const {
    for (const auto& [keyword, rule] : schema.items()) {
      const std::string broken = CheckKeyword(schema, keyword, rule, value, at);
      if (!broken.empty()) return broken;
    }
    return "";
  }

  std::string CheckKeyword(const Json& schema, const std::string& keyword, const Json& rule, const Json& value,
                           const std::string& at) const {
    const std::string where = at + " " + keyword + ": " + value.dump();
    if (keyword == "$schema" || keyword == "$id" || keyword == "$defs" || keyword == "title" ||
        keyword == "description" || keyword == "examples") {
      return "";
    }
    if (keyword == "$ref") return Check(root_.at(Json::json_pointer(rule.get<std::string>().substr(1))), value, at);
    if (keyword == "type") {
      if (rule.is_string()) return IsType(value, rule) ? "" : where;
      for (const Json& type : rule) {
        if (IsType(value, type)) return "";
      }
      return where;
    }
    if (keyword == "const") return value == rule ? "" : where;
    if (keyword == "enum") {
      for (const Json& allowed : rule) {
        if (value == allowed) return "";
      }
      return where;
    }
    if (keyword == "minimum") return !value.is_number() || value >= rule ? "" : where;
    if (keyword == "maximum") return !value.is_number() || value <= rule ? "" : where;
    if (keyword == "minLength") return !value.is_string() || value.get<std::string>().size() >= rule ? "" : where;
    if (keyword == "pattern") {
      return !value.is_string() || std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>()))
                 ? ""
                 : where;
    }
    if (keyword == "minItems") return !value.is_array() || value.size() >= rule ? "" : where;
    if (keyword == "items") {
      for (size_t i = 0; value.is_array() && i < value.size(); ++i) {
        const std::string broken = Check(rule, value[i], at + "[" + std::to_string(i) + "]");
        if (!broken.empty()) return broken;
      }
      return "";
    }
    if (keyword == "required") {
      for (const Json& name : rule) {
        if (value.is_object() && !value.contains(name.get<std::string>()))
          return at + " lacks " + name.get<std::string>();
      }
      return "";
    }
    if (keyword == "properties") {
      for (const auto& [name, inner] : rule.items()) {
        if (!value.is_object() || !value.contains(name)) continue;
        const std::string broken = Check(inner, value[name], at + "." + name);
        if (!broken.empty()) return broken;
      }
      return "";
    }
    if (keyword == "additionalProperties") {
      for (const auto& [name, inner] : value.items()) {
        if (schema.contains("properties") && schema["properties"].contains(name)) continue;
        if (rule.is_boolean()) {
          if (!rule.get<bool>()) return at + " may not have " + name;
          continue;
        }
        const std::string broken = Check(rule, inner, at + "." + name);
        if (!broken.empty()) return broken;
      }
      return "";
    }
    throw std::runtime_error("a keyword that this check does not know: " + keyword);
  }

  nlohmann::json root_;
};

}  // namespace tidecast
