#include "engine/io/file_feeder.h"

#include <algorithm>
#include <deque>

#include "engine/core/check.h"
#include "engine/core/hash.h"
#include "engine/io/file_rows.h"

namespace tidecast {
namespace {

// The records of one file in feeding order.
//   kEventTime: all records are kept in memory (their bytes and 32 more each) and sorted by (time, line).
//   kAsIs: the file is read twice, once to count and once to feed.
// A record whose time cannot be read takes the place behind the line before it.
class FeedStream {
 public:
  static Result<FeedStream> Open(const FeedFile& file, FileFeeder::Order order) {
    FeedStream stream;
    TC_ASSIGN_OR_RETURN(stream.rows_, FileRows::Open(file));
    stream.sorted_ = order == FileFeeder::Order::kEventTime;
    // What decides the order: times are read by format and zone.
    stream.fingerprint_ = Hash64(file.input.zone, static_cast<uint64_t>(order) << 8 | static_cast<uint64_t>(file.input.time_format));
    EventTime place;
    FileRow row;
    for (;;) {
      TC_ASSIGN_OR_RETURN(const bool more, stream.rows_->Next(&row));
      if (!more) break;
      ++stream.lines_;
      stream.fingerprint_ = Hash64(row.text, stream.fingerprint_);
      if (row.time.IsFinite()) {
        place = row.time;
        if (!stream.first_.IsFinite() || row.time < stream.first_) stream.first_ = row.time;
        if (!stream.last_.IsFinite() || row.time > stream.last_) stream.last_ = row.time;
      }
      if (stream.sorted_) stream.Keep(row, place);
    }
    stream.notes_ = stream.rows_->Notes();
    if (stream.sorted_) {
      std::stable_sort(stream.kept_.begin(), stream.kept_.end(), [](const Kept& a, const Kept& b) { return a.place < b.place; });
    } else {
      TC_RETURN_IF_ERROR(stream.rows_->Rewind());
    }
    TC_RETURN_IF_ERROR(stream.Advance());
    return stream;
  }

  bool ended() const { return ended_; }
  /// By which the files are merged.
  EventTime place() const { return place_; }
  int64_t lines() const { return lines_; }
  uint64_t fingerprint() const { return fingerprint_; }
  EventTime first() const { return first_; }
  EventTime last() const { return last_; }
  const std::vector<std::string>& notes() const { return notes_; }

  /// The record at hand. REQUIRES: !ended().
  FeedRecord Record() {
    FeedRecord record;
    record.time = head_.time;
    record.line = head_.line;
    rows_->MakeRecord(head_.text, head_.line, &record.key, &record.value);
    return record;
  }

  Status Advance() {
    if (sorted_) {
      ended_ = next_ == kept_.size();
      if (ended_) return Status::Ok();
      const Kept& kept = kept_[next_++];
      head_ = {std::string_view(kept.text, kept.bytes), kept.line, kept.readable ? kept.place : EventTime::Min()};
      place_ = kept.place;
      return Status::Ok();
    }
    TC_ASSIGN_OR_RETURN(const bool more, rows_->Next(&head_));
    ended_ = !more;
    if (more && head_.time.IsFinite()) place_ = head_.time;
    return Status::Ok();
  }

 private:
  struct Kept {
    EventTime place;
    const char* text = nullptr;
    int64_t line = 0;
    uint32_t bytes = 0;
    bool readable = false;
  };
  static_assert(sizeof(Kept) == 32);

  void Keep(const FileRow& row, EventTime place) {
    constexpr size_t kBlockBytes = size_t{4} << 20;
    if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < row.text.size()) {
      blocks_.emplace_back();
      blocks_.back().reserve(std::max(kBlockBytes, row.text.size()));
    }
    std::string& block = blocks_.back();
    const size_t at = block.size();
    block.append(row.text);
    kept_.push_back({place, block.data() + at, row.line, static_cast<uint32_t>(row.text.size()), row.time.IsFinite()});
  }

  std::unique_ptr<FileRows> rows_;
  bool sorted_ = false;
  bool ended_ = false;
  FileRow head_;
  EventTime place_;
  std::deque<std::string> blocks_;
  std::vector<Kept> kept_;
  size_t next_ = 0;
  int64_t lines_ = 0;
  uint64_t fingerprint_ = 0;
  EventTime first_;
  EventTime last_;
  std::vector<std::string> notes_;
};

class MergingFileFeeder final : public FileFeeder {
 public:
  explicit MergingFileFeeder(std::vector<FeedStream> streams) : streams_(std::move(streams)) {}

  Result<bool> Next(size_t records_max, const std::function<void(const FeedRecord&)>& take) override {
    for (size_t i = 0; i < records_max; ++i) {
      size_t chosen = streams_.size();
      for (size_t s = 0; s < streams_.size(); ++s) {
        if (streams_[s].ended()) continue;
        if (chosen == streams_.size() || streams_[s].place() < streams_[chosen].place()) chosen = s;
      }
      if (chosen == streams_.size()) return false;
      FeedRecord record = streams_[chosen].Record();
      record.input = chosen;
      take(record);
      ++lines_read_;
      TC_RETURN_IF_ERROR(streams_[chosen].Advance());
    }
    return std::any_of(streams_.begin(), streams_.end(), [](const FeedStream& stream) { return !stream.ended(); });
  }

  uint64_t fingerprint(size_t file) const override { return streams_[file].fingerprint(); }
  Status Skip(size_t file, int64_t records) override {
    for (; records > 0 && !streams_[file].ended(); --records) {
      TC_RETURN_IF_ERROR(streams_[file].Advance());
      ++lines_read_;
    }
    return Status::Ok();
  }
  EventTime next_time() const override {
    EventTime next = EventTime::Max();
    for (const FeedStream& stream : streams_) {
      if (!stream.ended()) next = std::min(next, stream.place());
    }
    return next;
  }
  int64_t lines_read() const override { return lines_read_; }
  int64_t lines_total() const override {
    int64_t lines = 0;
    for (const FeedStream& stream : streams_) lines += stream.lines();
    return lines;
  }
  EventTime first_time() const override {
    EventTime first;
    for (const FeedStream& stream : streams_) {
      if (stream.first().IsFinite() && (!first.IsFinite() || stream.first() < first)) first = stream.first();
    }
    return first;
  }
  EventTime last_time() const override {
    EventTime last;
    for (const FeedStream& stream : streams_) last = std::max(last, stream.last());
    return last;
  }
  std::vector<std::string> Notes() const override {
    std::vector<std::string> notes;
    for (const FeedStream& stream : streams_) notes.insert(notes.end(), stream.notes().begin(), stream.notes().end());
    return notes;
  }

 private:
  std::vector<FeedStream> streams_;
  int64_t lines_read_ = 0;
};

}  // namespace

Result<std::unique_ptr<FileFeeder>> FileFeeder::Open(const std::vector<FeedFile>& files, Order order) {
  std::vector<FeedStream> streams;
  for (const FeedFile& file : files) {
    TC_ASSIGN_OR_RETURN(FeedStream stream, FeedStream::Open(file, order));
    streams.push_back(std::move(stream));
  }
  return std::unique_ptr<FileFeeder>(std::make_unique<MergingFileFeeder>(std::move(streams)));
}

}  // namespace tidecast
