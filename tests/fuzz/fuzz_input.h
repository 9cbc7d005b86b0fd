#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What a fuzzer is: libFuzzer's entry point, which corpus_main.cc calls as well.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace tidecast {

/// Inputs made by our own encoders, for a fuzzer of stored bytes: `fuzz_NAME --write-seeds FOLDER` makes the corpus's
/// seeds anew when a format has changed. Only some fuzzers have it.
[[gnu::weak]] std::vector<std::string> FuzzSeeds();

/// Takes an input apart: small numbers, short texts, and all that is left. An input that ends early gives zeros and
/// empty texts, so that every input is a valid one.
/// Thread: confined.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  uint8_t U8() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  size_t Below(size_t count) { return U8() % count; }
  uint16_t U16() {
    const unsigned high = U8();
    return static_cast<uint16_t>(high << 8 | U8());
  }
  /// Length in one byte, then the bytes.
  std::string_view Text() { return Take(U8()); }
  /// Length in two bytes.
  std::string_view LongText() { return Take(U16()); }
  /// Up to the next line end, which is left out.
  std::string_view Line() {
    const std::string_view line = Take(std::min(rest_.find('\n'), rest_.size()));
    if (!rest_.empty()) rest_.remove_prefix(1);
    return line;
  }
  std::string_view Rest() { return Take(rest_.size()); }

 private:
  std::string_view Take(size_t size) {
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(text.size());
    return text;
  }
  std::string_view rest_;
};

}  // namespace tidecast
