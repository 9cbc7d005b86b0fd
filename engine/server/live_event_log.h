#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace tidecast {

/// One thing that a page wants to hear of. The data is shared with the view, not copied.
struct LiveEvent {
  uint64_t id = 0;
  std::string_view type;                    ///< a literal: status | forecast | bucket | open | alert | movers
  std::string series;                       ///< empty: meant for every stream
  std::shared_ptr<const std::string> data;  ///< one JSON value; shared because the view keeps it too
};

/// What a stream wants to hear: everything, or the events of some series and those of no series.
struct LiveEventFilter {
  std::set<std::string, std::less<>> series;  ///< empty: all
  bool Wants(const LiveEvent& event) const {
    return event.series.empty() || series.empty() || series.contains(event.series);
  }
};

/// The newest live events in a ring bounded in bytes and number. Readers keep a cursor (the id of the last event they
/// have read), so that a slow client costs no memory: it finds a gap and is told to start anew. Thread: safe.
class LiveEventLog {
 public:
  LiveEventLog(size_t bytes_max, size_t events_max, uint64_t run)
      : bytes_max_(bytes_max), events_max_(events_max), run_(run) {}

  void Append(std::string_view type, std::string series, std::shared_ptr<const std::string> data);

  enum class ReadOutcome : uint8_t { kOk, kGap };
  /// Renders events after `*cursor` that pass the filter as Server-Sent Events onto `*out`, up to about `bytes_max`,
  /// and moves the cursor. kGap: events after the cursor are gone already; the cursor then stands at the newest one.
  ReadOutcome ReadAfter(uint64_t* cursor, const LiveEventFilter& filter, size_t bytes_max, std::string* out) const;

  /// Id of the newest event; 0 when there was none.
  uint64_t newest() const;

  /// Reads "<run>-<id>" as it stands in Last-Event-ID. False when it belongs to another run of the process.
  bool ParseId(std::string_view text, uint64_t* id) const;

  /// Called after events were appended, by the appending thread; must be quick. One listener; nullptr takes it away.
  void SetListener(std::function<void()> listener);
  /// Wakes the listener. Appending does not do so by itself, so that a batch wakes it once.
  void Notify() const;

 private:
  const size_t bytes_max_;
  const size_t events_max_;
  const uint64_t run_;
  mutable std::mutex mutex_;      // guards all below
  std::deque<LiveEvent> events_;  // ids are consecutive
  size_t bytes_ = 0;
  uint64_t next_id_ = 1;
  mutable std::mutex listener_mutex_;  // guards listener_, and lets SetListener wait for a call under way
  std::function<void()> listener_;
};

/// Renders one event: "id:", "event:", "data:" lines and the empty line. `id` may be empty.
void RenderServerSentEvent(std::string_view id, std::string_view type, std::string_view data, std::string* out);

}  // namespace tidecast
