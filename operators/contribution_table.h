#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "engine/core/stateful.h"
#include "operators/contribution.h"

namespace tidecast {

/// The newest contribution of each upstream task to each (view, bucket, key) that may still be revised. Kept because
/// a maximum or a distinct count cannot be taken back from a total. Thread: confined.
class ContributionTable {
 public:
  /// `lateness`: by view, how long after its bucket's end a contribution may come.
  explicit ContributionTable(std::vector<Duration> lateness) : lateness_(std::move(lateness)) {}

  enum class Change : uint8_t {
    kNew,       ///< the upstream task's first one: add it to the total
    kReplaced,  ///< make the total anew from Visit
    kOld,       ///< holds no more than what is here: nothing changed
  };
  /// `events`: how many the contribution is made of. By these it is newer or not: its revision begins anew where its
  /// task was set back behind what it had sent (a torn transaction) and reads in other batches.
  Change Put(const Contribution& contribution, int64_t events, uint32_t id);
  /// The rows (EncodeRow) of that key and bucket, by upstream task.
  void Visit(uint16_t view, EventTime start, uint32_t id, const std::function<void(std::string_view row)>& visit) const;
  /// Forgets buckets that nothing may revise any more.
  void Expire(EventTime watermark);
  bool empty() const { return parts_.empty(); }

  void Save(DeltaSink& out);
  Status Load(std::string_view key_after_table, std::string_view value);
  void Clear();
  size_t dirty_bytes() const { return dirty_bytes_; }
  size_t memory_bytes() const;

 private:
  using Place = std::tuple<uint16_t, EventTime, uint32_t, uint16_t>;  ///< view, bucket start, id, upstream
  struct Part {
    EventTime end;
    uint32_t revision = 0;
    int64_t events = 0;
    std::string row;
    bool dirty = false;
    bool stored = false;
  };
  static std::string Key(const Place& place);

  std::vector<Duration> lateness_;
  std::map<Place, Part> parts_;
  std::vector<Place> dirty_;
  std::vector<std::string> deleted_;
  size_t dirty_bytes_ = 0;
};

}  // namespace tidecast
