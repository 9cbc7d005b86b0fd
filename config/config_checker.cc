#include "config/config_checker.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>

#include "config/config_fields.h"
#include "config/config_values.h"
#include "config/kafka_properties.h"
#include "engine/io/event_time_parser.h"
#include "engine/io/json_pointer_path.h"
#include "engine/io/nearest_name.h"
#include "operators/holiday_sources.h"

namespace tidecast {
namespace {

std::string Joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

bool IsPlainName(std::string_view name) {
  return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == std::string_view::npos;
}

class Checker {
 public:
  explicit Checker(std::vector<ConfigProblem>* problems) : problems_(*problems) {}

  // `pattern` is the table's path, `shown` the one a person reads.
  void Section(std::string_view pattern, const std::string& shown, const ConfigPlace& place, ConfigNode* node) {
    const std::vector<const ConfigField*> rows = FieldsBelow(pattern);
    std::vector<std::string> names;
    for (const ConfigField* row : rows) names.emplace_back(row->key());
    for (ConfigEntry& entry : node->entries) {
      const auto row = std::find_if(rows.begin(), rows.end(), [&](const ConfigField* field) { return field->key() == entry.key; });
      if (row != rows.end()) {
        Value(**row, shown.empty() ? entry.key : shown + "." + entry.key, entry);
        continue;
      }
      const std::string nearest = NearestName(entry.key, names);
      Add("TC0103", fmt::format("unknown key \"{}\" {}", entry.key, shown.empty() ? "at the top" : "in " + shown), entry.place,
          fmt::format("keys here: {}", Joined(names)), nearest.empty() ? Elsewhere(entry.key) : fmt::format("did you mean \"{}\"?", nearest));
    }
    for (const ConfigField* row : rows) {
      if (!row->required || node->Find(row->key()) != nullptr) continue;
      Add("TC0108", fmt::format("{} is missing", shown.empty() ? std::string(row->key()) : shown + "." + std::string(row->key())), place,
          std::string(row->doc), row->example.empty() ? fmt::format("add {}: ...; `tidecast init` shows an example", row->key())
                                                      : fmt::format("add {}: {}", row->key(), row->example));
    }
  }

 private:
  void Add(std::string code, std::string what, const ConfigPlace& place, std::string why, std::string remedy) {
    problems_.push_back({std::move(code), std::move(what), place, {}, std::move(why), std::move(remedy)});
  }

  // Where in the table an unknown key does exist.
  static std::string Elsewhere(std::string_view key) {
    for (const ConfigField& field : ConfigFields()) {
      if (field.key() == key) return fmt::format("there is a key {}; perhaps the indentation is off", field.path);
    }
    return "leave it out, or see `tidecast init --full` for every key";
  }

  void Value(const ConfigField& field, const std::string& shown, ConfigEntry& entry) {
    ConfigNode& node = entry.value;
    switch (field.type) {
      case FieldType::kSection:
      case FieldType::kNamedSections:
        if (node.kind == ConfigNode::Kind::kScalar && !field.choices.empty()) {
          ConfigEntry only{std::string(field.choices), node.place, std::move(node)};
          node = {};
          node.kind = ConfigNode::Kind::kSection;
          node.place = only.place;
          node.entries.push_back(std::move(only));
        }
        if (node.kind == ConfigNode::Kind::kNull) node.kind = ConfigNode::Kind::kSection;
        if (!node.IsSection()) {
          Add("TC0104", fmt::format("{} must be a section", shown), entry.place, "it holds keys of its own",
              fmt::format("write the keys below it, indented; `tidecast init --full` shows them"));
          return;
        }
        if (field.type == FieldType::kSection) Section(field.path, shown, entry.place, &node);
        else NamedSections(field, shown, entry);
        return;
      case FieldType::kTextMap:
        if (node.kind == ConfigNode::Kind::kNull) node.kind = ConfigNode::Kind::kSection;
        if (!node.IsSection()) {
          Add("TC0104", fmt::format("{} must be a list of name: value", shown), entry.place, "", fmt::format("e.g. {}: {}", field.key(), field.example));
          return;
        }
        for (ConfigEntry& row : node.entries) {
          if (row.value.kind != ConfigNode::Kind::kScalar) {
            Add("TC0104", fmt::format("{}.{} must be a single value", shown, row.key), row.place, "",
                field.path == "kafka" ? "write librdkafka's names in one piece, e.g. bootstrap.servers: \"127.0.0.1:9092\"" : fmt::format("e.g. {}: {}", field.key(), field.example));
            continue;
          }
          Interpolation(shown + "." + row.key, field.path == "kafka" && IsKafkaSecret(row.key), &row.value);
        }
        return;
      case FieldType::kTextList:
      case FieldType::kHolidays:
        List(field, shown, entry);
        return;
      case FieldType::kOpenDays:
        if (node.kind == ConfigNode::Kind::kList) {
          for (const ConfigNode& item : node.items) {
            if (item.kind == ConfigNode::Kind::kScalar && ParseWeekday(item.text)) continue;
            Add("TC0107", fmt::format("{}: not a weekday: \"{}\"", shown, item.text), item.place, "", "write mon, tue, wed, thu, fri, sat, sun");
          }
          if (node.items.empty()) Add("TC0105", fmt::format("{} is empty", shown), entry.place, "no day would ever be open", "name at least one weekday, or write `all`");
          return;
        }
        break;
      default:
        break;
    }
    if (node.kind != ConfigNode::Kind::kScalar) {
      Add("TC0104", node.kind == ConfigNode::Kind::kNull ? fmt::format("{} has no value", shown) : fmt::format("{} must be a single value", shown),
          entry.place, std::string(field.doc), field.example.empty() ? "give it a value or leave it out" : fmt::format("e.g. {}: {}", field.key(), field.example));
      return;
    }
    if (!Interpolation(shown, field.type == FieldType::kSecret, &node)) return;
    Scalar(field, shown, node);
  }

