#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/core/clock.h"
#include "engine/io/log_transport.h"
#include "tests/simulation/partition_log.h"
#include "tests/simulation/simulated_group.h"

namespace tidecast::simulation {

/// One life of a transactional id. A newer life fences the older ones.
struct ProducerLife {
  std::string transactional_id;
  uint64_t epoch = 0;
};

/// A Kafka cluster in memory: topics, the transaction coordinator and one consumer group. It answers at once; what
/// takes time and what goes wrong on the way is the client's matter (SimulatedTransport). Thread: confined.
class SimulatedBroker {
 public:
  explicit SimulatedBroker(const Clock& clock) : clock_(clock), group_(clock) {}

  Duration transaction_timeout = std::chrono::seconds(15);

  Status CreateTopic(const TopicSpec& spec);
  Result<TopicInfo> DescribeTopic(const std::string& topic) const;
  std::vector<TopicInfo> ListTopics() const;
  /// Null when it is not there.
  const PartitionLog* Find(const TopicPartition& source) const;
  /// Writes records outside of transactions.  REQUIRES: their topics and partitions are there.
  void Feed(const std::vector<OutputRecord>& records);
  /// Runs the log cleaner on a compacted topic, as its min.compaction.lag.ms allows; `trim`: the logs then begin at
  /// what is left.
  void Compact(const std::string& topic, bool trim = false);
  void DiscardBelow(const TopicPartition& source, int64_t offset);
  /// Deletes the topic and makes it anew, empty, under another id.
  void Recreate(const std::string& topic);
  /// What somebody does by hand (kafka-consumer-groups --reset-offsets).
  void SetPosition(const TopicPartition& source, int64_t next_offset) {
    positions_[source] = {source, next_offset, {}};
  }

  /// Puts back what was there before SetPosition, its note included.
  void RestorePosition(const Position& position) { positions_[position.source] = position; }
  /// Gives the topic another id, as if it had been made anew, or the old one back.
  void SwapId(const std::string& topic);

  /// While it is down nothing is answered. Logs and transactions are on disk: a kill -9 takes nothing.
  bool down = false;

  /// A late copy of an EndTxn arrives in the middle of the id's open transaction, which tears it: what was sent so far
  /// to these topics is committed or aborted now, the rest is decided later. `positions`: those, too.
  using TopicFilter = std::function<bool(const std::string& topic)>;
  void TearTransaction(const std::string& transactional_id, bool commit, const TopicFilter& topics, bool positions);
  /// What the id's open transaction has sent to a partition so far.
  std::vector<const OutputRecord*> Sent(const std::string& transactional_id, const TopicPartition& source) const;
  /// The same for changelog partitions to which no commit record was sent yet: their rows become orphans.
  void MakeOrphans(const std::string& transactional_id);

  SimulatedGroup& group() { return group_; }
  std::optional<int64_t> CommittedPosition(const TopicPartition& source) const;
  /// As a fetch with require_stable finds it: kNotReady while an open transaction holds a position of the partition.
  Result<Position> StablePosition(const TopicPartition& source) const;
  /// As it lies there now, whatever is on its way. Null when there is none.
  const Position* FindPosition(const TopicPartition& source) const {
    const auto found = positions_.find(source);
    return found == positions_.end() ? nullptr : &found->second;
  }

  /// A new life for the id: what an older one has left open is aborted.
  ProducerLife InitProducer(const std::string& transactional_id);
  /// Errors: kFenced (a newer life), kNotFound (no such partition).
  Status AddRecord(const ProducerLife& life, const OutputRecord& record);
  Outcome AddPositions(const ProducerLife& life, const Membership& membership, std::span<const Position> positions);
  /// Errors by outcome: kFenced (a newer life), kAbortable (the transaction was expired).
  Outcome EndTransaction(const ProducerLife& life, bool commit);
  /// A commit on its way: it arrives at `when`, whatever has become of its client by then. Returns a ticket.
  uint64_t EndLater(const ProducerLife& life, ProcessingTime when);
  /// What came of it; nothing while it is on its way.
  std::optional<Outcome> LateOutcome(uint64_t ticket) const;
  /// The coordinator gives the id's open transaction up before its time.
  void ExpireNow(const std::string& transactional_id);
  /// What the coordinator does by itself: takes in delayed commits, aborts transactions that are open for too long.
  void ExpireTransactions();

 private:
  struct Producer {
    ProducerId id = 0;
    uint64_t epoch = 0;
    bool open = false;
    bool expired = false;  ///< its transaction was aborted by the coordinator
    ProcessingTime began;
    std::set<TopicPartition> touched;
    std::vector<Position> positions;
  };
  struct Topic {
    TopicInfo info;
    bool compacted = false;
    Duration compaction_lag{};
    std::vector<PartitionLog> partitions;
  };
  Producer* Current(const ProducerLife& life);
  void End(Producer& producer, bool commit);
  void Touch(Producer& producer);

  const Clock& clock_;
  SimulatedGroup group_;
  std::map<std::string, Topic> topics_;
  std::map<std::string, Producer> producers_;
  std::map<TopicPartition, Position> positions_;
  struct LateEnd {
    uint64_t ticket = 0;
    ProducerLife life;
    ProcessingTime when;
  };
  std::vector<LateEnd> late_ends_;
  std::map<uint64_t, Outcome> late_outcomes_;
  uint64_t next_ticket_ = 1;
  ProducerId next_producer_ = 1;
  int64_t next_topic_ = 1;
};

}  // namespace tidecast::simulation
