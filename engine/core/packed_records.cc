#include "engine/core/packed_records.h"

#include <algorithm>
#include <cstring>

#include "engine/core/check.h"

namespace tidecast {
namespace {

constexpr size_t kFirstBlockBytes = 4 << 10;
constexpr size_t kBlockBytes = 256 << 10;
constexpr size_t kHeaderBytes = sizeof(uint16_t) + sizeof(uint32_t);

char* Copy(std::string_view bytes, char* to) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

}  // namespace

uint16_t PackedRecords::Names::PlaceOf(std::string_view name) {
  if (last < names.size() && names[last] == name) return static_cast<uint16_t>(last);
  last = static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  if (last == names.size()) {
    TC_CHECK_LT(last, size_t{UINT16_MAX});
    names.emplace_back(name);
  }
  return static_cast<uint16_t>(last);
}

char* PackedRecords::Room(size_t size_max) {
  if (size_max > block_left_) {
    // A few rows are as common as very many: the first block is small.
    const size_t block = std::max(size_max, blocks_.empty() ? kFirstBlockBytes : kBlockBytes);
    if (block == kBlockBytes && !spare_.empty()) {
      blocks_.push_back(std::move(spare_.back()));
      spare_.pop_back();
    } else {
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(block));
    }
    has_odd_block_ |= block > kBlockBytes || (blocks_.size() == 1 && block > kFirstBlockBytes);
    block_at_ = blocks_.back().get();
    block_left_ = block;
    bytes_ += block;
  }
  return block_at_;
}

size_t PackedRecords::HeaderBytes(std::span<const HeaderView> headers) {
  size_t size = 0;
  for (const HeaderView& header : headers) size += kHeaderBytes + header.value.size();
  return size;
}

void PackedRecords::Add(const RecordView& record) {
  char* const key = Room(record.key.size() + record.value.size() + HeaderBytes(record.headers));
  char* const value = Copy(record.key, key);
  Copy(record.value, value);
  RecordView written = record;
  written.key = {key, record.key.size()};
  written.value = {value, record.value.size()};
  AddWritten(written);
}

void PackedRecords::AddWritten(const RecordView& record) {
  TC_CHECK_LT(record.headers.size(), size_t{UINT8_MAX});
  char* const begin = block_at_;
  char* at = begin + record.key.size() + record.value.size();
  TC_CHECK(record.key.data() == begin && record.value.data() == begin + record.key.size());
  const size_t size = record.key.size() + record.value.size() + HeaderBytes(record.headers);
  TC_CHECK_LE(size, block_left_);
  block_at_ += size;
  block_left_ -= size;
  entries_.push_back({begin, static_cast<uint32_t>(record.key.size()), static_cast<uint32_t>(record.value.size()),
                      record.partition, topics_.PlaceOf(record.topic), static_cast<uint8_t>(record.headers.size()),
                      record.is_null});
  bytes_ += sizeof(Entry);
  for (const HeaderView& header : record.headers) {
    const uint16_t name = header_names_.PlaceOf(header.name);
    const auto value_size = static_cast<uint32_t>(header.value.size());
    std::memcpy(at, &name, sizeof name);
    std::memcpy(at + sizeof name, &value_size, sizeof value_size);
    at = Copy(header.value, at + kHeaderBytes);
  }
}

RecordView PackedRecords::View(size_t i, std::vector<HeaderView>* headers) const {
  const Entry& entry = entries_[i];
  RecordView view;
  view.topic = topics_.names[entry.topic];
  view.partition = entry.partition;
  view.key = {entry.at, entry.key_size};
  view.value = {entry.at + entry.key_size, entry.value_size};
  view.is_null = entry.is_null;
  headers->clear();
  const char* at = entry.at + entry.key_size + entry.value_size;
  for (uint8_t h = 0; h < entry.headers; ++h) {
    uint16_t name = 0;
    uint32_t size = 0;
    std::memcpy(&name, at, sizeof name);
    std::memcpy(&size, at + sizeof name, sizeof size);
    headers->push_back({header_names_.names[name], {at + kHeaderBytes, size}});
    at += kHeaderBytes + size;
  }
  view.headers = *headers;
  return view;
}

void PackedRecords::Clear() {
  entries_.clear();
  blocks_.clear();
  block_at_ = nullptr;
  block_left_ = 0;
  bytes_ = 0;
  has_odd_block_ = false;
}

PackedRecords PackedRecords::Take() {
  PackedRecords taken = std::move(*this);
  spare_.swap(taken.spare_);
  return taken;
}

void PackedRecords::Reuse(PackedRecords&& spent) {
  const size_t spare_max = spent.blocks_.size();
  spent.entries_.clear();
  if (entries_.empty() && spent.entries_.capacity() > entries_.capacity()) entries_.swap(spent.entries_);
  // All but the first are of the usual size, unless a record was larger than that.
  if (!spent.has_odd_block_) {
    for (size_t i = 1; i < spent.blocks_.size(); ++i) spare_.push_back(std::move(spent.blocks_[i]));
  }
  // What waits for a commit and what is filled meanwhile take turns: without a bound both would keep all they ever had.
  if (spare_.size() > spare_max) spare_.resize(spare_max);
  spent.Clear();
}

size_t PackedRecords::held_bytes() const { return bytes_ + spare_.size() * kBlockBytes; }

void PackedRecords::Swap(PackedRecords& other) noexcept {
  entries_.swap(other.entries_);
  blocks_.swap(other.blocks_);
  spare_.swap(other.spare_);
  std::swap(has_odd_block_, other.has_odd_block_);
  std::swap(block_at_, other.block_at_);
  std::swap(block_left_, other.block_left_);
  std::swap(bytes_, other.bytes_);
  topics_.names.swap(other.topics_.names);
  std::swap(topics_.last, other.topics_.last);
  header_names_.names.swap(other.header_names_.names);
  std::swap(header_names_.last, other.header_names_.last);
}

}  // namespace tidecast
