#include "tests/simulation/mutants.h"

#include <set>
#include <utility>

#include "engine/runtime/changelog_format.h"
#include "tests/simulation/simulated_transport.h"

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

Mutant turned_on = Mutant::kNone;
bool sources_have_switches = false;
std::set<Mutant>& MissingMutants() {
  static std::set<Mutant> missing;
  return missing;
}

class MutantTransport final : public LogTransport {
 public:
  MutantTransport(Mutant mutant, std::unique_ptr<LogTransport> inner, std::shared_ptr<Disk> disk,
                  SimulatedBroker& broker)
      : mutant_(mutant), inner_(std::move(inner)), disk_(std::move(disk)), broker_(broker) {
    auto& simulated = static_cast<SimulatedTransport&>(*inner_);
    simulated.fetches_membership_late = mutant == Mutant::kMembershipFetchedLate;
    simulated.enters_again_when_fenced = mutant == Mutant::kNewClientOnFence;
  }

  Status Open() override { return inner_->Open(); }
  Result<TopicInfo> DescribeTopic(const std::string& topic) override { return inner_->DescribeTopic(topic); }
  Result<std::vector<TopicInfo>> ListTopics() override { return inner_->ListTopics(); }
  Status CreateTopic(const TopicSpec& spec) override { return inner_->CreateTopic(spec); }
  Status Join(const std::vector<std::string>& topics) override { return inner_->Join(topics); }
  Status StartAt(std::span<const Position> positions) override { return inner_->StartAt(positions); }
  void ReleaseRevoked() override { inner_->ReleaseRevoked(); }
  void DiscardBelow(std::span<const Position> positions) override { inner_->DiscardBelow(positions); }
  void Leave() override { inner_->Leave(); }
  Result<int64_t> EndOffset(const TopicPartition& source) override { return inner_->EndOffset(source); }
  Result<std::vector<Position>> CommittedPositions(std::span<const TopicPartition> sources) override {
    return inner_->CommittedPositions(sources);
  }
  std::unique_ptr<RecordBatch> MakeBatch() override { return inner_->MakeBatch(); }
  Result<PollResult> Poll(uint32_t handle, size_t records_max, size_t bytes_max, RecordBatch& out) override {
    Result<PollResult> result = inner_->Poll(handle, records_max, bytes_max, out);
    if (mutant_ == Mutant::kIdleByPosition && result.ok()) result->blocked = false;
    return result;
  }
  void Step(int wait_ms, std::vector<TransportEvent>* events) override {
    inner_->Step(wait_ms, events);
    for (TransportEvent& event : *events) {
      if (event.kind == TransportEvent::Kind::kTransaction && event.outcome == Outcome::kOk) {
        for (const Position& position : positions_) broker_.RestorePosition(position);
      }
      if (event.kind == TransportEvent::Kind::kTransaction) positions_.clear();
      if (mutant_ != Mutant::kUnknownIsCommitted) continue;
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
    if (mutant_ == Mutant::kPositionsNotSent) return inner_->SendOffsets({});
    if (mutant_ != Mutant::kPositionsOutside) return inner_->SendOffsets(positions);
    positions_.assign(positions.begin(), positions.end());
    return inner_->SendOffsets({});
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
  SimulatedBroker& broker_;
  std::vector<Position> positions_;  ///< to be committed after the transaction
};

}  // namespace

std::string_view MutantName(Mutant mutant) {
  switch (mutant) {
    case Mutant::kNone:
      return "none";
    case Mutant::kCommitRecordSkipped:
      return "commit-record-skipped";
    case Mutant::kStateBeforeCommit:
      return "state-before-commit";
    case Mutant::kPositionsNotSent:
      return "positions-not-sent";
    case Mutant::kPositionsOutside:
      return "positions-outside";
    case Mutant::kMembershipFetchedLate:
      return "membership-fetched-late";
    case Mutant::kRestoreToLastStable:
      return "restore-to-last-stable";
    case Mutant::kUnknownIsCommitted:
      return "unknown-is-committed";
    case Mutant::kNewClientOnFence:
      return "new-client-on-fence";
    case Mutant::kIdleByPosition:
      return "idle-by-position";
    case Mutant::kNextEpochKept:
      return "next-epoch-kept";
    case Mutant::kCacheNotReloaded:
      return "cache-not-reloaded";
    case Mutant::kWatermarkNotRestored:
      return "watermark-not-restored";
    case Mutant::kOrphansApplied:
      return "orphans-applied";
    case Mutant::kModelOutsideTheCut:
      return "model-outside-the-cut";
    case Mutant::kSeqReused:
      return "seq-reused";
    case Mutant::kDeltasOutdoBlocks:
      return "deltas-outdo-blocks";
    case Mutant::kCount_:
      break;
  }
  return "unknown";
}

std::unique_ptr<LogTransport> Mutate(Mutant mutant, std::unique_ptr<LogTransport> transport, std::shared_ptr<Disk> disk,
                                     SimulatedBroker& broker) {
  if (mutant == Mutant::kNone || mutant >= kFirstInSources) return transport;
  return std::make_unique<MutantTransport>(mutant, std::move(transport), std::move(disk), broker);
}

void TurnOn(Mutant mutant) { turned_on = mutant; }
bool IsOn(Mutant mutant) { return turned_on == mutant; }
bool MutantIsMissing(Mutant mutant) { return MissingMutants().insert(mutant).second || true; }
bool HasMutant(Mutant mutant) {
  return mutant < kFirstInSources || (sources_have_switches && !MissingMutants().contains(mutant));
}
void SourcesHaveSwitches() { sources_have_switches = true; }

}  // namespace tidecast::simulation
