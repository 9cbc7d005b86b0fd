#include "state/key_codec.h"

#include <fmt/format.h>

namespace tidecast {
namespace {

// A zero byte inside a text is written 00 ff; the end of a text is 00 01, which sorts below every continuation.
constexpr char kZero = '\x00';
constexpr char kEscaped = '\xff';
constexpr char kEnd = '\x01';

Status Unreadable(std::string_view what, bool short_of_bytes, size_t left) {
  if (short_of_bytes) return {Code::kCorruption, fmt::format("stored bytes end too early: {}", what)};
  return {Code::kCorruption, fmt::format("stored bytes go on after their end: {}, {} bytes left", what, left)};
}

}  // namespace

KeyWriter& KeyWriter::Text(std::string_view text) {
  for (;;) {
    const size_t zero = text.find(kZero);
    bytes_.append(text.substr(0, zero));
    bytes_.push_back(kZero);
    if (zero == std::string_view::npos) break;
    bytes_.push_back(kEscaped);
    text.remove_prefix(zero + 1);
  }
  bytes_.push_back(kEnd);
  return *this;
}

std::string KeyReader::Text() {
  std::string text;
  for (;;) {
    const size_t zero = rest_.find(kZero);
    if (zero == std::string_view::npos || zero + 1 >= rest_.size()) break;
    const char mark = rest_[zero + 1];
    text.append(rest_.substr(0, zero));
    rest_.remove_prefix(zero + 2);
    if (mark == kEnd) return text;
    if (mark != kEscaped) break;
    text.push_back(kZero);
  }
  Fail();
  return {};
}

std::string_view KeyReader::Raw(size_t size) {
  if (size > rest_.size()) {
    Fail();
    return {};
  }
  const std::string_view out = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return out;
}

Status KeyReader::Finish(std::string_view what) const {
  return AtEnd() ? Status::Ok() : Unreadable(what, !ok_, rest_.size());
}

Status ByteReader::Finish(std::string_view what) const {
  return AtEnd() ? Status::Ok() : Unreadable(what, !ok_, rest_.size());
}

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

}  // namespace tidecast
