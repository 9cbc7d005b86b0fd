#include "engine/io/json_append.h"

#include <array>

namespace tidecast {
namespace {

char* Copy(std::string_view bytes, char* to) {
  std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

/// Length of the well-formed UTF-8 sequence at the start of `text`; 0 when there is none.
/// Source: Unicode 15, table 3-7.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto tail = [&](size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead == 0xE0) return tail(1, 0xA0) && tail(2) ? 3 : 0;
  if (lead == 0xED) return tail(1, 0x80, 0x9F) && tail(2) ? 3 : 0;
  if (lead >= 0xE1 && lead <= 0xEF) return tail(1) && tail(2) ? 3 : 0;
  if (lead == 0xF0) return tail(1, 0x90) && tail(2) && tail(3) ? 4 : 0;
  if (lead >= 0xF1 && lead <= 0xF3) return tail(1) && tail(2) && tail(3) ? 4 : 0;
  if (lead == 0xF4) return tail(1, 0x80, 0x8F) && tail(2) && tail(3) ? 4 : 0;
  return 0;
}

char* WriteEscaped(unsigned char c, char* to) {
  constexpr std::string_view kHex = "0123456789abcdef";
  *to++ = '\\';
  switch (c) {
    case '"':
    case '\\':
      *to++ = static_cast<char>(c);
      return to;
    case '\n':
      *to++ = 'n';
      return to;
    case '\r':
      *to++ = 'r';
      return to;
    case '\t':
      *to++ = 't';
      return to;
    default:
      to = Copy("u00", to);
      *to++ = kHex[c >> 4];
      *to++ = kHex[c & 15];
      return to;
  }
}

}  // namespace

char* WriteJsonString(std::string_view text, char* to) {
  *to++ = '"';
  size_t clean = 0;  // start of what is copied as it is
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') [[likely]] {
      ++i;
      continue;
    }
    const size_t length = c < 0x80 ? 0 : SequenceLength(text.substr(i));
    if (length > 0) {
      i += length;
      continue;
    }
    to = Copy(text.substr(clean, i - clean), to);
    to = c < 0x80 ? WriteEscaped(c, to) : Copy("\xEF\xBF\xBD", to);
    clean = ++i;
  }
  to = Copy(text.substr(clean), to);
  *to++ = '"';
  return to;
}

void AppendJsonString(std::string_view text, std::string* out) {
  const size_t before = out->size();
  out->resize(before + JsonStringBytesMax(text.size()));
  char* const end = WriteJsonString(text, out->data() + before);
  out->resize(static_cast<size_t>(end - out->data()));
}

}  // namespace tidecast
