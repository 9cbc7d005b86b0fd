#include "engine/server/live_event_log.h"

#include <fmt/format.h>

#include <charconv>

namespace tidecast {
namespace {

size_t BytesOf(const LiveEvent& event) { return event.data->size() + event.series.size() + 96; }

}  // namespace

void RenderServerSentEvent(std::string_view id, std::string_view type, std::string_view data, std::string* out) {
  if (!id.empty()) out->append("id: ").append(id).append("\n");
  out->append("event: ").append(type).append("\n");
  // A newline inside the data would end the field: each line gets its own.
  while (true) {
    const size_t end = data.find('\n');
    out->append("data: ").append(data.substr(0, end)).append("\n");
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + 1);
  }
  out->append("\n");
}

void LiveEventLog::Append(std::string_view type, std::string series, std::shared_ptr<const std::string> data) {
  const std::lock_guard lock(mutex_);
  events_.push_back({next_id_++, type, std::move(series), std::move(data)});
  bytes_ += BytesOf(events_.back());
  while (events_.size() > 1 && (bytes_ > bytes_max_ || events_.size() > events_max_)) {
    bytes_ -= BytesOf(events_.front());
    events_.pop_front();
  }
}

LiveEventLog::ReadOutcome LiveEventLog::ReadAfter(uint64_t* cursor, const LiveEventFilter& filter, size_t bytes_max,
                                                  std::string* out) const {
  const std::lock_guard lock(mutex_);
  if (events_.empty() || *cursor + 1 >= next_id_) return ReadOutcome::kOk;
  const uint64_t first = events_.front().id;
  if (*cursor + 1 < first) {
    *cursor = next_id_ - 1;
    return ReadOutcome::kGap;
  }
  const size_t begin = out->size();
  for (size_t i = *cursor + 1 - first; i < events_.size() && out->size() - begin < bytes_max; ++i) {
    const LiveEvent& event = events_[i];
    *cursor = event.id;
    if (filter.Wants(event))
      RenderServerSentEvent(fmt::format("{:x}-{}", run_, event.id), event.type, *event.data, out);
  }
  return ReadOutcome::kOk;
}

uint64_t LiveEventLog::newest() const {
  const std::lock_guard lock(mutex_);
  return next_id_ - 1;
}

bool LiveEventLog::ParseId(std::string_view text, uint64_t* id) const {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos || text.substr(0, dash) != fmt::format("{:x}", run_)) return false;
  const std::string_view number = text.substr(dash + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), *id);
  return error == std::errc() && end == number.data() + number.size() && *id <= newest();
}

void LiveEventLog::SetListener(std::function<void()> listener) {
  const std::lock_guard lock(listener_mutex_);
  listener_ = std::move(listener);
}

void LiveEventLog::Notify() const {
  const std::lock_guard lock(listener_mutex_);
  if (listener_) listener_();
}

}  // namespace tidecast
