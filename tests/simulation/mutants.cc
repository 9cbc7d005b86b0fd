#include "tests/simulation/mutants.h"

#include <utility>

#include "engine/runtime/epoch_committer.h"

namespace tidecast::simulation {
namespace {

class EarlyEndReader final : public LogReader {
 public:
  explicit EarlyEndReader(std::unique_ptr<LogReader> reader) : reader_(std::move(reader)) {}
  Result<PollResult> Read(RecordBatch& out, size_t records_max, int wait_ms) override {
    TC_ASSIGN_OR_RETURN(PollResult result, reader_->Read(out, records_max, wait_ms));
    result.at_end |= result.blocked;
    return result;
  }
  std::unique_ptr<RecordBatch> MakeBatch() override { return reader_->MakeBatch(); }
  int64_t begin_offset() const override { return reader_->begin_offset(); }
  int64_t end_offset() const override { return reader_->end_offset(); }

 private:
  std::unique_ptr<LogReader> reader_;
};

class MutantTransport final : public LogTransport {
 public:
  MutantTransport(Mutant mutant, std::unique_ptr<LogTransport> inner, std::shared_ptr<Disk> disk)
      : mutant_(mutant), inner_(std::move(inner)), disk_(std::move(disk)) {}

  Status Open() override { return inner_->Open(); }
  Result<TopicInfo> DescribeTopic(const std::string& topic) override { return inner_->DescribeTopic(topic); }
  Result<std::vector<TopicInfo>> ListTopics() override { return inner_->ListTopics(); }
  Status CreateTopic(const TopicSpec& spec) override { return inner_->CreateTopic(spec); }
  Status Join(const std::vector<std::string>& topics) override { return inner_->Join(topics); }
  Status StartAt(std::span<const Position> positions) override { return inner_->StartAt(positions); }
  void ReleaseRevoked() override { inner_->ReleaseRevoked(); }
  void Leave() override { inner_->Leave(); }
  Result<int64_t> EndOffset(const TopicPartition& source) override { return inner_->EndOffset(source); }
  std::unique_ptr<RecordBatch> MakeBatch() override { return inner_->MakeBatch(); }
  Result<PollResult> Poll(uint32_t handle, size_t records_max, size_t bytes_max, RecordBatch& out) override {
    return inner_->Poll(handle, records_max, bytes_max, out);
  }
  void Step(int wait_ms, std::vector<TransportEvent>* events) override {
    inner_->Step(wait_ms, events);
    if (mutant_ != Mutant::kUnknownIsCommitted) return;
    for (TransportEvent& event : *events) {
      if (event.kind != TransportEvent::Kind::kTransaction || event.outcome != Outcome::kUnknown) continue;
      event.outcome = Outcome::kOk;
      TC_CHECK(inner_->RenewProducer().ok());
    }
  }
  Status Begin() override { return inner_->Begin(); }
  Status Produce(const OutputRecord& record) override {
    if (mutant_ == Mutant::kCommitRecordSkipped && record.topic.find(".changelog.") != std::string::npos &&
        IsCommitRecordKey(static_cast<Family>(record.key[0]), std::string_view(record.key).substr(1))) {
      return Status::Ok();
    }
    return inner_->Produce(record);
  }
  Status SendOffsets(std::span<const Position> positions) override {
    return inner_->SendOffsets(mutant_ == Mutant::kPositionsNotSent ? std::span<const Position>() : positions);
  }
  void Commit(StateBatch&& state) override {
    if (mutant_ == Mutant::kStateBeforeCommit) TC_CHECK(disk_->Write(state).ok());
    inner_->Commit(std::move(state));
  }
  void Abort() override { inner_->Abort(); }
  bool needs_changelog() const override { return inner_->needs_changelog(); }
  Result<std::unique_ptr<LogReader>> OpenReader(const TopicPartition& source, int64_t from_offset,
                                                bool read_committed) override {
    TC_ASSIGN_OR_RETURN(auto reader, inner_->OpenReader(source, from_offset, read_committed));
    if (mutant_ != Mutant::kRestoreToLastStable) return reader;
    return std::unique_ptr<LogReader>(std::make_unique<EarlyEndReader>(std::move(reader)));
  }
  Status RenewProducer() override { return inner_->RenewProducer(); }

 private:
  const Mutant mutant_;
  std::unique_ptr<LogTransport> inner_;
  std::shared_ptr<Disk> disk_;
};

}  // namespace

std::string_view MutantName(Mutant mutant) {
  switch (mutant) {
    case Mutant::kNone:
      return "none";
    case Mutant::kPositionsNotSent:
      return "positions-not-sent";
    case Mutant::kStateBeforeCommit:
      return "state-before-commit";
    case Mutant::kCommitRecordSkipped:
      return "commit-record-skipped";
    case Mutant::kRestoreToLastStable:
      return "restore-to-last-stable";
    case Mutant::kUnknownIsCommitted:
      return "unknown-is-committed";
    case Mutant::kCount_:
      break;
  }
  return "unknown";
}

std::unique_ptr<LogTransport> Mutate(Mutant mutant, std::unique_ptr<LogTransport> transport,
                                     std::shared_ptr<Disk> disk) {
  if (mutant == Mutant::kNone) return transport;
  return std::make_unique<MutantTransport>(mutant, std::move(transport), std::move(disk));
}

}  // namespace tidecast::simulation
