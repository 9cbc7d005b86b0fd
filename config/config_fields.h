#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"

namespace tidecast {

/// What may stand as a field's value.
enum class FieldType : uint8_t {
  kSection,       ///< fixed keys: the rows below it in the table
  kNamedSections, ///< names of the user's own, each a section of the same keys ("*" in paths)
  kTextMap,       ///< any names, single values
  kText,
  kName,          ///< lower-case letters, digits, . _ -
  kTextList,
  kInteger,
  kNumber,
  kBoolean,
  kDuration,
  kBytes,
  kChoice,
  kZone,
  kPointer,
  kBucketLength,
  kOpenDays,      ///< all | learned | list of weekdays
  kHours,
  kHolidays,      ///< list of countries, days and calendar files
  kFlag,          ///< true only, e.g. `count: true`
  kSecret,        ///< a text that is masked and may be ${file:...}
};

/// One row of the table. Ranges of durations are in microseconds, of bytes in bytes.
struct ConfigField {
  std::string_view path;        ///< "inputs.*.time.zone"
  FieldType type = FieldType::kText;
  std::string_view fallback;    ///< default as it would be written; empty: none, or as `doc` says
  std::string_view doc;
  std::string_view example;     ///< a value for the reference and the full template
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::string_view choices;     ///< separated by spaces; for a section: the key that a single value stands for
  bool required = false;

  std::string_view key() const { return path.substr(path.rfind('.') == std::string_view::npos ? 0 : path.rfind('.') + 1); }
};

/// The one table that validation, JSON schema, reference, templates and environment names come from.
std::span<const ConfigField> ConfigFields();
/// Rows directly below `path` ("" = the top).
std::vector<const ConfigField*> FieldsBelow(std::string_view path);
/// Nothing when the table has no such row.
const ConfigField* FindConfigField(std::string_view path);
/// A row's allowed words.
std::vector<std::string> ChoicesOf(const ConfigField& field);
/// "TIDECAST__STATE__MEMORY_LIMIT"; a user's own name is written <NAME>.
std::string EnvironmentName(const ConfigField& field);

/// JSON Schema 2020-12 of a config, as it stands in config/schemas/config.schema.json.
std::string ConfigSchema();
/// The reference as a Markdown table, as it stands in config/README.md.
std::string ConfigReference();
/// A commented config to begin with (`tidecast init`): at most 40 lines, or every key.
std::string ConfigTemplate(bool full);

}  // namespace tidecast
