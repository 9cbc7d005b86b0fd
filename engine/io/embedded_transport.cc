#include "engine/io/embedded_transport.h"

#include <fmt/format.h>

#include <iterator>
#include <set>
#include <utility>

#include "engine/core/check.h"

namespace tidecast {
namespace {

/// Reads apart from the group. Thread: confined.
class EmbeddedReader final : public LogReader {
 public:
  EmbeddedReader(EmbeddedLog& log, std::unique_ptr<EmbeddedCursor> cursor) : log_(log), cursor_(std::move(cursor)) {}

  Result<PollResult> Read(RecordBatch& out, size_t records_max, int wait_ms) override {
    auto& batch = static_cast<EmbeddedBatch&>(out);
    const uint64_t seen = log_.appends();
    const size_t before = batch.records().size();
    TC_ASSIGN_OR_RETURN(PollResult result, cursor_->Read(batch, records_max, kBytesMax));
    if (batch.records().size() == before && result.next_offset >= end_offset() && wait_ms > 0) {
      log_.WaitForAppend(seen, wait_ms);
      TC_ASSIGN_OR_RETURN(result, cursor_->Read(batch, records_max, kBytesMax));
    }
    result.at_end = result.next_offset >= end_offset();
    return result;
  }
  std::unique_ptr<RecordBatch> MakeBatch() override { return std::make_unique<EmbeddedBatch>(); }
  int64_t begin_offset() const override { return cursor_->begin_offset(); }
  int64_t end_offset() const override { return cursor_->end_offset(); }

