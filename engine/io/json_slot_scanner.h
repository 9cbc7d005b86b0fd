#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/core/status.h"
#include "engine/io/json_pointer_path.h"

namespace tidecast {

/// One value as it stands in a JSON text. Views point into the text that was scanned.
struct JsonToken {
  enum class Kind : uint8_t { kMissing, kNull, kString, kNumber, kBoolean, kContainer };
  Kind kind = Kind::kMissing;
  bool escaped = false;        ///< a string with backslashes: see JsonSlotScanner::Unescape
  std::string_view text;       ///< a string without its quotes; a container's is empty
  std::string_view raw;        ///< with its quotes

  /// Whether there is something to read: neither missing, nor null, nor an empty string.
  bool filled() const { return kind >= Kind::kNumber || (kind == Kind::kString && !text.empty()); }
};

/// Finds a fixed set of JSON Pointers in one JSON object after another.
/// All top-level pointers are found in one pass: the key at a place is first compared with the key that stood there in the
/// object before. Deeper pointers cost a search each. Of doubled keys the last one wins.
/// Thread: confined.
class JsonSlotScanner {
 public:
  explicit JsonSlotScanner(std::vector<JsonPointerPath> slots);
  ~JsonSlotScanner();
  JsonSlotScanner(JsonSlotScanner&&) noexcept;

  /// False when `json` is not one JSON object; `error` then says why. What was found before stays to be read.
  /// `json` needs no padding and must outlive the tokens.
  bool Scan(std::string_view json);
  const std::string& error() const { return error_; }
  const JsonToken& token(size_t slot) const { return tokens_[slot]; }
  /// Writes the string of an escaped token; false when its escapes are wrong.
  bool Unescape(const JsonToken& token, std::string* out);

 private:
  struct Parsers;
  struct Guess {
    std::string key;   // as it stands in the text, with the closing quote
    int slot = -1;
  };
  int SlotOf(std::string_view key) const;

  std::vector<JsonPointerPath> slots_;
  std::vector<size_t> nested_;
  std::vector<JsonToken> tokens_;
  std::vector<Guess> guesses_;
  std::vector<char> padded_;
  std::string error_;
  std::unique_ptr<Parsers> parsers_;
};

}  // namespace tidecast
