#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/stateful.h"
#include "operators/accumulator.h"
#include "operators/pane_table.h"

namespace tidecast {

/// One hopping window of a view: `size` buckets long, moving on by one. Combined from panes by a running row per
/// series: the newest pane is added, the oldest taken off; max and min are looked up again only when the one that
/// leaves held them, distinct counts when a pane with values comes or goes. The running rows are a cache: they are made
/// anew from the panes after Reload, after a gap and after a late event. Sums are 128 bits wide inside. Thread:
/// confined.
class HoppingWindow {
 public:
  HoppingWindow(const Accumulator& layout, uint16_t view, uint16_t index, size_t size)
      : layout_(&layout), view_(view), index_(index), size_(size) {}

  size_t size() const { return size_; }

  /// Moves the series on to the window that ends with the newest pane. `panes`: newest first, size() + 1 of them (the
  /// last one leaves); null where a bucket has none. Returns how many events the window holds; when it holds any,
  /// `values` are its features.
  int64_t Advance(uint32_t id, EventTime newest_start, EventTime newest_end, std::span<const PaneTable* const> panes,
                  std::vector<double>* values);
  /// The window over `panes` (newest first), without the running row. Returns how many events it holds.
  int64_t Combine(uint32_t id, std::span<const PaneTable* const> panes, std::vector<double>* values) const;
  /// A closed pane of the series has changed.
  void Invalidate(uint32_t id);

  /// Revisions of windows by (start of their newest bucket, id); pending until published. Part of the state.
  struct Revision {
    uint32_t number = 1;
    bool pending = false;
    bool dirty = false;
    bool stored = false;
  };
  void MarkRevised(EventTime newest_start, uint32_t id);
  std::map<std::pair<EventTime, uint32_t>, Revision>& revisions() { return revisions_; }
  bool has_pending() const { return pending_ > 0; }
  uint32_t PublishRevision(EventTime newest_start, uint32_t id);
  void PruneRevisions(EventTime before_start, std::vector<std::string>* tombstones);

  void Save(DeltaSink& out);
  Status LoadRevision(EventTime newest_start, uint32_t id, std::string_view value);
  void Clear();
  size_t memory_bytes() const;

 private:
  std::string Key(EventTime newest_start, uint32_t id) const;
  void AddRow(const int64_t* from, int sign, __int128* into) const;
  void Rescan(uint32_t id, std::span<const PaneTable* const> panes, __int128* row) const;
  int64_t CountDistinct(size_t slot, uint32_t id, std::span<const PaneTable* const> panes) const;
  bool Extreme(size_t feature, bool is_max, uint32_t id, std::span<const PaneTable* const> panes, __int128* into) const;
  void Read(const __int128* row, std::vector<double>* values) const;

  const Accumulator* layout_;
  uint16_t view_;
  uint16_t index_;
  size_t size_;
  std::vector<__int128> running_;       ///< [id, slot]; a sketch's slot holds its count
  std::vector<EventTime> running_end_;  ///< end of the newest bucket in the running row; Min(): not valid
  std::map<std::pair<EventTime, uint32_t>, Revision> revisions_;
  size_t pending_ = 0;
};

}  // namespace tidecast
