#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/io/embedded_log.h"
#include "engine/io/embedded_log_keys.h"
#include "state/key_codec.h"

namespace tidecast {
namespace {

Status Damaged(const std::string& topic, int32_t partition, int64_t offset, std::string_view what) {
  return Status(Code::kCorruption, fmt::format("the log is damaged: {}: topic {}, partition {}, offset {}", what, topic,
                                               partition, offset))
      .WithRemedy("check the disk, then restore the state directory from a savepoint");
}

}  // namespace

EmbeddedCursor::EmbeddedCursor(EmbeddedLog& log, std::shared_ptr<EmbeddedLog::Topic> topic, int32_t partition)
    : log_(log),
      topic_(std::move(topic)),
      partition_(topic_->partitions[static_cast<size_t>(partition)]),
      number_(partition) {}

EmbeddedCursor::~EmbeddedCursor() {
  const std::lock_guard readers(log_.readers_mutex_);
  std::erase(partition_.cursors, this);
}

Result<std::unique_ptr<EmbeddedCursor>> EmbeddedLog::OpenCursor(const TopicPartition& source, int64_t offset) {
  TC_ASSIGN_OR_RETURN(std::shared_ptr<Topic> topic, Find(source.topic));
  if (source.partition < 0 || static_cast<size_t>(source.partition) >= topic->partitions.size()) {
    return Status(Code::kNotFound,
                  fmt::format("no such partition: topic {}, partition {} of {}", source.topic, source.partition,
                              topic->partitions.size()),
                  Domain::kExternal);
  }
  const bool compacted = topic->compacted;
  std::unique_ptr<EmbeddedCursor> cursor(new EmbeddedCursor(*this, std::move(topic), source.partition));
  int64_t trimmed_end = 0;
  {
    // From here on nothing past the cursor is trimmed.
    const std::lock_guard readers(readers_mutex_);
    trimmed_end = cursor->partition_.begin;
    cursor->begin_offset_ = compacted ? 0 : trimmed_end;
    cursor->end_offset_ = cursor->partition_.end.load(std::memory_order_acquire);
    if (offset == -2) offset = cursor->begin_offset_;
    if (offset < cursor->begin_offset_ || offset > cursor->end_offset_) {
      return Status(
                 Code::kNotFound,
                 fmt::format("the log does not have this offset: topic {}, partition {}, offset {}, there are {} to {}",
                             source.topic, source.partition, offset, cursor->begin_offset_, cursor->end_offset_),
                 Domain::kExternal)
          .WithRemedy("start at the beginning of the topic, or reset the state with `tidecast state reset`");
    }
    cursor->position_ = offset;
    cursor->partition_.cursors.push_back(cursor.get());
  }
  if (compacted && offset < trimmed_end) TC_RETURN_IF_ERROR(cursor->CollectCompacted(trimmed_end));
  return cursor;
}

Status EmbeddedCursor::CollectCompacted(int64_t trimmed_end) {
  const std::string prefix = embedded::LatestKey(topic_->number, number_, {});
  TC_RETURN_IF_ERROR(
      log_.store_.Scan(Family::kLatest, prefix, PrefixEnd(prefix), [&](std::string_view key, std::string_view row) {
        const int64_t offset = ByteReader(row).I64();
        if (offset >= position() && offset < trimmed_end) compacted_.emplace_back(offset, key);
        return true;
      }));
  std::sort(compacted_.begin(), compacted_.end());
  if (compacted_.empty()) position_.store(trimmed_end, std::memory_order_relaxed);
  compacted_.emplace_back(trimmed_end, std::string());  // where the log itself goes on
  return Status::Ok();
}

Status EmbeddedCursor::ReadCompacted(EmbeddedBatch& out, size_t records_max, size_t bytes_max, size_t& records,
                                     size_t& bytes) {
  std::string row;
  while (compacted_read_ < compacted_.size() && records < records_max && (records == 0 || bytes < bytes_max)) {
    const auto& [offset, key] = compacted_[compacted_read_];
    if (compacted_read_ + 1 == compacted_.size()) {
      position_.store(offset, std::memory_order_relaxed);
      compacted_.clear();
      compacted_read_ = 0;
      return Status::Ok();
    }
    TC_ASSIGN_OR_RETURN(const bool there, log_.store_.Get(Family::kLatest, key, &row));
    // Written anew since: the newer record comes later, from the log.
    if (there && ByteReader(row).I64() == offset) {
      const std::string_view encoded = std::string_view(row).substr(sizeof(int64_t));
      if (records > 0 && bytes + encoded.size() > bytes_max) return Status::Ok();
      if (!out.Add(offset, encoded)) return Damaged(topic_->name, number_, offset, "no record");
      ++records;
      bytes += encoded.size();
    }
    ++compacted_read_;
    position_.store(offset + 1, std::memory_order_relaxed);
  }
  return Status::Ok();
}

Result<PollResult> EmbeddedCursor::Read(EmbeddedBatch& out, size_t records_max, size_t bytes_max) {
  if (topic_->deleted.load(std::memory_order_acquire)) {
    return Status(Code::kNotFound, fmt::format("the topic was deleted: {}", topic_->name), Domain::kExternal);
  }
  size_t records = 0;
  size_t bytes = 0;
  if (!compacted_.empty()) TC_RETURN_IF_ERROR(ReadCompacted(out, records_max, bytes_max, records, bytes));
  const int64_t end = partition_.end.load(std::memory_order_acquire);
  int64_t next = position();
  if (compacted_.empty() && next < end && records < records_max) {
    Status damage;
    bool is_full = false;
    const auto take = [&](std::string_view key, std::string_view encoded) {
      if (records == records_max || (records > 0 && bytes + encoded.size() > bytes_max)) {
        is_full = true;
        return false;
      }
      const auto offset = static_cast<int64_t>(KeyReader(key.substr(embedded::kRecordPrefixBytes)).U64());
      if (offset != next) {
        damage = Damaged(topic_->name, number_, next, "a record is missing");
      } else if (!out.Add(offset, encoded)) {
        damage = Damaged(topic_->name, number_, offset, "no record");
      }
      ++records;
      bytes += encoded.size();
      ++next;
      return damage.ok();
    };
    TC_RETURN_IF_ERROR(log_.store_.Scan(Family::kLog, embedded::RecordKey(topic_->number, number_, next),
                                        embedded::RecordKey(topic_->number, number_, end), take));
    TC_RETURN_IF_ERROR(damage);
    if (!is_full && next != end && !topic_->deleted) return Damaged(topic_->name, number_, next, "a record is missing");
    position_.store(next, std::memory_order_relaxed);
  }
  return PollResult{next == end && compacted_.empty(), false, position()};
}

Result<bool> EmbeddedLog::Latest(const std::string& topic_name, std::string_view key, EmbeddedBatch& out) const {
  TC_ASSIGN_OR_RETURN(const std::shared_ptr<Topic> topic, Find(topic_name));
  std::string row;
  for (int32_t p = 0; p < static_cast<int32_t>(topic->partitions.size()); ++p) {
    TC_ASSIGN_OR_RETURN(const bool there,
                        store_.Get(Family::kLatest, embedded::LatestKey(topic->number, p, key), &row));
    if (!there) continue;
    ByteReader in(row);
    const int64_t offset = in.I64();
    if (!out.Add(offset, in.Raw(in.left()))) return Damaged(topic_name, p, offset, "no record");
    return true;
  }
  return false;
}

Status EmbeddedLog::ScanLatest(const std::string& topic_name,
                               const std::function<bool(const InputRecord&)>& visit) const {
  TC_ASSIGN_OR_RETURN(const std::shared_ptr<Topic> topic, Find(topic_name));
  const std::string prefix = KeyWriter().U32(topic->number).Take();
  EmbeddedBatch one;
  Status damage;
  TC_RETURN_IF_ERROR(
      store_.Scan(Family::kLatest, prefix, PrefixEnd(prefix), [&](std::string_view key, std::string_view row) {
        ByteReader in(row);
        const int64_t offset = in.I64();
        one.Clear();
        if (!one.Add(offset, in.Raw(in.left()))) {
          damage = Damaged(topic_name, KeyReader(key.substr(sizeof(uint32_t))).U16(), offset, "no record");
          return false;
        }
        return visit(one.records().front());
      }));
  return damage;
}

}  // namespace tidecast
