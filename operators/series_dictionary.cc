#include "operators/series_dictionary.h"

#include <algorithm>
#include <cstring>

#include "operators/window_keys.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 2;
constexpr size_t kBlockBytes = 64 * 1024;

}  // namespace

uint32_t SeriesDictionary::Add(std::string_view name) {
  const uint32_t id = Append(name);
  MarkDirty(id);
  return id;
}

uint32_t SeriesDictionary::Append(std::string_view name) {
  TC_CHECK_LT(names_.size(), size_t{UINT32_MAX});
  if (name.size() > block_left_) {
    const size_t size = std::max(kBlockBytes, name.size());
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    block_at_ = blocks_.back().get();
    block_left_ = size;
    name_bytes_ += size;
  }
  if (!name.empty()) std::memcpy(block_at_, name.data(), name.size());
  const std::string_view kept(block_at_, name.size());
  block_at_ += name.size();
  block_left_ -= name.size();
  const auto id = static_cast<uint32_t>(names_.size());
  names_.push_back(kept);
  ids_.emplace(kept, id);  // which is known already keeps its id
  for (std::vector<EventTime>& births : births_) births.push_back(EventTime::Max());
  for (std::vector<EventTime>& signs : signs_) signs.push_back(EventTime::Min());
  is_dirty_.push_back(false);
  return id;
}

void SeriesDictionary::MarkDirty(uint32_t id) {
  if (is_dirty_[id]) return;
  is_dirty_[id] = true;
  dirty_.push_back(id);
}

void SeriesDictionary::SetBirth(size_t view, uint32_t id, EventTime bucket_start) {
  births_[view][id] = bucket_start;
  MarkDirty(id);
}

void SeriesDictionary::Retire(size_t view, uint32_t id) {
  births_[view][id] = EventTime::Max();
  signs_[view][id] = EventTime::Min();
  MarkDirty(id);
}

size_t SeriesDictionary::born(size_t view) const {
  return static_cast<size_t>(
      std::count_if(births_[view].begin(), births_[view].end(), [](EventTime t) { return t != EventTime::Max(); }));
}

const std::vector<uint32_t>& SeriesDictionary::Order() {
  const size_t known = order_.size();
  if (known == names_.size()) return order_;
  for (size_t id = known; id < names_.size(); ++id) order_.push_back(static_cast<uint32_t>(id));
  const auto by_name = [this](uint32_t a, uint32_t b) { return names_[a] < names_[b]; };
  const auto middle = order_.begin() + static_cast<ptrdiff_t>(known);
  std::sort(middle, order_.end(), by_name);
  std::inplace_merge(order_.begin(), middle, order_.end(), by_name);
  ranks_.resize(order_.size());
  for (size_t i = 0; i < order_.size(); ++i) ranks_[order_[i]] = static_cast<uint32_t>(i);
  return order_;
}

void SeriesDictionary::Save(DeltaSink& out) {
  ByteWriter value;
  for (const uint32_t id : dirty_) {
    value.Clear();
    value.U8(kVersion).Bytes(names_[id]).Varint(births_.size());
    for (size_t view = 0; view < births_.size(); ++view) value.Time(births_[view][id]).Time(signs_[view][id]);
    out.Put(Family::kPanes, KeyWriter().U8(static_cast<uint8_t>(WindowTable::kSeries)).U32(id).view(), value.view());
    is_dirty_[id] = false;
  }
  dirty_.clear();
}

Status SeriesDictionary::Reload(const StateReader& store) {
  *this = SeriesDictionary(births_.size());
  Status failed;
  const std::string prefix = WindowTablePrefix(WindowTable::kSeries);
  TC_RETURN_IF_ERROR(store.Scan(Family::kPanes, prefix, prefix, [&](std::string_view key, std::string_view bytes) {
    KeyReader at(key.substr(1));
    const uint32_t id = at.U32();
    ByteReader value(bytes);
    const uint8_t version = value.U8();
    if (version != kVersion && version != 1) {
      failed =
          Status(Code::kVersion, fmt::format("a series name has format {}, this build reads {}", version, kVersion));
      return false;
    }
    const std::string_view name = value.Bytes();
    const size_t views = value.Count(sizeof(EventTime));
    const size_t known = names_.size();
    const bool is_next = at.AtEnd() && id == known && value.ok() && views == births_.size();
    if (is_next) Append(name);
    if (!is_next || ids_.size() == known) {  // a name that came before
      failed =
          Status(Code::kCorruption, fmt::format("the dictionary of series is damaged: row {} of {}, views {} of {}", id,
                                                known, views, births_.size()))
              .WithRemedy("restore the task from its changelog, or reset its state after a change of views");
      return false;
    }
    for (size_t view = 0; view < births_.size(); ++view) {
      births_[view][id] = value.Time();
      // Format 1 knew births alone: from there on the time runs anew.
      const EventTime sign = version == 1 ? births_[view][id] : value.Time();
      signs_[view][id] = sign == EventTime::Max() ? EventTime::Min() : sign;
    }
    failed = value.Finish("series name");
    return failed.ok();
  }));
  return failed;
}

size_t SeriesDictionary::memory_bytes() const {
  return name_bytes_ + ids_.bucket_count() * (sizeof(std::string_view) + 12) +
         names_.capacity() * sizeof(std::string_view) + 2 * births_.size() * names_.capacity() * sizeof(EventTime) +
         (order_.capacity() + ranks_.capacity()) * sizeof(uint32_t);
}

}  // namespace tidecast
