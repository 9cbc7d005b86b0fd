#include "operators/dedupe_table.h"

#include <algorithm>

#include "engine/core/plausible_time.h"
#include "operators/window_keys.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr int64_t kSlots = 16;

}  // namespace

std::string DedupeTable::Key(const Entry& entry) const {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kDedupe)).U16(input_).Time(entry.time).U64(entry.id).Take();
}

int64_t DedupeTable::SlotOf(EventTime time) const {
  const int64_t width = std::max<int64_t>(1, keep_.count() / kSlots);
  return time.us / width - (time.us % width < 0 ? 1 : 0);
}

bool DedupeTable::Seen(uint64_t id, EventTime judged_by) const {
  const auto at = times_.find(id);
  return at != times_.end() && at->second + keep_ > judged_by;
}

void DedupeTable::Remember(uint64_t id, EventTime time) {
  times_[id] = time;
  slots_[SlotOf(time)].push_back({time, id});
  added_.push_back({time, id});
}

void DedupeTable::Expire(EventTime watermark) {
  if (!watermark.IsFinite()) return;
  const int64_t width = std::max<int64_t>(1, keep_.count() / kSlots);
  while (!slots_.empty()) {
    const auto oldest = slots_.begin();
    if (EventTime{(oldest->first + 1) * width} + keep_ > watermark) return;
    for (const Entry& entry : oldest->second) {
      expired_.push_back(entry);
      const auto at = times_.find(entry.id);
      if (at != times_.end() && at->second == entry.time) times_.erase(at);
    }
    slots_.erase(oldest);
  }
}

void DedupeTable::Save(DeltaSink& out) {
  const std::string value(1, static_cast<char>(kVersion));
  // An id added and expired within one epoch is put and deleted: in this order the deletion has the last word.
  for (const Entry& entry : added_) out.Put(Family::kPanes, Key(entry), value);
  for (const Entry& entry : expired_) out.Delete(Family::kPanes, Key(entry));
  added_.clear();
  expired_.clear();
}

Status DedupeTable::LoadRow(EventTime time, uint64_t id) {
  if (!IsPlausible(time))
    return Status(Code::kCorruption, fmt::format("a remembered id lies outside of all time: {}", time.us));
  const auto [at, is_new] = times_.try_emplace(id, time);
  if (!is_new) at->second = std::max(at->second, time);
  slots_[SlotOf(time)].push_back({time, id});
  return Status::Ok();
}

void DedupeTable::Clear() {
  times_.clear();
  slots_.clear();
  added_.clear();
  expired_.clear();
}

size_t DedupeTable::memory_bytes() const {
  return times_.bucket_count() * 18 + times_.size() * sizeof(Entry) +
         (added_.capacity() + expired_.capacity()) * sizeof(Entry);
}

}  // namespace tidecast