 private:
  static constexpr size_t kBytesMax = 4 << 20;
  EmbeddedLog& log_;
  std::unique_ptr<EmbeddedCursor> cursor_;
};

/// A write that failed for want of room or by the disk can be tried again after a rollback.
Outcome OutcomeOf(const Status& status) {
  return status.code() == Code::kNoSpace || status.code() == Code::kIo ? Outcome::kAbortable : Outcome::kFatal;
}

}  // namespace

EmbeddedTransport::EmbeddedTransport(StateStore& store, const Clock& clock, EmbeddedLogOptions options)
    : log_(store, clock, options) {}
EmbeddedTransport::~EmbeddedTransport() = default;

Status EmbeddedTransport::Open() {
  if (is_open_) return Status::Ok();
  TC_RETURN_IF_ERROR(log_.Load().In("cannot open the embedded log"));
  is_open_ = true;
  return Status::Ok();
}

Result<TopicInfo> EmbeddedTransport::DescribeTopic(const std::string& topic) {
  TC_ASSIGN_OR_RETURN(const auto found, log_.Find(topic));
  return found->Info();
}

Result<std::vector<TopicInfo>> EmbeddedTransport::ListTopics() { return log_.List(); }

Status EmbeddedTransport::CreateTopic(const TopicSpec& spec) {
  TC_CHECK(is_open_);
  return log_.CreateTopic(spec);
}

Status EmbeddedTransport::DeleteTopic(const std::string& topic) {
  TC_CHECK(is_open_);
  return log_.DeleteTopic(topic);
}

Status EmbeddedTransport::Join(const std::vector<std::string>& topics) {
  TC_CHECK(is_open_);
  TransportEvent event;
  event.kind = TransportEvent::Kind::kAssigned;
  const std::set<std::string> distinct(topics.begin(), topics.end());
  for (const std::string& name : distinct) {
    TC_ASSIGN_OR_RETURN(const auto topic, log_.Find(name));
    for (int32_t p = 0; p < static_cast<int32_t>(topic->partitions.size()); ++p) event.partitions.push_back({name, p});
  }
  TC_RETURN_IF_ERROR(log_.Subscribe({distinct.begin(), distinct.end()}));
  started_.clear();
  is_member_ = true;
  events_.push_back(std::move(event));
  return Status::Ok();
}

Status EmbeddedTransport::StartAt(std::span<const Position> positions) {
  TC_CHECK(is_member_, "StartAt before Join");
  std::vector<std::unique_ptr<EmbeddedCursor>> started;
  for (const Position& position : positions) {
    TC_ASSIGN_OR_RETURN(auto cursor, log_.OpenCursor(position.source, position.next_offset));
    started.push_back(std::move(cursor));
  }
  started_ = std::move(started);
  return Status::Ok();
}

void EmbeddedTransport::Leave() {
  started_.clear();
  is_member_ = false;
}

Result<std::vector<Position>> EmbeddedTransport::CommittedPositions(std::span<const TopicPartition> sources) {
  std::vector<Position> positions;
  for (const TopicPartition& source : sources) {
    TC_ASSIGN_OR_RETURN(const std::optional<int64_t> committed, log_.CommittedPosition(source));
    positions.push_back({source, committed.value_or(-1), {}});
  }
  return positions;
}

Result<int64_t> EmbeddedTransport::EndOffset(const TopicPartition& source) {
  TC_ASSIGN_OR_RETURN(const auto topic, log_.Find(source.topic));
  if (source.partition < 0 || static_cast<size_t>(source.partition) >= topic->partitions.size()) {
    return Status(Code::kNotFound, fmt::format("no such partition: topic {}, partition {} of {}", source.topic,
                                               source.partition, topic->partitions.size()));
  }
  return topic->partitions[static_cast<size_t>(source.partition)].end.load(std::memory_order_acquire);
}

std::unique_ptr<RecordBatch> EmbeddedTransport::MakeBatch() { return std::make_unique<EmbeddedBatch>(); }

Result<PollResult> EmbeddedTransport::Poll(uint32_t handle, size_t records_max, size_t bytes_max, RecordBatch& out) {
  TC_CHECK_LT(handle, started_.size(), "a handle that StartAt did not give");
  return started_[handle]->Read(static_cast<EmbeddedBatch&>(out), records_max, bytes_max);
}

void EmbeddedTransport::Step(int wait_ms, std::vector<TransportEvent>* events) {
  // What was appended after the last Step may not have been polled yet: then there is nothing to wait for.
  if (events_.empty() && wait_ms > 0) log_.WaitForAppend(appends_seen_, wait_ms);
  appends_seen_ = log_.appends();
  events->insert(events->end(), std::make_move_iterator(events_.begin()), std::make_move_iterator(events_.end()));
  events_.clear();
}

Status EmbeddedTransport::Begin() {
  TC_CHECK(is_open_);
  TC_CHECK(!in_transaction_, "Begin within a transaction");
  in_transaction_ = true;
  return Status::Ok();
}

Status EmbeddedTransport::Produce(const OutputRecord& record) {
  std::vector<HeaderView> headers;
  return ProduceView(ViewOf(record, &headers));
}

Status EmbeddedTransport::ProduceView(const RecordView& record) {
  TC_CHECK(in_transaction_, "Produce outside of a transaction");
  TC_ASSIGN_OR_RETURN(EmbeddedLog::Pending pending,
                      log_.Prepare(record, produced_.empty() ? nullptr : produced_.back().topic));
  produced_.push_back(std::move(pending));
  return Status::Ok();
}

Status EmbeddedTransport::SendOffsets(std::span<const Position> positions) {
  TC_CHECK(in_transaction_, "SendOffsets outside of a transaction");
  for (const Position& position : positions) {
    TC_ASSIGN_OR_RETURN(const int64_t end, EndOffset(position.source));
    if (position.next_offset < 0 || position.next_offset > end) {
      return Status(Code::kInvalidArgument,
                    fmt::format("a position that the log does not have: topic {}, partition {}, {} of {}",
                                position.source.topic, position.source.partition, position.next_offset, end));
    }
  }
  positions_.insert(positions_.end(), positions.begin(), positions.end());
  return Status::Ok();
}

void EmbeddedTransport::End(Outcome outcome, bool state_written, Status status) {
  TransportEvent event;
  event.kind = TransportEvent::Kind::kTransaction;
  event.outcome = outcome;
  event.state_written = state_written;
  event.status = std::move(status);
  events_.push_back(std::move(event));
}

void EmbeddedTransport::Commit(StateBatch&& state) {
  TC_CHECK(in_transaction_, "Commit outside of a transaction");
  Status status = log_.Write(produced_, positions_, std::move(state));
  produced_.clear();
  positions_.clear();
  if (!status.ok()) {
    const Outcome outcome = OutcomeOf(status);
    End(outcome, false, std::move(status));
    return;
  }
  in_transaction_ = false;
  End(Outcome::kOk, true, Status::Ok());
}

void EmbeddedTransport::Abort() {
  TC_CHECK(in_transaction_, "Abort outside of a transaction");
  produced_.clear();
  positions_.clear();
  in_transaction_ = false;
  End(Outcome::kOk, false, Status::Ok());
}

Result<std::unique_ptr<LogReader>> EmbeddedTransport::OpenReader(const TopicPartition& source, int64_t from_offset,
                                                                 bool) {
  TC_ASSIGN_OR_RETURN(auto cursor, log_.OpenCursor(source, from_offset));
  return std::unique_ptr<LogReader>(std::make_unique<EmbeddedReader>(log_, std::move(cursor)));
}

Status EmbeddedTransport::RenewProducer() {
  produced_.clear();
  positions_.clear();
  in_transaction_ = false;
  return Status::Ok();
}

Result<std::vector<Position>> EmbeddedTransport::Append(std::span<const OutputRecord> records, StateBatch&& rows, bool sync) {
  TC_CHECK(is_open_);
  std::vector<EmbeddedLog::Pending> pending;
  pending.reserve(records.size());
  std::vector<HeaderView> headers;
  for (const OutputRecord& record : records) {
    TC_ASSIGN_OR_RETURN(EmbeddedLog::Pending one,
                        log_.Prepare(ViewOf(record, &headers), pending.empty() ? nullptr : pending.back().topic));
    pending.push_back(std::move(one));
  }
  std::vector<Position> ends;
  TC_RETURN_IF_ERROR(log_.Write(pending, {}, std::move(rows), &ends).In("cannot append"));
  if (sync) TC_RETURN_IF_ERROR(log_.Sync());
  return ends;
}

}  // namespace tidecast
