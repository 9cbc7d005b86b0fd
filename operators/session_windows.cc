#include "operators/session_windows.h"

#include <algorithm>
#include <tuple>

#include "operators/window_keys.h"

// Nearly every event goes on with the newest session of its series: that one is found by the series's id, without a
// search, and its place in the queue is left as it is until it comes to the top.

namespace tidecast {
namespace {

constexpr uint8_t kRowVersion = 1;  // a session of its own
constexpr uint8_t kBlockVersion = 1;
constexpr size_t kNodeBytes = 104;  // a session's place in the map

}  // namespace

SessionWindows::At SessionWindows::Create(const Place& place) {
  const auto [at, is_new] = sessions_.try_emplace(place);
  Session& session = at->second;
  TC_CHECK(is_new || session.phase == Phase::kWithdrawn);  // one that comes back goes on with its revisions
  session.queued = EventTime::Min();
  session.phase = Phase::kOpen;
  session.last = place.second;
  session.slots.resize(layout_->slots());
  layout_->InitRow(session.slots.data());
  session.sketches.clear();
  return at;
}

void SessionWindows::MarkDirty(uint32_t id) {
  const uint32_t block = id / kBlockIds;
  if (block >= blocks_.size()) blocks_.resize(std::max<size_t>(size_t{block} + 1, blocks_.size() * 3 / 2));
  if ((blocks_[block] & kDirty) != 0) return;
  blocks_[block] |= kDirty;
  dirty_blocks_.push_back(block);
}

void SessionWindows::Erase(At at) {
  const uint32_t id = at->first.first;
  const bool is_newest = id < newest_.size() && newest_[id] == at;
  sessions_.erase(at);
  if (is_newest) FindNewest(id);
  MarkDirty(id);
}

void SessionWindows::Drop(At at) {
  Session& session = at->second;
  if (session.revision == 0) return Erase(at);
  session.phase = Phase::kWithdrawn;
  layout_->InitRow(session.slots.data());
  session.sketches.clear();
  Enqueue(at);
  MarkDirty(at->first.first);
}

void SessionWindows::Enqueue(At at) {
  TC_CHECK(at != sessions_.end());
  at->second.queued = EndOf(at->second);
  queue_.push({at->second.queued, at->first});
}

void SessionWindows::FreshenQueue() {
  while (!queue_.empty()) {
    const auto [queued, place] = queue_.top();
    const auto at = sessions_.find(place);
    const bool is_entry = at != sessions_.end() && at->second.queued == queued;
    if (is_entry && EndOf(at->second) == queued) return;
    queue_.pop();
    if (is_entry) Enqueue(at);
  }
}

void SessionWindows::FindNewest(uint32_t id) {
  if (id >= newest_.size()) newest_.resize(std::max<size_t>(size_t{id} + 1, newest_.size() * 3 / 2), sessions_.end());
  newest_[id] = sessions_.end();
  for (auto at = sessions_.upper_bound({id, EventTime::Max()}); at != sessions_.begin();) {
    --at;
    if (at->first.first != id) return;
    if (at->second.phase == Phase::kWithdrawn) continue;
    newest_[id] = at;
    return;
  }
}

void SessionWindows::Add(uint32_t id, const Event& event, EventTime judged_by) {
  const EventTime t = event.time;
  if (id < newest_.size() && newest_[id] != sessions_.end()) {
    const At at = newest_[id];
    Session& session = at->second;
    if (session.phase == Phase::kOpen && t >= at->first.second && t < EndOf(session)) [[likely]] {
      if (t + gap_ + lateness_ <= judged_by) return;
      layout_->Add(event, session.slots.data(), session.sketches);
      MarkDirty(id);
      if (t <= session.last) return;
      session.last = t;
      if (queue_.top().second == at->first) FreshenQueue();
      return;
    }
  }
  if (t + gap_ + lateness_ > judged_by) AddSlowly(id, event);
}

void SessionWindows::AddSlowly(uint32_t id, const Event& event) {
  const EventTime t = event.time;
  std::vector<Place> near;
  for (auto at = sessions_.lower_bound({id, EventTime::Min()}); at != sessions_.end() && at->first.first == id; ++at) {
    if (at->second.phase != Phase::kWithdrawn && t > at->first.second - gap_ && t < EndOf(at->second))
      near.push_back(at->first);
  }
  const Place place{id, near.empty() ? t : std::min(t, near.front().second)};
  const bool keeps_first = !near.empty() && near.front() == place;
  const At base = keeps_first ? sessions_.find(place) : Create(place);
  Session& session = base->second;
  for (size_t i = keeps_first ? 1 : 0; i < near.size(); ++i) {
    const At other = sessions_.find(near[i]);
    layout_->Merge(other->second.slots.data(), other->second.sketches, session.slots.data(), session.sketches);
    session.last = std::max(session.last, other->second.last);
    Drop(other);
  }
  layout_->Add(event, session.slots.data(), session.sketches);
  session.last = std::max(session.last, t);
  session.phase = Phase::kOpen;
  Enqueue(base);
  FreshenQueue();
  MarkDirty(id);
  FindNewest(id);
}

std::vector<SessionWindows::Due> SessionWindows::TakeDue(EventTime watermark, SeriesDictionary& dictionary) {
  std::vector<Due> due;
  for (; !queue_.empty() && queue_.top().first <= watermark; FreshenQueue()) {
    const auto [end, place] = queue_.top();
    queue_.pop();
    Session& session = sessions_.at(place);
    session.queued = EventTime::Min();  // another entry of the same end is no more than a left-over
    due.push_back({place.first, place.second, end, session.revision + 1});
  }
  dictionary.Order();
  const auto order = [&dictionary](const Due& a) { return std::tuple(a.end, dictionary.rank(a.id), a.start); };
  std::sort(due.begin(), due.end(), [&](const Due& a, const Due& b) { return order(a) < order(b); });
  return due;
}

int64_t SessionWindows::Publish(const Due& due, std::vector<double>* values) {
  const auto at = sessions_.find({due.id, due.start});
  TC_CHECK(at != sessions_.end());
  Session& session = at->second;
  values->resize(layout_->columns().size());
  for (size_t f = 0; f < values->size(); ++f)
    (*values)[f] = layout_->ValueOf(f, session.slots.data(), session.sketches);
  const int64_t events = session.slots[0];
  if (session.phase == Phase::kWithdrawn) {
    Erase(at);
    return 0;
  }
  session.phase = Phase::kClosed;
  ++session.revision;
  closed_.push({ForgetAt(session), at->first});
  MarkDirty(due.id);
  return events;
}

void SessionWindows::Prune(EventTime watermark) {
  if (!watermark.IsFinite()) return;
  while (!closed_.empty() && closed_.top().first <= watermark) {
    const auto at = sessions_.find(closed_.top().second);
    closed_.pop();
    if (at != sessions_.end() && at->second.phase == Phase::kClosed && ForgetAt(at->second) <= watermark) Erase(at);
  }
}

std::string SessionWindows::RowKey(uint32_t id, EventTime start) const {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kSession)).U16(view_).U16(index_).U32(id).Time(start).Take();
}

