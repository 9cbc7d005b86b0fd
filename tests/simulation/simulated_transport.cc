#include "tests/simulation/simulated_transport.h"

#include <algorithm>
#include <utility>

#include "tests/simulation/simulated_reader.h"

namespace tidecast::simulation {
namespace {

constexpr int64_t kBeginning = -2;

Status NoSuchPartition(const TopicPartition& source) {
  return Status(Code::kNotFound, fmt::format("there is no such partition: {}[{}]", source.topic, source.partition),
                Domain::kExternal);
}

Status Unreachable() {
  return Status(Code::kUnavailable, "simulated: no broker answers", Domain::kExternal, Retry::kBackoff);
}

Status NoAnswerInTime() {
  return Status(Code::kTimeout, "simulated: no answer came in time", Domain::kExternal, Retry::kBackoff);
}

Status StatusOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk:
      return Status::Ok();
    case Outcome::kAbortable:
      return Status(Code::kAborted, "simulated: the transaction must be aborted", Domain::kExternal);
    case Outcome::kUnknown:
      return Status(Code::kUnavailable, "simulated: nobody knows whether the transaction was committed",
                    Domain::kExternal);
    case Outcome::kFenced:
      return Status(Code::kFenced, "simulated: another process has our identity", Domain::kExternal);
    case Outcome::kFatal:
      return Status(Code::kFatal, "simulated: the producer is dead", Domain::kExternal);
  }
  return Status::Ok();
}

}  // namespace

std::string_view SiteName(Site site) {
  switch (site) {
    case Site::kBegin:
      return "begin";
    case Site::kOutput:
      return "output";
    case Site::kChangelogRow:
      return "changelog_row";
    case Site::kPositions:
      return "positions";
    case Site::kCommit:
      return "commit";
    case Site::kCommitted:
      return "committed";
    case Site::kStateWrite:
      return "state_write";
    case Site::kStateWritten:
      return "state_written";
    case Site::kRestore:
      return "restore";
    case Site::kCount_:
      break;
  }
  return "unknown";
}

Status SimulatedTransport::Open() {
  if (open_) return Status::Ok();
  open_ = true;
  return RenewProducer();
}

// --- the member

Status SimulatedTransport::Join(const std::vector<std::string>& topics) {
  TC_CHECK(reading_ == Reading::kOut, "joined already");
  TC_CHECK(!topics.empty());
  int32_t partitions = 0;
  for (const std::string& topic : topics) {
    const Result<TopicInfo> info = broker_.DescribeTopic(topic);
    if (!info.ok()) return Status(Code::kNoInput, "an input topic is not there: " + topic, Domain::kExternal);
    if (partitions != 0 && info->partitions != partitions) {
      return Status(
          Code::kConfig,
          fmt::format("input topics differ in their number of partitions: {} and {}", partitions, info->partitions),
          Domain::kExternal);
    }
    partitions = info->partitions;
  }
  topics_ = topics;
  topic_partitions_ = partitions;
  incarnation_ = broker_.group().Join(member_, topics, partitions);
  reading_ = Reading::kJoined;
  return Status::Ok();
}

Status SimulatedTransport::StartAt(std::span<const Position> positions) {
  if (reading_ != Reading::kAssigned)
    return Status(Code::kNotReady, "no partitions are assigned that could be started", Domain::kExternal,
                  Retry::kBackoff);
  std::vector<Partition> started;
  for (const Position& position : positions) {
    TC_CHECK(std::find(assigned_.begin(), assigned_.end(), position.source) != assigned_.end(), "{}[{}] is not ours",
             position.source.topic, position.source.partition);
    const PartitionLog* const log = broker_.Find(position.source);
    if (log == nullptr) return NoSuchPartition(position.source);
    const int64_t first = position.next_offset == kBeginning ? log->begin() : position.next_offset;
    if (first < log->begin() || first > log->end()) {
      return Status(Code::kNotFound,
                    fmt::format("an input position lies past the end of {}[{}]: {}", position.source.topic,
                                position.source.partition, first),
                    Domain::kExternal);
    }
    started.push_back({position.source, first});
  }
  partitions_ = std::move(started);
  started_membership_ = assigned_membership_;
  return Status::Ok();
}

Result<std::vector<Position>> SimulatedTransport::CommittedPositions(std::span<const TopicPartition> sources) {
  if (IsDown()) return Unreachable();
  broker_.ExpireTransactions();
  std::vector<Position> positions;
  for (const TopicPartition& source : sources) {
    TC_ASSIGN_OR_RETURN(Position position, broker_.StablePosition(source));
    positions.push_back(std::move(position));
  }
  return positions;
}

void SimulatedTransport::ReleaseRevoked() {
  if (reading_ != Reading::kRevoked) return;
  partitions_.clear();
  assigned_.clear();
  reading_ = Reading::kJoined;
  broker_.group().Release(member_, incarnation_);
}

void SimulatedTransport::Leave() {
  partitions_.clear();
  assigned_.clear();
  reading_ = Reading::kOut;
}

