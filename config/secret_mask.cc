#include "config/secret_mask.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "config/config_fields.h"
#include "config/kafka_properties.h"
#include "engine/io/nearest_name.h"

// A line is gone over once: each "key:" with a secret's name hides the value behind it (quoted: up to the closing
// quote; plain: up to where a flow map or a comment would end it, or the line's end); then known values are replaced
// wherever they still stand.

namespace tidecast {
namespace {

constexpr size_t kValueLeast = 4;  // a shorter one is a part of too many words

bool IsKeyLetter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
}

// One past the end of the value that begins at `at`.
size_t ValueEnd(std::string_view line, size_t at) {
  const char quote = at < line.size() ? line[at] : ' ';
  if (quote == '"' || quote == '\'') {
    for (size_t i = at + 1; i < line.size(); ++i) {
      if (quote == '"' && line[i] == '\\')
        ++i;
      else if (line[i] == quote && quote == '\'' && i + 1 < line.size() && line[i + 1] == quote)
        ++i;
      else if (line[i] == quote)
        return i + 1;
    }
    return line.size();
  }
  const bool in_flow = line.substr(0, at).find('{') != std::string_view::npos;
  size_t end = at;
  while (end < line.size() && !(in_flow && (line[end] == ',' || line[end] == '}')) && line.substr(end, 2) != " #")
    ++end;
  return end;
}

// Replaces [from, to) and keeps `column` (from 1) at what it pointed at; inside of the secret, at its beginning.
void Replace(size_t from, size_t to, SecretMask::Line* line) {
  line->text.replace(from, to - from, kSecretMask);
  const auto at = static_cast<size_t>(std::max(0, line->column - 1));
  if (at >= to)
    line->column += static_cast<int>(kSecretMask.size()) - static_cast<int>(to - from);
  else if (at > from)
    line->column = static_cast<int>(from) + 1;
}

void HideByName(SecretMask::Line* line) {
  std::string& text = line->text;
  for (size_t at = 0; at < text.size();) {
    if (!IsKeyLetter(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && IsKeyLetter(text[end])) ++end;
    const std::string_view key = std::string_view(text).substr(at, end - at);
    size_t value = end;
    while (value < text.size() && (text[value] == '"' || text[value] == '\'' || text[value] == ' ')) ++value;
    at = end;
    if (value >= text.size() || (text[value] != ':' && text[value] != '=') || !IsSecretKey(key)) continue;
    for (++value; value < text.size() && (text[value] == ' ' || text[value] == '\t');) ++value;
    const size_t value_end = ValueEnd(text, value);
    const std::string_view hidden = std::string_view(text).substr(value, value_end - value);
    const bool tells_nothing =
        hidden.empty() || hidden.find("${file:") != std::string_view::npos || hidden[0] == '|' || hidden[0] == '>';
    if (!tells_nothing) Replace(value, value_end, line);
    at = tells_nothing ? value_end : value + kSecretMask.size();
  }
}

}  // namespace

bool IsSecretKey(std::string_view key) {
  if (key.ends_with("pseudonym_key") || IsKafkaSecret(key)) return true;
  for (const std::string_view name : {"sasl.password", "ssl.key.password", "ssl.keystore.password",
                                      "sasl.oauthbearer.client.secret", "pseudonym_key"}) {
    if (EditDistance(key, name) <= 3) return true;
  }
  return false;
}

SecretMask::SecretMask(const ConfigNode& tree) {
  Collect(tree, "");
  std::sort(values_.begin(), values_.end(),
            [](const std::string& a, const std::string& b) { return std::pair(b.size(), a) < std::pair(a.size(), b); });
}

void SecretMask::Collect(const ConfigNode& node, std::string_view key) {
  for (const ConfigEntry& entry : node.entries) Collect(entry.value, entry.key);
  for (const ConfigNode& item : node.items) Collect(item, key);
  if (node.kind != ConfigNode::Kind::kScalar || !IsSecretKey(key) || node.text.starts_with("${file:")) return;
  for (size_t at = 0; at < node.text.size();) {
    const size_t end = std::min(node.text.find('\n', at), node.text.size());
    if (end - at >= kValueLeast) values_.push_back(node.text.substr(at, end - at));
    at = end + 1;
  }
}

SecretMask::Line SecretMask::Hide(std::string_view line, int column) const {
  Line shown{std::string(line), column};
  HideByName(&shown);
  for (const std::string& value : values_) {
    for (size_t at = shown.text.find(value); at != std::string::npos;
         at = shown.text.find(value, at + kSecretMask.size())) {
      Replace(at, at + value.size(), &shown);
    }
  }
  return shown;
}

}  // namespace tidecast
