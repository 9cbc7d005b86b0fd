#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/stateful.h"
#include "operators/accumulator.h"
#include "operators/block_journal.h"
#include "operators/series_dictionary.h"

namespace tidecast {

/// The sessions of one view's session window: per series, events less than `gap` apart belong together, also when they
/// come out of order and tie two sessions into one. A session [first, last + gap) closes when the watermark reaches its
/// end; it stays until a gap and the allowed lateness later, and a late event opens it again: it is then published with
/// the next revision. One whose first event moved, or which was merged into another, is withdrawn: published once more
/// under its old start with empty features.  Sums saturate. Thread: confined.
class SessionWindows {
 public:
  SessionWindows(const Accumulator& layout, uint16_t view, uint16_t index, Duration gap, Duration lateness)
      : layout_(&layout), view_(view), index_(index), gap_(gap), lateness_(lateness) {}

  /// Ignores an event that comes after time + gap + lateness by `judged_by`.
  void Add(uint32_t id, const Event& event, EventTime judged_by);

  struct Due {
    uint32_t id = 0;
    EventTime start;
    EventTime end;
    uint32_t revision = 1;  ///< that it will have once published
  };
  /// Takes out what is due at this watermark, in the order of (end, name, start). Each must be published or put back.
  std::vector<Due> TakeDue(EventTime watermark, SeriesDictionary& dictionary);
  /// Marks it as published; `values` are its features. Returns how many events it counts.
  int64_t Publish(const Due& due, std::vector<double>* values);
  void PutBack(const Due& due) {
    Enqueue(sessions_.find({due.id, due.start}));
    FreshenQueue();
  }
  /// The smallest watermark at which something is due; Max() when nothing is open. A function of what is in state, so
  /// that a reload does not change when things come out.
  EventTime next_close() const { return queue_.empty() ? EventTime::Max() : queue_.top().first; }
  void Prune(EventTime watermark);

  /// `delta_blocks`: BlockJournal::Save.
  void Save(size_t delta_blocks, DeltaSink& out);
  /// All blocks, then all deltas by their numbers. `series`: how many there are.
  Status LoadBlock(uint32_t block, size_t series, std::string_view value);
  Status LoadDelta(uint64_t number, size_t series, std::string_view value);
  /// A session as builds before blocks have stored it; the next Save writes its block.
  Status LoadRow(uint32_t id, EventTime start, std::string_view value);
  std::string RowKey(uint32_t id, EventTime start) const;
  void Clear();
  size_t size() const { return sessions_.size(); }
  size_t memory_bytes() const;
  /// What Save will take at most, about.
  size_t dirty_bytes() const {
    return journal_.changed_blocks().size() * (kStoredBytes + BlockJournal::kBlockIds * (14 + 2 * layout_->slots()));
  }

 private:
  static constexpr size_t kStoredBytes = 90;
  enum class Phase : uint8_t { kOpen = 0, kClosed = 1, kWithdrawn = 2 };
  struct Session {
    EventTime last;
    EventTime queued = EventTime::Min();  ///< its entry in the queue; Min(): it has none
    Phase phase = Phase::kOpen;
    uint32_t revision = 0;  ///< of the last publication, 0: none
    std::vector<int64_t> slots;
    std::vector<RowSketch> sketches;
  };
  using Place = std::pair<uint32_t, EventTime>;  ///< id, start
  using Timed = std::pair<EventTime, Place>;
  using TimeQueue = std::priority_queue<Timed, std::vector<Timed>, std::greater<>>;
  using At = std::map<Place, Session>::iterator;
  class Stored;

  EventTime EndOf(const Session& session) const { return session.last + gap_; }
  EventTime ForgetAt(const Session& session) const { return EndOf(session) + gap_ + lateness_; }
  void AddSlowly(uint32_t id, const Event& event);
  At Create(const Place& place);
  void Drop(At at);
  void Erase(At at);
  void Enqueue(At at);
  void FreshenQueue();
  void FindNewest(uint32_t id);
  void EncodeSlots(const Session& session, ByteWriter& value) const;
  void DecodeSlots(ByteReader& value, Session* session, Status* status) const;
  Status DecodeRows(uint32_t block, uint32_t ids, size_t series, bool anew, ByteReader& value);
  void Put(const Place& place, Session session);

  const Accumulator* layout_;
  uint16_t view_;
  uint16_t index_;
  Duration gap_;
  Duration lateness_;
  std::map<Place, Session> sessions_;
  std::vector<At> newest_;  ///< by id: its last session that is not withdrawn, or end()
  /// Open and withdrawn ones by an end that may have moved on since; the top one is always as it is.
  TimeQueue queue_;
  TimeQueue closed_;  ///< by the time at which they are forgotten
  BlockJournal journal_;
};

}  // namespace tidecast