Result<int64_t> SimulatedTransport::EndOffset(const TopicPartition& source) {
  if (IsDown()) return NoAnswerInTime();
  const PartitionLog* const log = broker_.Find(source);
  if (log == nullptr) return NoSuchPartition(source);
  return log->last_stable();
}

void SimulatedTransport::DiscardBelow(std::span<const Position> positions) {
  if (IsDown()) return;
  for (const Position& position : positions) broker_.DiscardBelow(position.source, position.next_offset);
}

std::unique_ptr<RecordBatch> SimulatedTransport::MakeBatch() { return std::make_unique<CopiedBatch>(); }

Result<PollResult> SimulatedTransport::Poll(uint32_t handle, size_t records_max, size_t bytes_max, RecordBatch& out) {
  TC_CHECK(handle < partitions_.size(), "a partition is polled that was not started");
  Partition& partition = partitions_[handle];
  const PartitionLog& log = *broker_.Find(partition.source);
  if (partition.next_offset > log.end()) {
    return Status(Code::kNotFound,
                  fmt::format("an input position lies past the end of {}[{}]: {}", partition.source.topic,
                              partition.source.partition, partition.next_offset),
                  Domain::kExternal);
  }
  const size_t fetched = IsDown() ? 0 : std::min(records_max, wire_.Fetched(partition.source, records_max));
  PollResult result;
  if (fetched > 0) {
    partition.next_offset =
        static_cast<CopiedBatch&>(out).Take(log, partition.next_offset, log.last_stable(), true, fetched, bytes_max);
    result.at_end = partition.next_offset >= log.last_stable();
    result.blocked = result.at_end && log.last_stable() < log.end();
  }
  result.next_offset = partition.next_offset;
  return result;
}

void SimulatedTransport::Step(int wait_ms, std::vector<TransportEvent>* events) {
  const auto drain = [&] {
    if (IsDown() != told_down_) {
      told_down_ = IsDown();
      events->push_back({.kind = told_down_ ? TransportEvent::Kind::kUnreachable : TransportEvent::Kind::kReachable,
                         .status = told_down_ ? Unreachable() : Status::Ok()});
    }
    if (IsDown()) return;
    broker_.ExpireTransactions();
    if (reading_ != Reading::kOut) {
      const size_t first = events->size();
      broker_.group().Heartbeat(member_, incarnation_, events);
      for (size_t i = first; i < events->size(); ++i) {
        const TransportEvent& event = (*events)[i];
        if (event.kind == TransportEvent::Kind::kAssigned) {
          assigned_ = event.partitions;
          assigned_membership_ = {member_, incarnation_, broker_.group().generation()};
          reading_ = Reading::kAssigned;
        } else if (event.kind == TransportEvent::Kind::kRevoked) {
          reading_ = Reading::kRevoked;
        } else if (event.kind == TransportEvent::Kind::kFailed && enters_again_when_fenced) {
          events->erase(events->begin() + static_cast<std::ptrdiff_t>(i));
          incarnation_ = broker_.group().Join(member_, topics_, topic_partitions_);
          RenewProducer().IgnoreWithReason("a mutant does not look");
          break;
        } else {
          assigned_.clear();
          partitions_.clear();
          reading_ = event.kind == TransportEvent::Kind::kLost ? Reading::kJoined : Reading::kOut;
        }
      }
    }
    DriveEnding(events);
  };
  const size_t before = events->size();
  drain();
  if (events->size() > before || wait_ms <= 0) return;
  clock_.Advance(std::chrono::milliseconds(wait_ms));
  drain();
}

// --- the producer

Status SimulatedTransport::RenewProducer() {
  if (IsDown() || wire_.CoordinatorIsGone()) return Unreachable();
  ending_.reset();
  life_ = broker_.InitProducer(transactional_id_);
  producing_ = Producing::kIdle;
  transaction_outcome_ = Outcome::kOk;
  return Status::Ok();
}

Status SimulatedTransport::Begin() {
  TC_CHECK(!in_transaction(), "a transaction is open already");
  if (producing_ == Producing::kDead)
    return Status(Code::kFatal, "the producer is dead and must be renewed", Domain::kExternal);
  wire_.Reach(Site::kBegin);
  producing_ = Producing::kOpen;
  transaction_outcome_ = Outcome::kOk;
  return Status::Ok();
}

// A fence of the producer alone is a dead producer; with the membership gone, too, another process has our identity.
Outcome SimulatedTransport::Judged(Outcome outcome) const {
  if (outcome != Outcome::kFenced) return outcome;
  const bool is_member =
      reading_ != Reading::kOut && broker_.group().Judge({member_, incarnation_, 0}) != Outcome::kFenced;
  return is_member ? Outcome::kFatal : Outcome::kFenced;
}

// As the group has it: who has been put out of it has no member id and no generation, and is let through.
Membership SimulatedTransport::MembershipToSend() const {
  return fetches_membership_late ? broker_.group().Current(member_) : started_membership_;
}

