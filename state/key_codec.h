#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "engine/core/status.h"
#include "engine/core/time.h"

namespace tidecast {

static_assert(std::endian::native == std::endian::little, "stored values are little-endian and copied as they are");

/// Writes keys whose order as bytes is the order of their parts: numbers big-endian, times with the sign bit flipped,
/// texts with a terminator that sorts before every byte that could follow (FORMAT.md 1).
/// Reuse by Clear() so that nothing is allocated per key.  Thread: confined.
class KeyWriter {
 public:
  KeyWriter() = default;
  explicit KeyWriter(std::string_view prefix) : bytes_(prefix) {}

  KeyWriter& U8(uint8_t v) { return Push(static_cast<char>(v)); }
  KeyWriter& U16(uint16_t v) { return BigEndian(v); }
  KeyWriter& U32(uint32_t v) { return BigEndian(v); }
  KeyWriter& U64(uint64_t v) { return BigEndian(v); }
  KeyWriter& I64(int64_t v) { return BigEndian(static_cast<uint64_t>(v) ^ kSign); }
  KeyWriter& Time(EventTime t) { return I64(t.us); }
  /// Any bytes, zero included; a text never is a prefix of another one's encoding.
  KeyWriter& Text(std::string_view text);
  /// Bytes as they are: only as the last part, or where the length is fixed.
  KeyWriter& Raw(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }
  /// Keeps the first `size` bytes (a prefix written once).
  KeyWriter& Truncate(size_t size) {
    bytes_.resize(size);
    return *this;
  }
  void Clear() { bytes_.clear(); }
  size_t size() const { return bytes_.size(); }
  std::string_view view() const { return bytes_; }
  std::string Take() { return std::exchange(bytes_, {}); }

 private:
  static constexpr uint64_t kSign = 1ULL << 63;
  KeyWriter& Push(char c) {
    bytes_.push_back(c);
    return *this;
  }
  template <typename T>
  KeyWriter& BigEndian(T v) {
    std::array<char, sizeof(T)> out;
    for (size_t i = 0; i < sizeof(T); ++i) out[i] = static_cast<char>(v >> (8 * (sizeof(T) - 1 - i)));
    bytes_.append(out.data(), out.size());
    return *this;
  }
  std::string bytes_;
};

/// Reads what KeyWriter wrote. A read past the end gives zero and fails the reader for good: look at ok() or Finish()
/// once, at the end.  Thread: confined.
class KeyReader {
 public:
  explicit KeyReader(std::string_view bytes) : rest_(bytes) {}

  uint8_t U8() { return BigEndian<uint8_t>(); }
  uint16_t U16() { return BigEndian<uint16_t>(); }
  uint32_t U32() { return BigEndian<uint32_t>(); }
  uint64_t U64() { return BigEndian<uint64_t>(); }
  int64_t I64() { return static_cast<int64_t>(U64() ^ (1ULL << 63)); }
  EventTime Time() { return {I64()}; }
  std::string Text();
  /// All that is left.
  std::string_view Rest() { return std::exchange(rest_, {}); }
  std::string_view Raw(size_t size);

  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && rest_.empty(); }
  /// Ok when all bytes were read and none was missing. Errors: kCorruption, naming `what`.
  Status Finish(std::string_view what) const;

 private:
  template <typename T>
  T BigEndian() {
    if (rest_.size() < sizeof(T)) [[unlikely]] {
      Fail();
      return 0;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < sizeof(T); ++i) v = (v << 8) | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(sizeof(T));
    return static_cast<T>(v);
  }
  void Fail() {
    ok_ = false;
    rest_ = {};
  }
  std::string_view rest_;
  bool ok_ = true;
};

/// The least key above all keys that begin with `prefix`; empty (no bound) when there is none.
std::string PrefixEnd(std::string_view prefix);