  void NamedSections(const ConfigField& field, const std::string& shown, ConfigEntry& entry) {
    const std::string below = std::string(field.path) + ".*";
    if (entry.value.entries.empty() && field.required) {
      Add("TC0108", fmt::format("{} is empty", shown), entry.place, std::string(field.doc), "`tidecast init` shows an example");
    }
    for (ConfigEntry& row : entry.value.entries) {
      if (!IsPlainName(row.key)) {
        Add("TC0104", fmt::format("{}: not a name: \"{}\"", shown, row.key), row.place, "it becomes part of topics and columns", "use letters, digits and . _ -");
      }
      Value(*FindConfigField(below), shown + "." + row.key, row);
    }
  }

  void List(const ConfigField& field, const std::string& shown, ConfigEntry& entry) {
    ConfigNode& node = entry.value;
    if (node.kind == ConfigNode::Kind::kScalar) {  // one item needs no brackets
      ConfigNode only = std::move(node);
      node = {};
      node.kind = ConfigNode::Kind::kList;
      node.place = only.place;
      node.items.push_back(std::move(only));
    }
    if (node.kind != ConfigNode::Kind::kList) {
      Add("TC0104", fmt::format("{} must be a list", shown), entry.place, "", fmt::format("e.g. {}: {}", field.key(), field.example));
      return;
    }
    if (field.required && node.items.empty()) Add("TC0105", fmt::format("{} is empty", shown), entry.place, std::string(field.doc), fmt::format("e.g. {}: {}", field.key(), field.example));
    for (ConfigNode& item : node.items) {
      if (field.type == FieldType::kHolidays) TakeFile(&item);
      if (item.kind != ConfigNode::Kind::kScalar) {
        Add("TC0104", fmt::format("{}: each item must be a single value", shown), item.place, "", fmt::format("e.g. {}: {}", field.key(), field.example));
        continue;
      }
      Interpolation(shown, false, &item);
      if (field.type == FieldType::kHolidays) {
        if (const auto dates = ReadHolidays({&item.text, 1}); !dates.ok()) {
          Add("TC0104", fmt::format("{}: {}", shown, dates.status().message()), item.place, "", dates.status().remedy());
        }
      }
    }
  }

  // {file: PATH} is a PATH.
  static void TakeFile(ConfigNode* item) {
    if (!item->IsSection() || item->entries.size() != 1 || item->entries[0].key != "file") return;
    if (item->entries[0].value.kind != ConfigNode::Kind::kScalar) return;
    ConfigNode path = std::move(item->entries[0].value);
    *item = std::move(path);
  }

  // Puts the file's content in for ${file:PATH} where a secret stands. False when something was wrong.
  bool Interpolation(const std::string& shown, bool secret, ConfigNode* node) {
    if (node->text.find("${") == std::string::npos) return true;
    constexpr std::string_view kOpen = "${file:";
    if (!secret || !node->text.starts_with(kOpen) || !node->text.ends_with("}")) {
      Add("TC0115", fmt::format("{} holds ${{...}}", shown), node->place,
          secret ? "a secret's only form is ${file:/path}" : "only secrets are read from files; nothing else is replaced in a config",
          secret ? "write ${file:/path/of/the/secret}" : "write the value, or set it by environment variable or --set");
      return false;
    }
    const std::string path = node->text.substr(kOpen.size(), node->text.size() - kOpen.size() - 1);
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    if (!file || !(content << file.rdbuf())) {
      Add("TC0116", fmt::format("{}: the secret's file cannot be read: {}", shown, path), node->place, "", "make the file and let the user that runs tidecast read it");
      return false;
    }
    node->text = content.str();
    while (!node->text.empty() && (node->text.back() == '\n' || node->text.back() == '\r')) node->text.pop_back();
    return true;
  }

  void Range(const ConfigField& field, const std::string& shown, const ConfigNode& node, double value) {
    if (value >= field.min && value <= field.max) return;
    if (value == 0 && field.fallback == "0") return;  // 0: the machine's own choice
    const auto show = [&](double bound) {
      if (field.type == FieldType::kDuration) return ShowDuration(Duration(static_cast<int64_t>(bound)));
      if (field.type == FieldType::kBytes) return ShowBytes(static_cast<uint64_t>(bound));
      return fmt::format("{:g}", bound);
    };
    Add("TC0105", fmt::format("{} is out of range: {}", shown, node.text), node.place, std::string(field.doc),
        fmt::format("take a value from {} to {}", show(field.min), show(field.max)));
  }

