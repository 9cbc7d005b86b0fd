#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "engine/io/log_transport.h"

namespace tidecast::testing {

/// Records as they stand in memory, for readers of a ScriptedTransport.
class VectorBatch final : public RecordBatch {
 public:
  std::span<const InputRecord> records() const override { return records_; }
  void Clear() override {
    records_.clear();
    headers_.clear();
  }
  void LeaveOutHeaders() override { with_headers_ = false; }
  void Add(int64_t offset, const OutputRecord& record) {
    std::vector<HeaderView>& headers = headers_.emplace_back();
    for (const Header& header : record.headers)
      if (with_headers_) headers.push_back({header.name, header.value});
    records_.push_back({offset, record.record_time, true, record.key, record.value ? std::string_view(*record.value) : std::string_view(),
                        !record.value.has_value(), headers});
  }

 private:
  std::vector<InputRecord> records_;
  std::deque<std::vector<HeaderView>> headers_;
  bool with_headers_ = true;
};

/// A transport that writes down what it is asked and answers as it is told. It has no semantics of its own: what a real
/// log does is the contract suite's matter.
class ScriptedTransport : public LogTransport {
 public:
  std::vector<std::string> calls;
  std::vector<OutputRecord> produced;
  std::vector<Position> offsets;
  int produce_room = 1 << 30;          ///< Produce answers kWouldBlock once this is used up
  bool changelog = true;
  std::map<std::pair<std::string, int32_t>, std::vector<OutputRecord>> logs;  ///< what readers find
  int64_t log_begins = 0;              ///< offsets before it are gone

  Status Open() override { return Status::Ok(); }
  Result<TopicInfo> DescribeTopic(const std::string& topic) override { return TopicInfo{topic, "", 1}; }
  Result<std::vector<TopicInfo>> ListTopics() override { return std::vector<TopicInfo>{}; }
  Status CreateTopic(const TopicSpec&) override { return Status::Ok(); }
  Status Join(const std::vector<std::string>&) override { return Status::Ok(); }
  Status StartAt(std::span<const Position>) override { return Status::Ok(); }
  void ReleaseRevoked() override {}
  void Leave() override {}
  Result<int64_t> EndOffset(const TopicPartition& source) override {
    return static_cast<int64_t>(logs[{source.topic, source.partition}].size());
  }
  Result<std::vector<Position>> CommittedPositions(std::span<const TopicPartition> sources) override {
    std::vector<Position> positions;
    for (const TopicPartition& source : sources) positions.push_back({source, -1, {}});
    return positions;
  }
  std::unique_ptr<RecordBatch> MakeBatch() override { return std::make_unique<VectorBatch>(); }
  Result<PollResult> Poll(uint32_t, size_t, size_t, RecordBatch&) override { return PollResult{true, false, 0}; }
  void Step(int, std::vector<TransportEvent>*) override {}
  Status Begin() override {
    calls.push_back("begin");
    return Status::Ok();
  }
  Status Produce(const OutputRecord& record) override {
    if (produce_room == 0) return Status(Code::kWouldBlock, "full");
    --produce_room;
    calls.push_back("produce " + record.topic);
    produced.push_back(record);
    return Status::Ok();
  }
  Status SendOffsets(std::span<const Position> positions) override {
    calls.push_back("offsets");
    offsets.assign(positions.begin(), positions.end());
    return Status::Ok();
  }
  void Commit(StateBatch&&) override { calls.push_back("commit"); }
  void Abort() override { calls.push_back("abort"); }
  bool needs_changelog() const override { return changelog; }
  Result<std::unique_ptr<LogReader>> OpenReader(const TopicPartition& source, int64_t from_offset, bool) override {
    class Reader final : public LogReader {
     public:
      Reader(const std::vector<OutputRecord>& log, int64_t from, int64_t begin)
          : log_(log), begin_(begin), next_(std::max(from, begin)) {}
      Result<PollResult> Read(RecordBatch& out, size_t records_max, int) override {
        for (size_t n = 0; n < records_max && next_ < end_offset(); ++n, ++next_) {
          static_cast<VectorBatch&>(out).Add(next_, log_[static_cast<size_t>(next_)]);
        }
        return PollResult{next_ >= end_offset(), false, next_};
      }
      std::unique_ptr<RecordBatch> MakeBatch() override { return std::make_unique<VectorBatch>(); }
      int64_t begin_offset() const override { return begin_; }
      int64_t end_offset() const override { return static_cast<int64_t>(log_.size()); }

     private:
      std::vector<OutputRecord> log_;
      int64_t begin_;
      int64_t next_;
    };
    return std::unique_ptr<LogReader>(new Reader(logs[{source.topic, source.partition}], from_offset, log_begins));
  }
  Status RenewProducer() override {
    calls.push_back("renew");
    return Status::Ok();
  }
};

}  // namespace tidecast::testing