/// Writes stored values: little-endian numbers, varints, length-prefixed bytes. Not ordered.
/// By habit the first byte of a value is its format version.  Thread: confined.
class ByteWriter {
 public:
  ByteWriter& U8(uint8_t v) {
    bytes_.push_back(static_cast<char>(v));
    return *this;
  }
  ByteWriter& U16(uint16_t v) { return Fixed(v); }
  ByteWriter& U32(uint32_t v) { return Fixed(v); }
  ByteWriter& U64(uint64_t v) { return Fixed(v); }
  ByteWriter& I64(int64_t v) { return Fixed(v); }
  ByteWriter& F32(float v) { return Fixed(v); }
  ByteWriter& F64(double v) { return Fixed(v); }
  ByteWriter& Bool(bool v) { return U8(v ? 1 : 0); }
  ByteWriter& Time(EventTime t) { return Fixed(t.us); }
  /// 1 byte below 128, up to 10 bytes (LEB128).
  ByteWriter& Varint(uint64_t v) {
    std::array<char, 10> out;
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) out[n++] = static_cast<char>(v | 0x80);
    out[n++] = static_cast<char>(v);
    bytes_.append(out.data(), n);
    return *this;
  }
  /// Signed: small magnitudes are short (zigzag).
  ByteWriter& SignedVarint(int64_t v) {
    return Varint((static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63));
  }
  /// Varint length, then the bytes.
  ByteWriter& Bytes(std::string_view bytes) {
    Varint(bytes.size());
    bytes_.append(bytes);
    return *this;
  }
  ByteWriter& Raw(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }
  /// The elements as they stand in memory, without a count.
  template <typename T>
  ByteWriter& Array(std::span<const T> values) {
    static_assert(std::is_arithmetic_v<T>);
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    return *this;
  }
  void Reserve(size_t bytes) { bytes_.reserve(bytes); }
  void Clear() { bytes_.clear(); }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  std::string_view view() const { return bytes_; }
  std::string Take() { return std::exchange(bytes_, {}); }

 private:
  template <typename T>
  ByteWriter& Fixed(T v) {
    bytes_.append(reinterpret_cast<const char*>(&v), sizeof v);
    return *this;
  }
  std::string bytes_;
};

/// Reads what ByteWriter wrote; every read is bounded. A read past the end gives zero (or empty) and fails the reader
/// for good: look at ok() or Finish() once, at the end, before believing anything.  Thread: confined.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  uint8_t U8() { return Fixed<uint8_t>(); }
  uint16_t U16() { return Fixed<uint16_t>(); }
  uint32_t U32() { return Fixed<uint32_t>(); }
  uint64_t U64() { return Fixed<uint64_t>(); }
  int64_t I64() { return Fixed<int64_t>(); }
  float F32() { return Fixed<float>(); }
  double F64() { return Fixed<double>(); }
  bool Bool() { return U8() != 0; }
  EventTime Time() { return {I64()}; }
  uint64_t Varint() {
    uint64_t v = 0;
    for (size_t i = 0; i < rest_.size() && i < 10; ++i) {
      const auto byte = static_cast<unsigned char>(rest_[i]);
      if (i == 9 && byte > 1) break;
      v |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        rest_.remove_prefix(i + 1);
        return v;
      }
    }
    Fail();
    return 0;
  }
  int64_t SignedVarint() {
    const uint64_t v = Varint();
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }
  /// A number of things to come, each at least `bytes_each` long: fails when they cannot be there, so that a caller
  /// may reserve room for them.
  size_t Count(size_t bytes_each = 1) {
    const uint64_t n = Varint();
    if (n > rest_.size() / (bytes_each == 0 ? 1 : bytes_each)) [[unlikely]] {
      Fail();
      return 0;
    }
    return static_cast<size_t>(n);
  }
  /// Points into the bytes that the reader was made on.
  std::string_view Bytes() { return Raw(Varint()); }
  std::string_view Raw(size_t size) {
    if (size > rest_.size()) [[unlikely]] {
      Fail();
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  /// Fills `values`; leaves it untouched when bytes are missing.
  template <typename T>
  void Array(std::span<T> values) {
    static_assert(std::is_arithmetic_v<T>);
    const std::string_view raw = Raw(values.size_bytes());
    if (!raw.empty()) std::memcpy(values.data(), raw.data(), raw.size());
  }

  size_t left() const { return rest_.size(); }
  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && rest_.empty(); }
  /// Ok when all bytes were read and none was missing. Errors: kCorruption, naming `what`.
  Status Finish(std::string_view what) const;

 private:
  template <typename T>
  T Fixed() {
    if (rest_.size() < sizeof(T)) [[unlikely]] {
      Fail();
      return T{};
    }
    T v;
    std::memcpy(&v, rest_.data(), sizeof v);
    rest_.remove_prefix(sizeof v);
    return v;
  }
  void Fail() {
    ok_ = false;
    rest_ = {};
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace tidecast
