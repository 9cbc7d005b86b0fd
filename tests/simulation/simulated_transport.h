#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/core/clock.h"
#include "engine/io/log_transport.h"
#include "tests/simulation/simulated_broker.h"
#include "tests/simulation/wire.h"

namespace tidecast::simulation {

/// A client of the simulated broker, with the semantics of the real one (engine/io/kafka_*): a static group member, a
/// transactional producer, outcomes by event. Destroying it is a process's death: neither the group nor the coordinator
/// is told. Waiting in Step moves the clock.
/// Thread: confined.
class SimulatedTransport final : public LogTransport {
 public:
  SimulatedTransport(SimulatedBroker& broker, ManualClock& clock, Wire& wire, std::string transactional_id,
                     std::string member)
      : broker_(broker),
        clock_(clock),
        wire_(wire),
        transactional_id_(std::move(transactional_id)),
        member_(std::move(member)) {}

  Status Open() override;
  Result<TopicInfo> DescribeTopic(const std::string& topic) override { return broker_.DescribeTopic(topic); }
  Result<std::vector<TopicInfo>> ListTopics() override { return broker_.ListTopics(); }
  Status CreateTopic(const TopicSpec& spec) override { return broker_.CreateTopic(spec); }

  Status Join(const std::vector<std::string>& topics) override;
  Status StartAt(std::span<const Position> positions) override;
  void ReleaseRevoked() override;
  /// A static member goes without a word: its place is kept until its session is over.
  void Leave() override;
  Result<int64_t> EndOffset(const TopicPartition& source) override;
  void DiscardBelow(std::span<const Position> positions) override;
  Result<std::vector<Position>> CommittedPositions(std::span<const TopicPartition> sources) override;

  std::unique_ptr<RecordBatch> MakeBatch() override;
  Result<PollResult> Poll(uint32_t handle, size_t records_max, size_t bytes_max, RecordBatch& out) override;
  void Step(int wait_ms, std::vector<TransportEvent>* events) override;

  Status Begin() override;
  Status Produce(const OutputRecord& record) override;
  Status SendOffsets(std::span<const Position> positions) override;
  void Commit(StateBatch&& state) override;
  void Abort() override;

  bool needs_changelog() const override { return true; }
  Result<std::unique_ptr<LogReader>> OpenReader(const TopicPartition& source, int64_t from_offset,
                                                bool read_committed) override;
  Status RenewProducer() override;

  // Two ways in which a client can be wrong, for mutants.
  bool fetches_membership_late = false;
  bool enters_again_when_fenced = false;

  /// A transaction is open or being ended.
  bool in_transaction() const { return producing_ == Producing::kOpen || producing_ == Producing::kEnding; }

 private:
  enum class Reading : uint8_t { kOut, kJoined, kAssigned, kRevoked };
  enum class Producing : uint8_t { kIdle, kOpen, kEnding, kDead };
  struct Partition {
    TopicPartition source;
    int64_t next_offset = 0;
  };
  /// The end of a transaction on its way.
  struct Ending {
    ProducerLife life;
    bool commit = true;
    CommitFate fate;
    bool reached = false;            ///< the broker has dealt with it
    std::optional<Outcome> outcome;  ///< of the broker
    uint64_t ticket = 0;             ///< of a commit that takes its time to the broker
    ProcessingTime sent;
  };

  bool IsDown() { return broker_.down || wire_.IsIsolated(); }
  void DriveEnding(std::vector<TransportEvent>* events);
  Outcome Judged(Outcome outcome) const;
  Membership MembershipToSend() const;

  SimulatedBroker& broker_;
  ManualClock& clock_;
  Wire& wire_;
  const std::string transactional_id_;
  const std::string member_;

  bool open_ = false;
  bool told_down_ = false;
  Reading reading_ = Reading::kOut;
  uint64_t incarnation_ = 0;
  std::vector<std::string> topics_;
  int32_t topic_partitions_ = 0;
  std::vector<TopicPartition> assigned_;
  Membership assigned_membership_;
  Membership started_membership_;  ///< as it was at StartAt: what positions are sent under
  std::vector<Partition> partitions_;

  Producing producing_ = Producing::kDead;
  ProducerLife life_;
  Outcome transaction_outcome_ = Outcome::kOk;  ///< of what was sent so far
  std::optional<Ending> ending_;
};

}  // namespace tidecast::simulation