std::string SessionWindows::BlockKey(uint32_t block) const {
  return KeyWriter().U8(static_cast<uint8_t>(WindowTable::kSessionBlock)).U16(view_).U16(index_).U32(block).Take();
}

void SessionWindows::EncodeSlots(const Session& session, ByteWriter& value) const {
  for (size_t i = 0; i < session.slots.size(); ++i) {
    if (!layout_->IsSketchSlot(i)) {
      value.SignedVarint(session.slots[i]);
    } else if (session.slots[i] == 0) {
      DistinctSketch().Encode(value);
    } else {
      session.sketches[static_cast<size_t>(session.slots[i] - 1)].sketch.Encode(value);
    }
  }
}

void SessionWindows::Save(DeltaSink& out) {
  std::sort(dirty_blocks_.begin(), dirty_blocks_.end());
  ByteWriter value;
  for (const uint32_t block : dirty_blocks_) {
    const uint64_t end = (uint64_t{block} + 1) * kBlockIds;
    value.Clear();
    value.U8(kBlockVersion).Varint(layout_->slots());
    bool any = false;
    for (auto at = sessions_.lower_bound({block * kBlockIds, EventTime::Min()});
         at != sessions_.end() && at->first.first < end; ++at) {
      const Session& session = at->second;
      value.U8(static_cast<uint8_t>(at->first.first % kBlockIds)).U8(static_cast<uint8_t>(session.phase));
      value.Time(at->first.second).SignedVarint(session.last.us - at->first.second.us).Varint(session.revision);
      EncodeSlots(session, value);
      any = true;
    }
    if (any) {
      out.Put(Family::kPanes, BlockKey(block), value.view());
    } else if ((blocks_[block] & kStored) != 0) {
      out.Delete(Family::kPanes, BlockKey(block));
    }
    blocks_[block] = any ? kStored : 0;
  }
  dirty_blocks_.clear();
}

