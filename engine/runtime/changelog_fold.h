#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/clock.h"
#include "engine/runtime/changelog_format.h"

namespace tidecast {

/// Which rows of a stream's changelog count. Takes the records in the log's order and believes the rows of a seq only
/// together with their commit record: same seq and writer, count and hash equal, built on the commit record before it.
///   - Rows without one are *orphans* of a torn transaction: never part of the state.
///   - A commit record whose predecessor or rows are missing is a *gap*, unless compaction may have taken them.
///   - A commit record that was built on an older one than the newest is a *fork*: two owners did not know of each
///   other.
///   - A commit record with a greater *base* voids what has a smaller seq.
/// Thread: confined.
class ChangelogFold {
 public:
  struct Options {
    TaskId stream;
    uint64_t tip = 0;          ///< seq of the newest commit record before the place where reading begins; 0: none
    uint64_t base = 0;         ///< rows with a smaller seq are passed over
    bool whole = false;        ///< read from the log's beginning: compaction may have thinned what is old
    EventTime thinned_before;  ///< records at or before may have been taken by compaction
    bool keep_values = true;   ///< false: keys alone are of interest
  };
  enum class Found : uint8_t {
    kNothing,
    kCommitted,    ///< `committed` holds the rows of this commit record, itself included
    kGap,          ///< likewise, but what came before is missing up to seq `missing`
    kFork,         ///< likewise; the writer did not have the commit record before it in the log
    kNewBase,      ///< begin again from the log's beginning with `base`
    kOtherFormat,  ///< a commit record that this build cannot read
  };
  struct Orphan {
    Family family;
    std::string key;
    auto operator<=>(const Orphan&) const = default;
  };

  ChangelogFold(const ChangelogLayout& layout, Options options)
      : layout_(layout), options_(options), tip_(options.tip), base_(options.base) {}

  Found Add(const InputRecord& record);
  /// The log was read to an end at which no transaction is open that could still bring commit records for what waits.
  void End();

  /// After kCommitted, kGap, kFork: the rows; empty where they do not match their commit record.
  StateBatch TakeCommitted() { return std::move(committed_); }
  uint64_t committed_seq() const { return tip_; }
  uint64_t committed_rows() const { return committed_rows_; }
  uint64_t committed_on() const { return committed_on_; }  ///< the seq that its writer had before it; 0: none
  const std::string& committed_by() const { return tip_writer_; }
  uint64_t missing() const { return missing_; }
  const std::string& gap() const { return gap_; }  ///< in words, of the newest kGap or kFork

  uint64_t tip() const { return tip_; }
  uint64_t base() const { return base_; }
  uint64_t highest_seq() const { return highest_seq_; }  ///< of any row that was seen
  int64_t orphan_rows() const { return static_cast<int64_t>(orphans_.size()); }
  std::vector<Orphan> TakeOrphans() { return std::exchange(orphans_, {}); }
  /// Offset of the first row whose commit record has not come; -1 when there is none.
  int64_t first_waiting() const;

 private:
  struct Group {
    StateBatch rows;
    uint64_t count = 0;
    uint64_t hash = 0;
    int64_t first_offset = 0;
  };
  using Groups = std::map<std::pair<uint64_t, std::string>, Group>;  ///< by seq and writer

  Found OnCommit(const ChangelogRow& row, EventTime time);
  void Orphaned(const Group& group);
  bool MayBeThinned(EventTime time) const { return options_.whole && time <= options_.thinned_before; }

  const ChangelogLayout& layout_;
  const Options options_;
  Groups waiting_;
  uint64_t tip_;
  EventTime tip_time_;
  std::string tip_writer_;
  uint64_t base_;
  uint64_t highest_seq_ = 0;
  StateBatch committed_;
  uint64_t committed_rows_ = 0;
  uint64_t committed_on_ = 0;
  uint64_t missing_ = 0;
  std::string gap_;
  std::vector<Orphan> orphans_;
};

}  // namespace tidecast
