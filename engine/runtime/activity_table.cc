#include "engine/runtime/activity_table.h"

#include "state/key_codec.h"

namespace tidecast {
namespace {
constexpr uint8_t kTable = 0xF6;
}

void ActivityTable::Report(uint16_t view, EventTime bucket_start) {
  std::set<EventTime>& starts = active_[view];
  if (!starts.insert(bucket_start).second) return;
  changed_[{view, bucket_start}] = true;
  if (starts.size() <= kBucketsKept) return;
  changed_[{view, *starts.begin()}] = false;
  starts.erase(starts.begin());
}

void ActivityTable::ReportForeign(uint16_t view, EventTime bucket_start) {
  if (view < active_.size()) active_[view].insert(bucket_start);
}

ActivityBoard::Answer ActivityTable::Ask(uint16_t view, EventTime bucket_start, EventTime bucket_end) const {
  if (active_[view].contains(bucket_start)) return Answer::kActive;
  return passed_ >= bucket_end ? Answer::kQuiet : Answer::kUnknown;
}

void ActivityTable::Save(Epoch, DeltaSink& out) {
  for (const auto& [key, put] : changed_) {
    const std::string row = KeyWriter().U8(kTable).U16(key.first).Time(key.second).Take();
    if (put) {
      out.Put(Family::kMeta, row, "\x01");
    } else {
      out.Delete(Family::kMeta, row);
    }
  }
  changed_.clear();
}

Status ActivityTable::Reload(const StateReader& store) {
  for (std::set<EventTime>& starts : active_) starts.clear();
  changed_.clear();
  passed_ = EventTime::Min();
  const std::string prefix = KeyWriter().U8(kTable).Take();
  return store.Scan(Family::kMeta, prefix, prefix, [&](std::string_view key, std::string_view) {
    KeyReader reader(key.substr(1));
    const uint16_t view = reader.U16();
    const EventTime start = reader.Time();
    if (reader.ok() && view < active_.size()) active_[view].insert(start);
    return true;
  });
}

}  // namespace tidecast
