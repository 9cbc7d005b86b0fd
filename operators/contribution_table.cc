#include "operators/contribution_table.h"

#include "operators/window_keys.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kRowBytes = 96;  // of a part beside its row: key, node, place in the batch

}  // namespace

std::string ContributionTable::Key(const Place& place) {
  const auto& [view, start, id, upstream] = place;
  return KeyWriter()
      .U8(static_cast<uint8_t>(WindowTable::kContribution))
      .U16(view)
      .Time(start)
      .U32(id)
      .U16(upstream)
      .Take();
}

ContributionTable::Change ContributionTable::Put(const Contribution& c, int64_t events, uint32_t id) {
  const Place place(c.view, c.start, id, c.upstream);
  const auto [at, is_new] = parts_.try_emplace(place);
  Part& part = at->second;
  if (!is_new && events <= part.events) return Change::kOld;
  part.end = c.end;
  part.revision = c.revision;
  part.events = events;
  part.row = c.row;
  if (!part.dirty) {
    part.dirty = true;
    dirty_.push_back(place);
    dirty_bytes_ += kRowBytes + c.row.size();
  }
  return is_new ? Change::kNew : Change::kReplaced;
}

void ContributionTable::Visit(uint16_t view, EventTime start, uint32_t id,
                              const std::function<void(std::string_view)>& visit) const {
  for (auto at = parts_.lower_bound({view, start, id, 0}); at != parts_.end(); ++at) {
    const auto& [v, s, i, upstream] = at->first;
    if (v != view || s != start || i != id) break;
    visit(at->second.row);
  }
}

void ContributionTable::Expire(EventTime watermark) {
  if (!watermark.IsFinite()) return;
  for (uint16_t view = 0; view < lateness_.size(); ++view) {
    auto at = parts_.lower_bound({view, EventTime::Min(), 0, 0});
    while (at != parts_.end() && std::get<0>(at->first) == view && at->second.end + lateness_[view] <= watermark) {
      if (at->second.stored) deleted_.push_back(Key(at->first));
      at = parts_.erase(at);
    }
  }
}

void ContributionTable::Save(DeltaSink& out) {
  for (const std::string& key : deleted_) out.Delete(Family::kPanes, key);
  deleted_.clear();
  ByteWriter value;
  for (const Place& place : dirty_) {
    const auto at = parts_.find(place);
    if (at == parts_.end()) continue;  // let go since
    Part& part = at->second;
    value.Clear();
    value.U8(kVersion).Time(part.end).Varint(part.revision).Raw(part.row);
    out.Put(Family::kPanes, Key(place), value.view());
    part.dirty = false;
    part.stored = true;
  }
  dirty_.clear();
  dirty_bytes_ = 0;
}

Status ContributionTable::Load(std::string_view key, std::string_view bytes) {
  KeyReader reader(key);
  const uint16_t view = reader.U16();
  const EventTime start = reader.Time();
  const uint32_t id = reader.U32();
  const uint16_t upstream = reader.U16();
  TC_RETURN_IF_ERROR(reader.Finish("key of a contribution"));
  ByteReader value(bytes);
  if (const uint8_t version = value.U8(); version != kVersion) {
    return Status(Code::kVersion,
                  fmt::format("a stored contribution has format {}, this build reads {}", version, kVersion));
  }
  Part part;
  part.end = value.Time();
  part.revision = static_cast<uint32_t>(value.Varint());
  part.row = value.Raw(value.left());
  part.stored = true;
  TC_RETURN_IF_ERROR(value.Finish("contribution"));
  ByteReader row(part.row);
  row.Varint();
  part.events = row.SignedVarint();
  if (!row.ok()) return Status(Code::kCorruption, "a stored contribution has no row");
  parts_[{view, start, id, upstream}] = std::move(part);
  return Status::Ok();
}

void ContributionTable::Clear() {
  parts_.clear();
  dirty_.clear();
  deleted_.clear();
  dirty_bytes_ = 0;
}

size_t ContributionTable::memory_bytes() const {
  size_t bytes = 0;
  for (const auto& [place, part] : parts_) bytes += kRowBytes + part.row.capacity();
  return bytes;
}

}  // namespace tidecast
