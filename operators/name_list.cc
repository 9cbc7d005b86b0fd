#include "operators/name_list.h"

#include <algorithm>

namespace tidecast {
namespace {

constexpr size_t kChunkBytes = 64 * 1024;

}  // namespace

const char* NameList::KeepFar(std::string_view name) {
  if (name.size() > chunk_left_) {
    const size_t size = std::max(kChunkBytes, name.size());
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    chunk_at_ = chunks_.back().get();
    chunk_left_ = size;
    far_bytes_ += size;
  }
  std::memcpy(chunk_at_, name.data(), name.size());
  const char* const kept = chunk_at_;
  chunk_at_ += name.size();
  chunk_left_ -= name.size();
  return kept;
}

void NameList::Add(std::string_view name) {
  if (size_ % kPageNames == 0) pages_.push_back(std::make_unique<Page>());
  Entry entry(name);
  if (!entry.is_short()) {
    const char* const far = KeepFar(name);
    std::memcpy(entry.head.data() + kPrefix, &far, sizeof far);
  }
  (*pages_.back())[size_ % kPageNames] = entry;
  ++size_;
  name_bytes_ += name.size();
}

}  // namespace tidecast
