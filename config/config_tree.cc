#include "config/config_tree.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>

#include "config/secret_mask.h"

namespace tidecast {
namespace {

constexpr int kDepthMax = 16;  // an alias may point at what it stands in

ConfigPlace PlaceOf(const YAML::Node& node, std::string_view shown) {
  const YAML::Mark mark = node.Mark();
  ConfigPlace place;
  if (mark.is_null()) return place;
  place.line = mark.line + 1;
  place.column = mark.column + 1;
  place.length = std::max<int>(1, static_cast<int>(shown.size()));
  return place;
}

void Build(const YAML::Node& from, int depth, ConfigNode* to, std::vector<ConfigProblem>* problems) {
  to->place = PlaceOf(from, from.IsScalar() ? from.Scalar() : "");
  if (depth > kDepthMax) {
    problems->push_back({"TC0101", "the config is nested too deeply", to->place, {}, "no key lies that deep; perhaps an alias points at a section that holds it", "write the values out"});
    return;
  }
  switch (from.Type()) {
    case YAML::NodeType::Scalar:
      to->kind = ConfigNode::Kind::kScalar;
      to->text = from.Scalar();
      break;
    case YAML::NodeType::Sequence:
      to->kind = ConfigNode::Kind::kList;
      for (const YAML::Node& item : from) {
        to->items.emplace_back();
        Build(item, depth + 1, &to->items.back(), problems);
      }
      break;
    case YAML::NodeType::Map:
      to->kind = ConfigNode::Kind::kSection;
      for (const auto& pair : from) {
        if (!pair.first.IsScalar()) {
          problems->push_back({"TC0104", "a key is not a single word", PlaceOf(pair.first, ""), {}, "", "write `key: value`"});
          continue;
        }
        const std::string key = pair.first.Scalar();
        const ConfigPlace place = PlaceOf(pair.first, key);
        if (key.find(": ") != std::string::npos) {  // told without the key: a secret may be in it
          problems->push_back({"TC0104", "a key holds a colon and a space", {place.line, place.column, 1, {}}, {},
                               "a quote that is not closed makes a key of all that follows", "close the quote, or leave it out"});
          continue;
        }
        const auto twin = std::find_if(to->entries.begin(), to->entries.end(), [&](const ConfigEntry& entry) { return entry.key == key; });
        if (twin != to->entries.end()) {
          problems->push_back({"TC0102", fmt::format("the key \"{}\" stands twice", key), place, {},
                               fmt::format("it stands in line {} already", twin->place.line), "keep one of the two"});
          continue;
        }
        to->entries.push_back({key, place, {}});
        Build(pair.second, depth + 1, &to->entries.back().value, problems);
        if (to->entries.back().value.place.line == 0) to->entries.back().value.place = place;
      }
      break;
    default:
      break;
  }
}

// "BOOTSTRAP_SERVERS" and "bootstrap.servers" are the same name to the environment.
std::string Loose(std::string_view name) {
  std::string out;
  for (const char c : name) out += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::tolower(static_cast<unsigned char>(c))) : '_';
  return out;
}

void SetOrigin(const std::string& origin, ConfigNode* node) {
  node->place = {0, 0, 1, origin};
  for (ConfigEntry& entry : node->entries) {
    entry.place = node->place;
    SetOrigin(origin, &entry.value);
  }
  for (ConfigNode& item : node->items) SetOrigin(origin, &item);
}

}  // namespace