Status SimulatedTransport::Produce(const OutputRecord& record) {
  TC_CHECK(producing_ == Producing::kOpen, "records belong into an open transaction");
  if (IsDown() || wire_.SendQueueIsFull())
    return Status(Code::kWouldBlock, "the send queue is full", Domain::kExternal, Retry::kBackoff);
  wire_.Reach(record.topic.find(".changelog.") == std::string::npos ? Site::kOutput : Site::kChangelogRow);
  Status added = broker_.AddRecord(life_, record);
  if (added.ok() || added.code() == Code::kNotFound) return added;
  // As with the real client: sending is taken in, what became of it comes with the end of the transaction.
  transaction_outcome_ = Judged(added.code() == Code::kFenced ? Outcome::kFenced : Outcome::kAbortable);
  return Status::Ok();
}

Status SimulatedTransport::SendOffsets(std::span<const Position> positions) {
  TC_CHECK(producing_ == Producing::kOpen, "positions belong into an open transaction");
  wire_.Reach(Site::kPositions);
  if (positions.empty() || transaction_outcome_ != Outcome::kOk) return Status::Ok();
  transaction_outcome_ = IsDown() || wire_.CoordinatorIsGone() ? Outcome::kAbortable : wire_.OnPositions();
  if (transaction_outcome_ == Outcome::kOk)
    transaction_outcome_ = Judged(broker_.AddPositions(life_, MembershipToSend(), positions));
  return Status::Ok();
}

void SimulatedTransport::Commit(StateBatch&&) {
  TC_CHECK(producing_ == Producing::kOpen, "there is no open transaction to commit");
  wire_.Reach(Site::kCommit);
  producing_ = Producing::kEnding;
  Ending ending{life_, true, wire_.OnCommit(), false, std::nullopt, 0, clock_.Now()};
  if (transaction_outcome_ != Outcome::kOk) {
    ending.reached = true;
    ending.outcome = transaction_outcome_;
    ending.fate.told = Outcome::kOk;
  } else if (ending.fate.happens && ending.fate.end_delay > Duration{}) {
    ending.ticket = broker_.EndLater(life_, clock_.Now() + ending.fate.end_delay);
  }
  ending_ = std::move(ending);
}

void SimulatedTransport::Abort() {
  TC_CHECK(producing_ != Producing::kEnding, "the transaction is being ended already");
  Ending ending{life_, false, {}, false, std::nullopt, 0, clock_.Now()};
  ending.fate.delay = wire_.AbortDelay();
  if (producing_ == Producing::kDead) {
    ending.reached = true;
    ending.outcome = Outcome::kFatal;
  }
  producing_ = Producing::kEnding;
  ending_ = std::move(ending);
}

void SimulatedTransport::DriveEnding(std::vector<TransportEvent>* events) {
  if (!ending_ || IsDown() || wire_.CoordinatorIsGone()) return;
  Ending& ending = *ending_;
  if (!ending.reached && ending.fate.happens) {
    ending.outcome =
        ending.ticket == 0 ? broker_.EndTransaction(ending.life, ending.commit) : broker_.LateOutcome(ending.ticket);
    ending.reached = ending.outcome.has_value();
    if (ending.reached && ending.fate.again_after)
      broker_.EndLater(ending.life, clock_.Now() + *std::exchange(ending.fate.again_after, std::nullopt));
    if (ending.commit && ending.outcome == Outcome::kOk) {
      wire_.Reach(Site::kCommitted);
      if (const Outcome answer = wire_.OnAnswer(); answer != Outcome::kOk) ending.fate.told = answer;
    }
  }
  if (clock_.Now() - ending.sent < ending.fate.delay) return;
  if (ending.ticket != 0 && !ending.reached && ending.fate.told == Outcome::kOk) return;
  Outcome outcome = Judged(ending.outcome.value_or(Outcome::kOk));
  if (ending.fate.told != Outcome::kOk && outcome == Outcome::kOk) outcome = ending.fate.told;

  const bool commit = ending.commit;
  Status status = StatusOf(outcome);
  if (outcome != Outcome::kOk && ending.fate.code)
    status = Status(*ending.fate.code, status.message(), Domain::kExternal);
  ending_.reset();
  producing_ = outcome == Outcome::kOk                    ? Producing::kIdle
               : commit && outcome == Outcome::kAbortable ? Producing::kOpen
                                                          : Producing::kDead;
  events->push_back({.kind = TransportEvent::Kind::kTransaction, .outcome = outcome, .status = std::move(status)});
}

Result<std::unique_ptr<LogReader>> SimulatedTransport::OpenReader(const TopicPartition& source, int64_t from_offset,
                                                                  bool read_committed) {
  if (IsDown()) return NoAnswerInTime();
  const PartitionLog* const log = broker_.Find(source);
  if (log == nullptr) return NoSuchPartition(source);
  if (from_offset > log->end()) {
    return Status(Code::kNotFound,
                  fmt::format("an offset lies past the end of {}[{}]: {}", source.topic, source.partition, from_offset),
                  Domain::kExternal);
  }
  if (source.topic.find(".changelog.") != std::string::npos) wire_.Reach(Site::kRestore);
  return std::unique_ptr<LogReader>(
      std::make_unique<SimulatedReader>(broker_, clock_, *log, std::max<int64_t>(from_offset, 0), read_committed));
}

}  // namespace tidecast::simulation