  void Word(const ConfigField& field, const std::string& shown, const ConfigNode& node, const std::vector<std::string>& words) {
    if (std::find(words.begin(), words.end(), node.text) != words.end()) return;
    const std::string nearest = NearestName(node.text, words);
    Add("TC0107", fmt::format("{} is none of its words: \"{}\"", shown, node.text), node.place, std::string(field.doc),
        fmt::format("{}take one of: {}", nearest.empty() ? "" : fmt::format("did you mean \"{}\"? ", nearest), Joined(words)));
  }

  void Scalar(const ConfigField& field, const std::string& shown, const ConfigNode& node) {
    const auto wrong = [&](std::string_view code, std::string_view what, std::string remedy) {
      Add(std::string(code), fmt::format("{}: {}: \"{}\"", shown, what, node.text), node.place, std::string(field.doc), std::move(remedy));
    };
    switch (field.type) {
      case FieldType::kText:
        if (node.text.empty()) wrong("TC0104", "must not be empty", fmt::format("e.g. {}: {}", field.key(), field.example));
        break;
      case FieldType::kName:
        if (node.text.empty() || node.text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") != std::string::npos) {
          wrong("TC0104", "not a name", "use lower-case letters, digits and . _ -");
        }
        break;
      case FieldType::kInteger:
        if (const auto value = ParseInteger(node.text)) Range(field, shown, node, static_cast<double>(*value));
        else wrong("TC0104", "not a whole number", fmt::format("e.g. {}: {}", field.key(), field.example));
        break;
      case FieldType::kNumber:
        if (const auto value = ParseNumber(node.text)) Range(field, shown, node, *value);
        else wrong("TC0104", "not a number", fmt::format("e.g. {}: {}", field.key(), field.example));
        break;
      case FieldType::kBoolean:
        Word(field, shown, node, {"true", "false"});
        break;
      case FieldType::kFlag:
        Word(field, shown, node, {"true"});
        break;
      case FieldType::kDuration:
        if (const auto value = ParseDuration(node.text)) Range(field, shown, node, static_cast<double>(value->count()));
        else wrong("TC0106", ParseNumber(node.text) ? "a duration needs a unit" : "not a duration", "write e.g. 500ms, 30s, 5m, 2h, 1d or 1w");
        break;
      case FieldType::kBytes:
        if (const auto value = ParseBytes(node.text)) Range(field, shown, node, static_cast<double>(*value));
        else wrong("TC0106", ParseNumber(node.text) ? "an amount of bytes needs a unit" : "not an amount of bytes", "write e.g. 64KiB, 512MiB or 2GiB");
        break;
      case FieldType::kChoice:
        Word(field, shown, node, ChoicesOf(field));
        break;
      case FieldType::kZone:
        if (!EventTimeParser::Make(TimeFormat::kAuto, node.text).ok()) {
          wrong("TC0109", "unknown time zone", "use a name such as Europe/London or UTC; the package tzdata must be installed");
        }
        break;
      case FieldType::kPointer:
        if (auto path = JsonPointerPath::Parse(node.text); !path.ok()) {
          Add("TC0110", fmt::format("{}: {}", shown, path.status().message()), node.place, std::string(field.doc), path.status().remedy());
        }
        break;
      case FieldType::kBucketLength:
        if (!ParseBucketLength(node.text)) wrong("TC0106", "not a bucket length", "write e.g. 10s, 5m, 1h, 1d, 1w or 1mo");
        break;
      case FieldType::kOpenDays:
        Word(field, shown, node, {"all", "learned"});
        break;
      case FieldType::kHours:
        if (!ParseBusinessHours(node.text)) wrong("TC0104", "not business hours", "write them as \"09:00-17:30\", the end behind the beginning");
        break;
      default:
        break;
    }
  }

  std::vector<ConfigProblem>& problems_;
};

}  // namespace

void CheckAgainstFields(ConfigNode* root, std::vector<ConfigProblem>* problems) {
  Checker(problems).Section("", "", {1, 1, 1, {}}, root);
  if (const ConfigNode* kafka = root->Find("kafka")) CheckKafkaProperties(*kafka, problems);
}

ConfigPlace PlaceAt(const ConfigNode& root, const std::vector<std::string>& path) {
  ConfigPlace place{1, 1, 1, {}};
  const ConfigNode* node = &root;
  for (size_t i = 0; i < path.size(); ++i) {
    const auto entry = std::find_if(node->entries.begin(), node->entries.end(), [&](const ConfigEntry& row) { return row.key == path[i]; });
    if (entry == node->entries.end()) break;
    const bool value = i + 1 == path.size() && entry->value.kind == ConfigNode::Kind::kScalar;
    place = value ? entry->value.place : entry->place;
    node = &entry->value;
  }
  return place;
}

}  // namespace tidecast
