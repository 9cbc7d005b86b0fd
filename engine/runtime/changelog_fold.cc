#include "engine/runtime/changelog_fold.h"

#include <algorithm>

namespace tidecast {

void ChangelogFold::Orphaned(const Group& group) {
  for (const StateBatch::Row& row : group.rows.rows()) orphans_.push_back({row.family, std::string(row.key)});
}

ChangelogFold::Found ChangelogFold::Add(const InputRecord& record) {
  ChangelogRow row;
  if (!ParseChangelogRow(record, layout_, options_.stream, &row) || row.seq < base_) return Found::kNothing;
  highest_seq_ = std::max(highest_seq_, row.seq);
  if (row.is_commit && row.format != kChangelogFormat) return Found::kOtherFormat;
  if (row.is_commit) return OnCommit(row, record.record_time);
  const auto [at, is_new] = waiting_.try_emplace({row.seq, std::string(row.writer)});
  Group& group = at->second;
  if (is_new) group.first_offset = record.offset;
  ++group.count;
  group.hash = FoldRowHash(group.hash, row.family, row.key, row.value, row.is_delete);
  if (row.is_delete) {
    group.rows.Delete(row.family, row.key);
  } else {
    group.rows.Put(row.family, row.key, options_.keep_values ? row.value : std::string_view());
  }
  return Found::kNothing;
}

// 1. A greater base: everything before it is void, and the caller begins again.
// 2. Not newer than the newest commit record: of somebody who was late. It and its rows are orphans.
// 3. Its own rows must be there, count and hash; compaction may have taken some of an old seq.
// 4. What it was built on must be the newest commit record, or void; compaction may have taken that of an old seq.
// 5. What else waits and is not newer than this: rows of seqs whose commit records compaction took, or orphans.
ChangelogFold::Found ChangelogFold::OnCommit(const ChangelogRow& row, EventTime time) {
  if (row.base > base_) {
    base_ = row.base;
    return Found::kNewBase;
  }
  const auto own = waiting_.find({row.seq, std::string(row.writer)});
  if (row.seq <= tip_) {
    if (own != waiting_.end()) {
      Orphaned(own->second);
      waiting_.erase(own);
    }
    orphans_.push_back({row.family, std::string(row.key)});
    return Found::kNothing;
  }

  const uint64_t count = own == waiting_.end() ? 0 : own->second.count;
  const uint64_t hash = own == waiting_.end() ? 0 : own->second.hash;
  const bool matches = count == row.rows && hash == row.hash;
  const bool is_whole = matches || (count < row.rows && MayBeThinned(time));
  // Compaction takes a commit record only once it is old: how old it was is told by the one that was built on it, or it
  // is younger than the one before it.
  const bool is_old = row.prev_age_us > 0 ? MayBeThinned(EventTime{time.us - static_cast<int64_t>(row.prev_age_us)})
                                          : tip_ == 0 || MayBeThinned(tip_time_);
  const bool bridges = row.prev_seq > tip_ && options_.whole && is_old;
  Found found = Found::kCommitted;
  if (!is_whole) {
    found = Found::kGap;
    missing_ = row.seq;
    gap_ = fmt::format("seq {} by {} has {} rows of {}{}", row.seq, row.writer, count, row.rows,
                       count == row.rows ? ", with another hash" : "");
  } else if (row.prev_seq > tip_ && row.prev_seq >= base_ && !bridges) {
    found = Found::kGap;
    missing_ = row.prev_seq;
    gap_ = fmt::format("seq {} by {} was built on {}, the newest commit record before it is {}", row.seq, row.writer,
                       row.prev_seq, tip_);
  } else if (row.prev_seq < tip_) {
    found = Found::kFork;
    missing_ = row.seq;
    gap_ = fmt::format("seq {} by {} was built on {}, though {} had committed {}", row.seq, row.writer, row.prev_seq,
                       tip_writer_.empty() ? "somebody" : tip_writer_, tip_);
  }

  committed_ = {};
  committed_rows_ = 0;
  for (auto at = waiting_.begin(); at != waiting_.end() && at->first.first <= row.seq; at = waiting_.erase(at)) {
    const bool is_own = at->first.first == row.seq && at->first.second == row.writer;
    const bool is_thinned = bridges && at->first.first > tip_ && at->first.first <= row.prev_seq;
    if (!is_own && !is_thinned) {
      if (at->first.first >= base_) Orphaned(at->second);
    } else if (is_whole) {
      committed_rows_ += at->second.count;
      committed_.Append(std::move(at->second.rows));
    }
  }
  if (is_whole) committed_.Put(row.family, row.key, row.value);
  committed_on_ = row.prev_seq;
  tip_ = row.seq;
  tip_time_ = time;
  tip_writer_ = row.writer;
  return found;
}

void ChangelogFold::End() {
  for (const auto& [id, group] : waiting_) Orphaned(group);
  waiting_.clear();
}

int64_t ChangelogFold::first_waiting() const {
  int64_t first = -1;
  for (const auto& [id, group] : waiting_) {
    if (first < 0 || group.first_offset < first) first = group.first_offset;
  }
  return first;
}

}  // namespace tidecast
