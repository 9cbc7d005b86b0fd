#include "operators/session_windows.h"

#include <algorithm>
#include <tuple>

#include "operators/window_keys.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

SessionWindows::At SessionWindows::Create(const Place& place) {
  const auto [at, is_new] = sessions_.try_emplace(place);
  Session& session = at->second;
  TC_CHECK(is_new || session.phase == Phase::kWithdrawn);  // one that comes back goes on with its revisions
  if (!is_new) Unqueue(at);
  session.phase = Phase::kOpen;
  session.last = place.second;
  session.slots.resize(layout_->slots());
  layout_->InitRow(session.slots.data());
  session.sketches.clear();
  return at;
}

void SessionWindows::Erase(At at) {
  Unqueue(at);
  changed_.insert(at->first);
  sessions_.erase(at);
}

void SessionWindows::Drop(At at) {
  Session& session = at->second;
  if (session.revision == 0) return Erase(at);
  queue_.insert({EndOf(session), at->first});
  session.phase = Phase::kWithdrawn;
  layout_->InitRow(session.slots.data());
  session.sketches.clear();
  changed_.insert(at->first);
}

void SessionWindows::Add(uint32_t id, const Event& event, EventTime judged_by) {
  const EventTime t = event.time;
  if (t + gap_ + lateness_ <= judged_by) return;
  std::vector<Place> near;
  for (auto at = sessions_.lower_bound({id, EventTime::Min()}); at != sessions_.end() && at->first.first == id; ++at) {
    if (at->second.phase != Phase::kWithdrawn && t > at->first.second - gap_ && t < EndOf(at->second))
      near.push_back(at->first);
  }
  const Place place{id, near.empty() ? t : std::min(t, near.front().second)};
  const bool keeps_first = !near.empty() && near.front() == place;
  const At base = keeps_first ? sessions_.find(place) : Create(place);
  Session& session = base->second;
  Unqueue(base);
  for (size_t i = keeps_first ? 1 : 0; i < near.size(); ++i) {
    const At other = sessions_.find(near[i]);
    layout_->Merge(other->second.slots.data(), other->second.sketches, session.slots.data(), session.sketches);
    session.last = std::max(session.last, other->second.last);
    Drop(other);
  }
  layout_->Add(event, session.slots.data(), session.sketches);
  session.last = std::max(session.last, t);
  session.phase = Phase::kOpen;
  queue_.insert({EndOf(session), place});
  changed_.insert(place);
}

std::vector<SessionWindows::Due> SessionWindows::TakeDue(EventTime watermark, SeriesDictionary& dictionary) {
  std::vector<Due> due;
  while (!queue_.empty() && queue_.begin()->first <= watermark) {
    const auto [end, place] = *queue_.begin();
    queue_.erase(queue_.begin());
    due.push_back({place.first, place.second, end, sessions_.at(place).revision + 1});
  }
  dictionary.Order();
  const auto order = [&dictionary](const Due& a) { return std::tuple(a.end, dictionary.rank(a.id), a.start); };
  std::sort(due.begin(), due.end(), [&](const Due& a, const Due& b) { return order(a) < order(b); });
  return due;
}

void SessionWindows::Publish(const Due& due, std::vector<double>* values) {
  const auto at = sessions_.find({due.id, due.start});
  TC_CHECK(at != sessions_.end());
  Session& session = at->second;
  values->resize(layout_->columns().size());
  for (size_t f = 0; f < values->size(); ++f)
    (*values)[f] = layout_->ValueOf(f, session.slots.data(), session.sketches);
  if (session.phase == Phase::kWithdrawn) return Erase(at);
  session.phase = Phase::kClosed;
  ++session.revision;
  closed_.push({ForgetAt(session), at->first});
  changed_.insert(at->first);
}

void SessionWindows::Prune(EventTime watermark) {
  if (!watermark.IsFinite()) return;
  while (!closed_.empty() && closed_.top().first <= watermark) {
    const auto at = sessions_.find(closed_.top().second);
    closed_.pop();
    if (at != sessions_.end() && at->second.phase == Phase::kClosed && ForgetAt(at->second) <= watermark) Erase(at);
  }
}

std::string SessionWindows::Key(const Place& place) const {
  return KeyWriter()
      .U8(static_cast<uint8_t>(WindowTable::kSession))
      .U16(view_)
      .U16(index_)
      .U32(place.first)
      .Time(place.second)
      .Take();
}

void SessionWindows::Save(DeltaSink& out) {
  ByteWriter value;
  for (const Place& place : changed_) {
    const auto at = sessions_.find(place);
    if (at == sessions_.end()) {
      if (stored_.erase(place) > 0) out.Delete(Family::kPanes, Key(place));
      continue;
    }
    const Session& session = at->second;
    value.Clear();
    value.U8(kVersion)
        .U8(static_cast<uint8_t>(session.phase))
        .Time(session.last)
        .Varint(session.revision)
        .Varint(session.slots.size());
    for (size_t i = 0; i < session.slots.size(); ++i) {
      if (!layout_->IsSketchSlot(i)) {
        value.SignedVarint(session.slots[i]);
      } else if (session.slots[i] == 0) {
        DistinctSketch().Encode(value);
      } else {
        session.sketches[static_cast<size_t>(session.slots[i] - 1)].sketch.Encode(value);
      }
    }
    out.Put(Family::kPanes, Key(place), value.view());
    stored_.insert(place);
  }
  changed_.clear();
}

Status SessionWindows::LoadRow(uint32_t id, EventTime start, std::string_view bytes) {
  ByteReader value(bytes);
  if (const uint8_t version = value.U8(); version != kVersion) {
    return Status(Code::kVersion, fmt::format("a session has format {}, this build reads {}", version, kVersion));
  }
  Session session;
  const uint8_t phase = value.U8();
  session.phase = static_cast<Phase>(phase);
  session.last = value.Time();
  session.revision = static_cast<uint32_t>(value.Varint());
  const uint64_t slots = value.Varint();
  if (phase > 2 || slots != layout_->slots()) {
    return Status(Code::kCorruption,
                  fmt::format("a session has phase {} and {} slots, the view has {}", phase, slots, layout_->slots()));
  }
  session.slots.resize(slots);
  for (size_t i = 0; i < slots; ++i) {
    if (!layout_->IsSketchSlot(i)) {
      session.slots[i] = value.SignedVarint();
      continue;
    }
    RowSketch sketch;
    TC_RETURN_IF_ERROR(sketch.sketch.Decode(value));
    if (sketch.sketch.exact() && sketch.sketch.Count() == 0) continue;
    session.sketches.push_back(std::move(sketch));
    session.slots[i] = static_cast<int64_t>(session.sketches.size());
  }
  const Place place{id, start};
  if (session.phase == Phase::kClosed) {
    closed_.push({ForgetAt(session), place});
  } else {
    queue_.insert({EndOf(session), place});
  }
  stored_.insert(place);
  sessions_[place] = std::move(session);
  return value.Finish("session");
}

void SessionWindows::Clear() {
  sessions_.clear();
  queue_.clear();
  closed_ = {};
  changed_.clear();
  stored_.clear();
}

size_t SessionWindows::memory_bytes() const {
  size_t bytes = (changed_.size() + stored_.size()) * 64 + (queue_.size() + closed_.size()) * sizeof(Timed);
  for (const auto& [place, session] : sessions_) {
    bytes += 96 + session.slots.capacity() * sizeof(int64_t) + session.sketches.capacity() * sizeof(RowSketch);
    for (const RowSketch& sketch : session.sketches) bytes += sketch.sketch.memory_bytes();
  }
  return bytes;
}

}  // namespace tidecast
