#include "operators/session_windows.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "operators/window_keys.h"

// Nearly every event goes on with the newest session of its series: that one is found by the series's id, without a
// search, and its place in the queue is left as it is until it comes to the top.

namespace tidecast {
namespace {

constexpr uint8_t kRowVersion = 1;  // a session of its own
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

void SessionWindows::Erase(At at) {
  const uint32_t id = at->first.first;
  const bool is_newest = id < newest_.size() && newest_[id] == at;
  sessions_.erase(at);
  if (is_newest) FindNewest(id);
  journal_.Mark(id);
}

void SessionWindows::Drop(At at) {
  Session& session = at->second;
  if (session.revision == 0) return Erase(at);
  session.phase = Phase::kWithdrawn;
  layout_->InitRow(session.slots.data());
  session.sketches.clear();
  Enqueue(at);
  journal_.Mark(at->first.first);
}

void SessionWindows::Enqueue(At at) {
  TC_CHECK(at != sessions_.end());
  at->second.queued = EndOf(at->second);
  queue_.push({at->second.queued, at->first});
}

void SessionWindows::FreshenQueue() {
  while (!queue_.empty()) {
    const auto [queued, place] = queue_.top();
    const At newest = place.first < newest_.size() ? newest_[place.first] : sessions_.end();
    const At at = newest != sessions_.end() && newest->first == place ? newest : sessions_.find(place);
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
      journal_.Mark(id);
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
  journal_.Mark(id);
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
  journal_.Mark(due.id);
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

// Where the journal finds its rows.
class SessionWindows::Stored final : public BlockJournal::Table {
 public:
  explicit Stored(const SessionWindows& windows) : windows_(windows) {}
  size_t rows() const override { return windows_.sessions_.size(); }
  size_t slots() const override { return windows_.layout_->slots(); }
  std::string BlockKey(uint32_t block) const override {
    return KeyWriter()
        .U8(static_cast<uint8_t>(WindowTable::kSessionBlock))
        .U16(windows_.view_)
        .U16(windows_.index_)
        .U32(block)
        .Take();
  }
  std::string DeltaKey(uint64_t number) const override {
    return KeyWriter()
        .U8(static_cast<uint8_t>(WindowTable::kSessionDelta))
        .U16(windows_.view_)
        .U16(windows_.index_)
        .U64(number)
        .Take();
  }
  void EncodeRows(uint32_t block, uint32_t ids, ByteWriter& value) const override {
    const uint32_t first = block * BlockJournal::kBlockIds;
    const auto& sessions = windows_.sessions_;
    for (auto at = sessions.end(); ids != 0; ids &= ids - 1) {
      const uint32_t id = first + static_cast<uint32_t>(std::countr_zero(ids));
      if (at == sessions.end() || at->first.first != id) at = sessions.lower_bound({id, EventTime::Min()});
      for (; at != sessions.end() && at->first.first == id; ++at) {
        const Session& session = at->second;
        value.U8(static_cast<uint8_t>(id - first)).U8(static_cast<uint8_t>(session.phase));
        value.Time(at->first.second).SignedVarint(session.last.us - at->first.second.us).Varint(session.revision);
        windows_.EncodeSlots(session, value);
      }
    }
  }

 private:
  const SessionWindows& windows_;
};

void SessionWindows::Save(size_t delta_blocks, DeltaSink& out) { journal_.Save(Stored(*this), delta_blocks, out); }

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

// `anew`: in place of all sessions of these ids.
Status SessionWindows::DecodeRows(uint32_t block, uint32_t ids, size_t series, bool anew, ByteReader& value) {
  TC_RETURN_IF_ERROR(CheckStoredBlock("sessions", block, series));
  for (uint32_t left = anew ? ids : 0; left != 0; left &= left - 1) {
    const uint32_t id = block * BlockJournal::kBlockIds + static_cast<uint32_t>(std::countr_zero(left));
    sessions_.erase(sessions_.lower_bound({id, EventTime::Min()}), sessions_.upper_bound({id, EventTime::Max()}));
    FindNewest(id);
  }
  while (value.ok() && !value.AtEnd()) {
    const uint8_t place = value.U8();
    const uint64_t id = uint64_t{block} * BlockJournal::kBlockIds + place;
    Session session;
    const uint8_t phase = value.U8();
    session.phase = static_cast<Phase>(phase);
    const EventTime start = value.Time();
    const bool in_range = !__builtin_add_overflow(start.us, value.SignedVarint(), &session.last.us);
    session.revision = static_cast<uint32_t>(value.Varint());
    Status status;
    DecodeSlots(value, &session, &status);
    TC_RETURN_IF_ERROR(status);
    if (place >= BlockJournal::kBlockIds || (ids >> place & 1) == 0 || id >= series || phase > 2 || !in_range ||
        session.last < start) {
      return Status(Code::kCorruption,
                    fmt::format("a stored session makes no sense: series {} of {}, phase {}", id, series, phase));
    }
    if (value.ok()) Put({static_cast<uint32_t>(id), start}, std::move(session));
  }
  return value.Finish("sessions");
}

Status SessionWindows::LoadBlock(uint32_t block, size_t series, std::string_view bytes) {
  return journal_.LoadBlock(
      block, layout_->slots(), "a block of sessions", bytes,
      [&](uint32_t, uint32_t ids, ByteReader& rows) { return DecodeRows(block, ids, series, false, rows); });
}

Status SessionWindows::LoadDelta(uint64_t number, size_t series, std::string_view bytes) {
  TC_RETURN_IF_ERROR(journal_.LoadDelta(
      number, layout_->slots(), "a delta of sessions", bytes,
      [&](uint32_t block, uint32_t ids, ByteReader& rows) { return DecodeRows(block, ids, series, true, rows); }));
  FreshenQueue();
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
  TC_RETURN_IF_ERROR(CheckStoredSlots("a session", value.Varint(), layout_->slots()));
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
  journal_.Mark(id);
  return Status::Ok();
}

void SessionWindows::Clear() {
  sessions_.clear();
  newest_.clear();
  queue_ = {};
  closed_ = {};
  journal_.Clear();
}

size_t SessionWindows::memory_bytes() const {
  size_t bytes =
      (queue_.size() + closed_.size()) * sizeof(Timed) + newest_.capacity() * sizeof(At) + journal_.memory_bytes();
  if (!layout_->has_distinct()) return bytes + sessions_.size() * (kNodeBytes + layout_->slots() * sizeof(int64_t));
  for (const auto& [place, session] : sessions_) {
    bytes += kNodeBytes + session.slots.capacity() * sizeof(int64_t) + session.sketches.capacity() * sizeof(RowSketch);
    for (const RowSketch& sketch : session.sketches) bytes += sketch.sketch.memory_bytes();
  }
  return bytes;
}

}  // namespace tidecast
