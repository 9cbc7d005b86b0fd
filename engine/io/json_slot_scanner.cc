#include "engine/io/json_slot_scanner.h"

#include <simdjson.h>

#include <cstring>

namespace tidecast {
namespace {

namespace ondemand = simdjson::ondemand;

// Turns a token in the padded copy into one over the original text.
JsonToken MakeToken(std::string_view raw, const char* copy, std::string_view json, bool has_escapes) {
  while (!raw.empty() && static_cast<unsigned char>(raw.back()) <= ' ') raw.remove_suffix(1);
  JsonToken token;
  token.raw = json.substr(static_cast<size_t>(raw.data() - copy), raw.size());
  token.text = token.raw;
  if (raw.empty()) return token;
  switch (raw.front()) {
    case '"':
      token.kind = JsonToken::Kind::kString;
      token.text = token.raw.substr(1, token.raw.size() - 2);
      token.escaped = has_escapes && std::memchr(token.text.data(), '\\', token.text.size()) != nullptr;
      break;
    case '{':
    case '[':
      token.kind = JsonToken::Kind::kContainer;
      token.text = {};
      break;
    case 't':
    case 'f':
      token.kind = JsonToken::Kind::kBoolean;
      break;
    case 'n':
      token.kind = JsonToken::Kind::kNull;
      break;
    default:
      token.kind = JsonToken::Kind::kNumber;
  }
  return token;
}

}  // namespace

struct JsonSlotScanner::Parsers {
  ondemand::parser scan;
  ondemand::parser unescape;
  simdjson::padded_string scratch;
};

JsonSlotScanner::JsonSlotScanner(std::vector<JsonPointerPath> slots)
    : slots_(std::move(slots)), tokens_(slots_.size()), parsers_(std::make_unique<Parsers>()) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].top_level()) nested_.push_back(i);
  }
}
JsonSlotScanner::~JsonSlotScanner() = default;
JsonSlotScanner::JsonSlotScanner(JsonSlotScanner&&) noexcept = default;

int JsonSlotScanner::SlotOf(std::string_view key) const {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].top_level() && slots_[i].steps[0] == key) return static_cast<int>(i);
  }
  return -1;
}

bool JsonSlotScanner::Scan(std::string_view json) {
  std::fill(tokens_.begin(), tokens_.end(), JsonToken{});
  error_.clear();
  const auto fail = [this](simdjson::error_code code) {
    error_ = simdjson::error_message(code);
    return false;
  };
  if (padded_.size() < json.size() + simdjson::SIMDJSON_PADDING) padded_.resize(json.size() * 2 + simdjson::SIMDJSON_PADDING);
  if (json.empty()) return fail(simdjson::EMPTY);
  std::memcpy(padded_.data(), json.data(), json.size());
  std::memset(padded_.data() + json.size(), ' ', simdjson::SIMDJSON_PADDING);
  const char* const copy = padded_.data();
  // Hardly any record has one: the strings need not be looked through one by one.
  const bool has_escapes = std::memchr(json.data(), '\\', json.size()) != nullptr;

  ondemand::document document;
  if (const auto code = parsers_->scan.iterate(copy, json.size(), padded_.size()).get(document)) return fail(code);
  ondemand::object object;
  if (const auto code = document.get_object().get(object)) {
    if (code != simdjson::INCORRECT_TYPE) return fail(code);
    error_ = "The JSON value is not an object.";
    return false;
  }
  size_t place = 0;
  for (auto field : object) {
    ondemand::raw_json_string key;
    if (const auto code = field.key().get(key)) return fail(code);
    if (place == guesses_.size()) guesses_.emplace_back();
    Guess& guess = guesses_[place++];
    const size_t room = static_cast<size_t>(copy + json.size() - key.raw());
    if (guess.key.empty() || guess.key.size() > room || std::memcmp(key.raw(), guess.key.data(), guess.key.size()) != 0) {
      const char* end = key.raw();
      bool escaped = false;
      for (; end < copy + json.size() && *end != '"'; ++end) {
        if (*end == '\\') {
          escaped = true;
          ++end;
        }
      }
      if (escaped) {
        std::string_view name;
        if (const auto code = field.unescaped_key().get(name)) return fail(code);
        guess = {{}, SlotOf(name)};
      } else {
        guess = {std::string(key.raw(), end + 1), SlotOf({key.raw(), static_cast<size_t>(end - key.raw())})};
      }
    }
    if (guess.slot < 0) continue;
    ondemand::value value;
    if (const auto code = field.value().get(value)) return fail(code);
    tokens_[static_cast<size_t>(guess.slot)] = MakeToken(value.raw_json_token(), copy, json, has_escapes);
  }
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
    error_ = "There is something behind the JSON object.";
    return false;
  }
  for (const size_t slot : nested_) {
    document.rewind();
    ondemand::value value;
    const auto code = document.at_pointer(slots_[slot].text).get(value);
    if (code == simdjson::NO_SUCH_FIELD || code == simdjson::INCORRECT_TYPE || code == simdjson::INDEX_OUT_OF_BOUNDS ||
        code == simdjson::INVALID_JSON_POINTER) {
      continue;  // not there
    }
    if (code) return fail(code);
    tokens_[slot] = MakeToken(value.raw_json_token(), copy, json, has_escapes);
  }
  return true;
}

bool JsonSlotScanner::Unescape(const JsonToken& token, std::string* out) {
  parsers_->scratch = simdjson::padded_string(token.raw);
  ondemand::document document;
  if (parsers_->unescape.iterate(parsers_->scratch).get(document)) return false;
  std::string_view text;
  if (document.get_string().get(text)) return false;
  out->assign(text);
  return true;
}

}  // namespace tidecast