void SessionWindows::DecodeSlots(ByteReader& value, Session* session, Status* status) const {
  session->slots.resize(layout_->slots());
  layout_->InitRow(session->slots.data());
  for (size_t i = 0; i < session->slots.size(); ++i) {
    if (!layout_->IsSketchSlot(i)) {
      session->slots[i] = value.SignedVarint();
      continue;
    }
    RowSketch sketch;
    *status = sketch.sketch.Decode(value);
    if (!status->ok()) return;
    if (sketch.sketch.exact() && sketch.sketch.Count() == 0) continue;
    session->sketches.push_back(std::move(sketch));
    session->slots[i] = static_cast<int64_t>(session->sketches.size());
  }
}

void SessionWindows::Put(const Place& place, Session session) {
  const auto at = sessions_.insert_or_assign(place, std::move(session)).first;
  if (at->second.phase == Phase::kClosed) {
    closed_.push({ForgetAt(at->second), place});
  } else {
    Enqueue(at);
  }
  FindNewest(place.first);
}

Status SessionWindows::WrongSlots(uint64_t stored) const {
  return Status(Code::kCorruption,
                fmt::format("stored sessions have {} slots, the view has {}", stored, layout_->slots()));
}

Status SessionWindows::LoadBlock(uint32_t block, size_t series, std::string_view bytes) {
  ByteReader value(bytes);
  if (const uint8_t version = value.U8(); version != kBlockVersion) {
    return Status(Code::kVersion,
                  fmt::format("a block of sessions has format {}, this build reads {}", version, kBlockVersion));
  }
  if (const uint64_t slots = value.Varint(); slots != layout_->slots()) return WrongSlots(slots);
  while (value.ok() && !value.AtEnd()) {
    const uint64_t id = uint64_t{block} * kBlockIds + value.U8();
    Session session;
    const uint8_t phase = value.U8();
    session.phase = static_cast<Phase>(phase);
    const EventTime start = value.Time();
    const bool in_range = !__builtin_add_overflow(start.us, value.SignedVarint(), &session.last.us);
    session.revision = static_cast<uint32_t>(value.Varint());
    Status status;
    DecodeSlots(value, &session, &status);
    TC_RETURN_IF_ERROR(status);
    if (id / kBlockIds != block || id >= series || phase > 2 || !in_range || session.last < start) {
      return Status(Code::kCorruption,
                    fmt::format("a stored session makes no sense: series {} of {}, phase {}", id, series, phase));
    }
    if (value.ok()) Put({static_cast<uint32_t>(id), start}, std::move(session));
  }
  TC_RETURN_IF_ERROR(value.Finish("block of sessions"));
  if (block >= blocks_.size()) blocks_.resize(size_t{block} + 1);
  blocks_[block] |= kStored;
  return Status::Ok();
}

Status SessionWindows::LoadRow(uint32_t id, EventTime start, std::string_view bytes) {
  ByteReader value(bytes);
  if (const uint8_t version = value.U8(); version != kRowVersion) {
    return Status(Code::kVersion, fmt::format("a session has format {}, this build reads {}", version, kRowVersion));
  }
  Session session;
  const uint8_t phase = value.U8();
  session.phase = static_cast<Phase>(phase);
  session.last = value.Time();
  session.revision = static_cast<uint32_t>(value.Varint());
  if (const uint64_t slots = value.Varint(); slots != layout_->slots()) return WrongSlots(slots);
  int64_t length = 0;
  if (phase > 2 || __builtin_sub_overflow(session.last.us, start.us, &length) || length < 0) {
    return Status(Code::kCorruption, fmt::format("a stored session makes no sense: series {}, phase {}, from {} to {}",
                                                 id, phase, start.us, session.last.us));
  }
  Status status;
  DecodeSlots(value, &session, &status);
  TC_RETURN_IF_ERROR(status);
  TC_RETURN_IF_ERROR(value.Finish("session"));
  Put({id, start}, std::move(session));
  MarkDirty(id);
  return Status::Ok();
}

void SessionWindows::Clear() {
  sessions_.clear();
  newest_.clear();
  queue_ = {};
  closed_ = {};
  blocks_.clear();
  dirty_blocks_.clear();
}

size_t SessionWindows::memory_bytes() const {
  size_t bytes =
      (queue_.size() + closed_.size()) * sizeof(Timed) + newest_.capacity() * sizeof(At) + blocks_.capacity();
  if (!layout_->has_distinct()) return bytes + sessions_.size() * (kNodeBytes + layout_->slots() * sizeof(int64_t));
  for (const auto& [place, session] : sessions_) {
    bytes += kNodeBytes + session.slots.capacity() * sizeof(int64_t) + session.sketches.capacity() * sizeof(RowSketch);
    for (const RowSketch& sketch : session.sketches) bytes += sketch.sketch.memory_bytes();
  }
  return bytes;
}

}  // namespace tidecast
