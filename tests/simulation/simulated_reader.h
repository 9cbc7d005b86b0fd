#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include "engine/core/clock.h"
#include "engine/io/log_transport.h"
#include "tests/simulation/partition_log.h"
#include "tests/simulation/simulated_broker.h"

namespace tidecast::simulation {

/// Records copied out of a log, so that they outlive its growth.
class CopiedBatch final : public RecordBatch {
 public:
  std::span<const InputRecord> records() const override { return views_; }
  void Clear() override {
    views_.clear();
    copies_.clear();
  }
  void LeaveOutHeaders() override { with_headers_ = false; }

  /// Adds the visible records of [from, to), up to the limits but at least one. Returns the position after them.
  int64_t Take(const PartitionLog& log, int64_t from, int64_t to, bool read_committed, size_t records_max,
               size_t bytes_max) {
    size_t bytes = 0;
    for (; from < to; ++from) {
      if (!log.IsVisible(from, read_committed)) continue;
      const OutputRecord& record = log.slot(from).record;
      const size_t size = record.key.size() + (record.value ? record.value->size() : 0);
      if (views_.size() >= records_max || (!views_.empty() && bytes + size > bytes_max)) return from;
      bytes += size;
      Add(from, record);
    }
    return from;
  }

 private:
  struct Copy {
    OutputRecord record;
    std::vector<HeaderView> headers;
  };
  void Add(int64_t offset, const OutputRecord& record) {
    Copy& copy = copies_.emplace_back(Copy{record, {}});
    for (const Header& header : copy.record.headers)
      if (with_headers_) copy.headers.push_back({header.name, header.value});
    views_.push_back({offset, copy.record.record_time, !copy.record.key.empty(), copy.record.key,
                      copy.record.value ? std::string_view(*copy.record.value) : std::string_view(),
                      !copy.record.value.has_value(), copy.headers});
  }
  std::vector<InputRecord> views_;
  std::deque<Copy> copies_;
  bool with_headers_ = true;
};

/// Reads one partition apart from the group.
class SimulatedReader final : public LogReader {
 public:
  SimulatedReader(SimulatedBroker& broker, ManualClock& clock, const PartitionLog& log, int64_t from,
                  bool read_committed)
      : broker_(broker),
        clock_(clock),
        log_(log),
        next_offset_(std::max(from, log.begin())),
        begin_(log.begin()),
        end_(log.end()),
        read_committed_(read_committed) {}

  Result<PollResult> Read(RecordBatch& out, size_t records_max, int wait_ms) override {
    broker_.ExpireTransactions();
    const int64_t before = next_offset_;
    const int64_t readable = read_committed_ ? log_.last_stable() : log_.end();
    next_offset_ = static_cast<CopiedBatch&>(out).Take(log_, next_offset_, std::max(readable, next_offset_),
                                                       read_committed_, records_max, SIZE_MAX);
    if (next_offset_ == before && next_offset_ < end_ && wait_ms > 0)
      clock_.Advance(std::chrono::milliseconds(wait_ms));
    return PollResult{.at_end = next_offset_ >= end_,
                      .blocked = next_offset_ == readable && readable < log_.end(),
                      .next_offset = next_offset_};
  }
  std::unique_ptr<RecordBatch> MakeBatch() override { return std::make_unique<CopiedBatch>(); }
  int64_t begin_offset() const override { return begin_; }
  int64_t end_offset() const override { return end_; }

 private:
  SimulatedBroker& broker_;
  ManualClock& clock_;
  const PartitionLog& log_;
  int64_t next_offset_;
  const int64_t begin_;
  const int64_t end_;
  const bool read_committed_;
};

}  // namespace tidecast::simulation
