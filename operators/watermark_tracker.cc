#include "operators/watermark_tracker.h"

#include <algorithm>
#include <utility>

#include "state/key_codec.h"

namespace tidecast {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

WatermarkTracker::WatermarkTracker(std::vector<Source> sources)
    : sources_(std::move(sources)), states_(sources_.size()) {}

EventTime WatermarkTracker::source_watermark(size_t source) const {
  const SourceState& state = states_[source];
  if (state.ended) return EventTime::Max();
  return std::max(state.max_time - sources_[source].options.bound, state.carried);
}

EventTime WatermarkTracker::newest_event() const {
  EventTime newest = EventTime::Min();
  for (size_t i = 0; i < states_.size(); ++i) {
    if (sources_[i].is_clock) newest = std::max(newest, states_[i].max_time);
  }
  return newest;
}

void WatermarkTracker::WakeUp(SourceState& state) {
  if (!state.idle) return;
  state.idle = state.unproven = false;
  state.carried = std::max(state.carried, task_);
}

EventTime WatermarkTracker::OnEvent(size_t source, EventTime event_time) {
  SourceState& state = states_[source];
  TC_CHECK(!state.ended, "an event after the end of source {}", source);
  state.quiet = false;
  if (!sources_[source].is_clock) {
    state.max_time = std::max(state.max_time, event_time);
    return EventTime::Min();
  }
  WakeUp(state);
  const EventTime judged_by = std::max(state.max_time - sources_[source].options.bound, state.carried);
  if (event_time > state.max_time) {
    // Only the source that holds the minimum can move it.
    const bool may_move = judged_by <= task_ || task_ == EventTime::Min();
    state.max_time = event_time;
    if (may_move) Advance();
  }
  return judged_by;
}

void WatermarkTracker::OnPoll(size_t source, bool got_records, bool at_end, bool blocked, ProcessingTime now) {
  SourceState& state = states_[source];
  state.blocked = blocked;
  // What is hidden may be older than anything seen: an idle source holds the watermark again at once.
  if (blocked && sources_[source].is_clock) WakeUp(state);
  if (got_records || !at_end || blocked) {
    state.quiet = false;
    // Cut off from its log: what may come there meanwhile is not to be overtaken by what the others bring first.
    state.unproven |= state.idle && !got_records && !blocked;
    return;
  }
  if (!state.quiet) {
    state.quiet = true;
    state.quiet_since = now;
  }
  if (std::exchange(state.unproven, false)) Advance();
  const Duration timeout = sources_[source].options.idle_timeout;
  if (timeout.count() > 0 && !state.idle && now - state.quiet_since >= timeout) {
    state.idle = true;
    Advance();
  }
}

void WatermarkTracker::OnEnd(size_t source) {
  states_[source].ended = true;
  all_ended_ = std::all_of(states_.begin(), states_.end(), [](const SourceState& s) { return s.ended; });
  Advance();
}

void WatermarkTracker::OnCarried(size_t source, EventTime watermark, bool idle) {
  SourceState& state = states_[source];
  state.ended = all_ended_ = false;
  if (!idle) WakeUp(state);
  state.carried = std::max(state.carried, watermark);
  state.idle = idle;
  state.unproven = false;
  Advance();
}

void WatermarkTracker::Advance() {
  EventTime least = EventTime::Max();
  bool any = false;
  for (size_t i = 0; i < states_.size(); ++i) {
    if (!sources_[i].is_clock || idle(i) || states_[i].ended) continue;
    any = true;
    least = std::min(least, source_watermark(i));
  }
  // With nobody left to ask, time stands still: idle sources do not tell that nothing more will come.
  if (any) task_ = std::max(task_, least);
}

void WatermarkTracker::Encode(std::string* out) const {
  ByteWriter bytes;
  bytes.Reserve(2 + states_.size() * 17 + 8);
  bytes.U8(kVersion).Varint(states_.size());
  for (const SourceState& state : states_) bytes.Time(state.max_time).Time(state.carried).Bool(state.idle);
  bytes.Time(task_);
  out->append(bytes.view());
}

Status WatermarkTracker::Decode(std::string_view bytes) {
  ByteReader reader(bytes);
  if (const uint8_t version = reader.U8(); version != kVersion) {
    return Status(Code::kVersion,
                  fmt::format("stored watermarks have format {}, this build reads {}", version, kVersion));
  }
  if (const uint64_t count = reader.Varint(); count != states_.size()) {
    return Status(Code::kCorruption,
                  fmt::format("stored watermarks are of {} sources, the config has {}", count, states_.size()));
  }
  std::vector<SourceState> states(states_.size());
  for (size_t i = 0; i < states.size(); ++i) {
    states[i].max_time = reader.Time();
    states[i].carried = reader.Time();
    states[i].idle = reader.Bool();
    states[i].unproven = states[i].idle && sources_[i].options.idle_timeout.count() > 0;
  }
  const EventTime task = reader.Time();
  TC_RETURN_IF_ERROR(reader.Finish("watermarks"));
  states_ = std::move(states);
  task_ = task;
  all_ended_ = false;
  return Status::Ok();
}

}  // namespace tidecast
