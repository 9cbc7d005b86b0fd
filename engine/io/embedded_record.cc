#include "engine/io/embedded_record.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "state/key_codec.h"

namespace tidecast {
namespace {

// First byte: format in the upper four bits, what follows in the lower ones.
constexpr uint8_t kFormat = 1 << 4;
constexpr uint8_t kFormatMask = 0xf0;
constexpr uint8_t kHasKey = 1;
constexpr uint8_t kIsNull = 2;
constexpr uint8_t kHasHeaders = 4;

}  // namespace

std::string EncodeLogRecord(const RecordView& record, EventTime record_time) {
  constexpr size_t kLengths = 8;
  size_t size = sizeof(EventTime) + kLengths + record.key.size() + record.value.size();
  for (const HeaderView& header : record.headers) size += kLengths + header.name.size() + header.value.size();
  ByteWriter out;
  out.Reserve(size);
  uint8_t first = kFormat;
  if (!record.key.empty()) first |= kHasKey;
  if (record.is_null) first |= kIsNull;
  if (!record.headers.empty()) first |= kHasHeaders;
  out.U8(first).Time(record_time);
  if (!record.key.empty()) out.Bytes(record.key);
  if (!record.headers.empty()) {
    out.Varint(record.headers.size());
    for (const HeaderView& header : record.headers) out.Bytes(header.name).Bytes(header.value);
  }
  if (!record.is_null) out.Raw(record.value);
  return out.Take();
}

void EmbeddedBatch::Clear() {
  records_.clear();
  // One block for an odd large record is not kept for ever.
  std::erase_if(blocks_, [](const Block& block) { return block.size > kBlockBytes; });
  block_ = 0;
  used_ = 0;
}

char* EmbeddedBatch::Allocate(size_t size, size_t alignment) {
  while (block_ < blocks_.size()) {
    const size_t start = (used_ + alignment - 1) / alignment * alignment;
    if (start + size <= blocks_[block_].size) {
      used_ = start + size;
      return blocks_[block_].bytes.get() + start;
    }
    ++block_;
    used_ = 0;
  }
  const size_t bytes = std::max(size, kBlockBytes);
  blocks_.push_back({std::unique_ptr<char[]>(new char[bytes]), bytes});
  used_ = size;
  return blocks_[block_].bytes.get();
}

bool EmbeddedBatch::Add(int64_t offset, std::string_view encoded) {
  if (encoded.empty()) return false;
  char* copy = Allocate(encoded.size(), 1);
  std::memcpy(copy, encoded.data(), encoded.size());
  ByteReader in({copy, encoded.size()});
  const uint8_t first = in.U8();
  if ((first & kFormatMask) != kFormat) return false;
  InputRecord record;
  record.offset = offset;
  record.record_time = in.Time();
  if ((first & kHasKey) != 0) {
    record.has_key = true;
    record.key = in.Bytes();
  }
  if ((first & kHasHeaders) != 0) {
    const size_t count = in.Count(2);
    auto* headers = reinterpret_cast<HeaderView*>(Allocate(count * sizeof(HeaderView), alignof(HeaderView)));
    for (size_t i = 0; i < count; ++i) {
      const std::string_view name = in.Bytes();
      const std::string_view value = in.Bytes();
      new (headers + i) HeaderView{name, value};
    }
    record.headers = {headers, count};
  }
  record.is_null = (first & kIsNull) != 0;
  record.value = in.Raw(in.left());
  if (!in.ok() || (record.is_null && !record.value.empty())) return false;
  records_.push_back(record);
  return true;
}

}  // namespace tidecast