const ConfigNode* ConfigNode::Find(std::string_view key) const {
  for (const ConfigEntry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}
ConfigNode* ConfigNode::Find(std::string_view key) { return const_cast<ConfigNode*>(std::as_const(*this).Find(key)); }

ConfigNode ParseConfigText(std::string_view text, std::vector<ConfigProblem>* problems) {
  ConfigNode root;
  root.kind = ConfigNode::Kind::kSection;
  try {
    const YAML::Node yaml = YAML::Load(std::string(text));
    if (!yaml.IsNull()) {
      root = {};
      Build(yaml, 0, &root, problems);
    }
  } catch (const YAML::Exception& error) {
    ConfigPlace place;
    if (!error.mark.is_null()) place = {error.mark.line + 1, error.mark.column + 1, 1, {}};
    problems->push_back({"TC0101", fmt::format("this is not YAML: {}", error.msg), place, {}, "",
                         "mind the indentation (spaces, no tabs), the colon and space behind each key, and closing brackets and quotes"});
  }
  if (problems->empty() && !root.IsSection()) {
    problems->push_back({"TC0104", "the config is not made of sections", root.place, {}, "", "begin with a key, e.g. `namespace: shop`; `tidecast init` writes a config"});
    root = {};
    root.kind = ConfigNode::Kind::kSection;
  }
  return root;
}

void ApplyOverrides(const std::vector<ConfigOverride>& overrides, ConfigNode* root, std::vector<ConfigProblem>* problems) {
  for (const ConfigOverride& change : overrides) {
    ConfigNode* node = root;
    const auto fail = [&](std::string_view why) {
      problems->push_back({"TC0118", "an override does not name a key", {0, 0, 1, change.origin}, {}, std::string(why),
                           "write --set section.key=value or TIDECAST__SECTION__KEY=value"});
    };
    bool good = !change.path.empty();
    for (size_t i = 0; good && i < change.path.size(); ++i) {
      if (change.path[i].empty()) {
        good = false;
        break;
      }
      if (node->kind == ConfigNode::Kind::kNull) node->kind = ConfigNode::Kind::kSection;
      if (!node->IsSection()) {
        fail(fmt::format("\"{}\" stands below a single value or a list", change.path[i]));
        break;
      }
      ConfigEntry* found = nullptr;
      for (ConfigEntry& entry : node->entries) {
        if (entry.key == change.path[i] || (found == nullptr && Loose(entry.key) == Loose(change.path[i]))) found = &entry;
      }
      if (found == nullptr) {
        std::string key = change.path[i];
        if (i == 1 && change.path[0] == "kafka") std::replace(key.begin(), key.end(), '_', '.');
        node->entries.push_back({key, {0, 0, 1, change.origin}, {}});
        found = &node->entries.back();
        found->value.place = found->place;
      }
      node = &found->value;
      if (i + 1 == change.path.size()) {
        *node = {};
        std::vector<ConfigProblem> own;
        try {
          Build(YAML::Load(change.value), 0, node, &own);
        } catch (const YAML::Exception&) {
          node->kind = ConfigNode::Kind::kScalar;
          node->text = change.value;
        }
        SetOrigin(change.origin, node);
      }
    }
    if (!good) fail("a part of its name is empty");
  }
}

Result<ConfigOverride> ParseSetFlag(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Status(Code::kUsage, fmt::format("--set needs key=value: \"{}\"", text), Domain::kInput).WithRemedy("e.g. --set state.memory_limit=1GiB");
  }
  ConfigOverride change;
  change.value = text.substr(equals + 1);
  std::string_view key = text.substr(0, equals);
  change.origin = fmt::format("flag --set {}", IsSecretKey(key) ? fmt::format("{}={}", key, kSecretMask) : std::string(text));
  while (!key.empty()) {
    // librdkafka's names have dots of their own.
    const size_t dot = change.path.size() == 1 && change.path[0] == "kafka" ? std::string_view::npos : key.find('.');
    change.path.emplace_back(key.substr(0, dot));
    key = dot == std::string_view::npos ? std::string_view() : key.substr(dot + 1);
  }
  return change;
}

std::vector<ConfigOverride> OverridesFromEnvironment(const std::vector<std::string>& environment) {
  constexpr std::string_view kPrefix = "TIDECAST__";
  std::vector<std::string> names(environment);
  std::sort(names.begin(), names.end());
  std::vector<ConfigOverride> overrides;
  for (const std::string& row : names) {
    if (!row.starts_with(kPrefix)) continue;
    const size_t equals = row.find('=');
    if (equals == std::string::npos) continue;
    ConfigOverride change;
    change.value = row.substr(equals + 1);
    change.origin = fmt::format("environment variable {}", row.substr(0, equals));
    std::string_view rest = std::string_view(row).substr(kPrefix.size(), equals - kPrefix.size());
    for (;;) {
      const size_t end = rest.find("__");
      std::string step(rest.substr(0, end));
      std::transform(step.begin(), step.end(), step.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      change.path.push_back(std::move(step));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 2);
    }
    overrides.push_back(std::move(change));
  }
  return overrides;
}

}  // namespace tidecast
