#include "tests/simulation/simulated_broker.h"

#include <algorithm>

#include "engine/core/hash.h"

namespace tidecast::simulation {
namespace {

Status NoSuchPartition(const std::string& topic, int32_t partition) {
  return Status(Code::kNotFound, fmt::format("there is no such partition: {}[{}]", topic, partition),
                Domain::kExternal);
}

}  // namespace

Status SimulatedBroker::CreateTopic(const TopicSpec& spec) {
  if (const auto known = topics_.find(spec.name); known != topics_.end()) {
    if (known->second.info.partitions == spec.partitions) return Status::Ok();
    return Status(Code::kConfig,
                  fmt::format("a topic has another number of partitions: {} has {}, wanted {}", spec.name,
                              known->second.info.partitions, spec.partitions),
                  Domain::kExternal);
  }
  Topic& topic = topics_[spec.name];
  topic.info = {spec.name, fmt::format("id-{}", next_topic_++), spec.partitions};
  topic.partitions.resize(static_cast<size_t>(spec.partitions));
  for (const auto& [name, value] : spec.config) {
    topic.compacted |= name == "cleanup.policy" && value == "compact";
    if (name == "min.compaction.lag.ms") topic.compaction_lag = std::chrono::milliseconds(std::stoll(value));
  }
  return Status::Ok();
}

Result<TopicInfo> SimulatedBroker::DescribeTopic(const std::string& topic) const {
  const auto known = topics_.find(topic);
  if (known == topics_.end()) return Status(Code::kNotFound, "there is no such topic: " + topic, Domain::kExternal);
  return known->second.info;
}

std::vector<TopicInfo> SimulatedBroker::ListTopics() const {
  std::vector<TopicInfo> all;
  for (const auto& [name, topic] : topics_) all.push_back(topic.info);
  return all;
}

const PartitionLog* SimulatedBroker::Find(const TopicPartition& source) const {
  const auto topic = topics_.find(source.topic);
  if (topic == topics_.end() || source.partition < 0 || source.partition >= topic->second.info.partitions)
    return nullptr;
  return &topic->second.partitions[static_cast<size_t>(source.partition)];
}

void SimulatedBroker::Feed(const std::vector<OutputRecord>& records) {
  for (OutputRecord record : records) {
    Topic& topic = topics_.at(record.topic);
    if (record.partition < 0) record.partition = PartitionOf(record.key, topic.info.partitions);
    if (!record.record_time.IsFinite()) record.record_time = EventTime{clock_.Now().us};
    topic.partitions[static_cast<size_t>(record.partition)].Append(std::move(record), 0);
  }
}

void SimulatedBroker::Compact(const std::string& name, bool trim) {
  const auto topic = topics_.find(name);
  if (topic == topics_.end() || !topic->second.compacted) return;
  for (PartitionLog& log : topic->second.partitions) {
    log.Compact(EventTime{clock_.Now().us - topic->second.compaction_lag.count()});
    if (trim) log.TrimCompacted();
  }
}

void SimulatedBroker::DiscardBelow(const TopicPartition& source, int64_t offset) {
  const auto topic = topics_.find(source.topic);
  if (topic != topics_.end()) topic->second.partitions.at(static_cast<size_t>(source.partition)).DiscardBelow(offset);
}

void SimulatedBroker::Recreate(const std::string& name) {
  Topic& topic = topics_.at(name);
  topic.info.id = fmt::format("id-{}", next_topic_++);
  for (PartitionLog& log : topic.partitions) log = {};
}

void SimulatedBroker::SwapId(const std::string& name) {
  std::string& id = topics_.at(name).info.id;
  if (id.ends_with("'")) {
    id.pop_back();
  } else {
    id += "'";
  }
}

std::vector<const OutputRecord*> SimulatedBroker::Sent(const std::string& id, const TopicPartition& source) const {
  std::vector<const OutputRecord*> sent;
  const auto producer = producers_.find(id);
  const PartitionLog* const log = Find(source);
  if (producer == producers_.end() || log == nullptr) return sent;
  for (int64_t at = log->open_from(producer->second.id); at < log->end(); ++at) {
    if (log->slot(at).producer == producer->second.id) sent.push_back(&log->slot(at).record);
  }
  return sent;
}

void SimulatedBroker::MakeOrphans(const std::string& id) {
  Producer& producer = producers_[id];
  for (auto at = producer.touched.begin(); at != producer.touched.end();) {
    const auto sent = Sent(id, *at);
    const bool has_commit_record = std::any_of(sent.begin(), sent.end(), [](const OutputRecord* record) {
      return std::any_of(record->headers.begin(), record->headers.end(),
                         [](const Header& header) { return header.name == "rows"; });
    });
    if (has_commit_record || at->topic.find(".changelog.") == std::string::npos) {
      ++at;
      continue;
    }
    topics_.at(at->topic).partitions[static_cast<size_t>(at->partition)].End(producer.id, true);
    at = producer.touched.erase(at);
  }
}

void SimulatedBroker::TearTransaction(const std::string& id, bool commit, const TopicFilter& topics, bool positions) {
  Producer& producer = producers_[id];
  if (!producer.open) return;
  for (auto at = producer.touched.begin(); at != producer.touched.end();) {
    if (!topics(at->topic)) {
      ++at;
      continue;
    }
    topics_.at(at->topic).partitions[static_cast<size_t>(at->partition)].End(producer.id, commit);
    at = producer.touched.erase(at);
  }
  if (!positions) return;
  for (const Position& position : producer.positions) {
    if (commit) positions_[position.source] = position;
  }
  producer.positions.clear();
}

std::optional<int64_t> SimulatedBroker::CommittedPosition(const TopicPartition& source) const {
  const auto found = positions_.find(source);
  return found == positions_.end() ? std::nullopt : std::optional(found->second.next_offset);
}

Result<Position> SimulatedBroker::StablePosition(const TopicPartition& source) const {
  for (const auto& [id, producer] : producers_) {
    for (const Position& position : producer.positions) {
      if (position.source == source)
        return Status(Code::kNotReady, "an open transaction holds a position", Domain::kExternal, Retry::kBackoff);
    }
  }
  const auto found = positions_.find(source);
  return found == positions_.end() ? Position{source, -1, {}} : found->second;
}

ProducerLife SimulatedBroker::InitProducer(const std::string& transactional_id) {
  Producer& producer = producers_[transactional_id];
  if (producer.id == 0) producer.id = next_producer_++;
  if (producer.open) End(producer, false);
  producer.expired = false;
  return {transactional_id, ++producer.epoch};
}

SimulatedBroker::Producer* SimulatedBroker::Current(const ProducerLife& life) {
  Producer& producer = producers_[life.transactional_id];
  return producer.epoch == life.epoch ? &producer : nullptr;
}

void SimulatedBroker::Touch(Producer& producer) {
  if (producer.open) return;
  producer.open = true;
  producer.began = clock_.Now();
}

Status SimulatedBroker::AddRecord(const ProducerLife& life, const OutputRecord& record) {
  const auto topic = topics_.find(record.topic);
  if (topic == topics_.end()) return NoSuchPartition(record.topic, record.partition);
  const int32_t count = topic->second.info.partitions;
  const int32_t partition = record.partition == -1 ? PartitionOf(record.key, count) : record.partition;
  if (partition < 0 || partition >= count) return NoSuchPartition(record.topic, partition);
  Producer* const producer = Current(life);
  if (producer == nullptr)
    return Status(Code::kFenced, "a newer producer has this transactional id: " + life.transactional_id,
                  Domain::kExternal);
  if (producer->expired)
    return Status(Code::kAborted, "the coordinator has aborted the transaction: " + life.transactional_id,
                  Domain::kExternal);
  Touch(*producer);
  producer->touched.insert({record.topic, partition});
  OutputRecord kept = record;
  kept.partition = partition;
  if (!kept.record_time.IsFinite()) kept.record_time = EventTime{clock_.Now().us};
  topic->second.partitions[static_cast<size_t>(partition)].Append(std::move(kept), producer->id);
  return Status::Ok();
}

Outcome SimulatedBroker::AddPositions(const ProducerLife& life, const Membership& membership,
                                      std::span<const Position> positions) {
  Producer* const producer = Current(life);
  if (producer == nullptr) return Outcome::kFenced;
  if (producer->expired) return Outcome::kAbortable;
  if (const Outcome judged = group_.Judge(membership); judged != Outcome::kOk) return judged;
  Touch(*producer);
  producer->positions.insert(producer->positions.end(), positions.begin(), positions.end());
  return Outcome::kOk;
}

Outcome SimulatedBroker::EndTransaction(const ProducerLife& life, bool commit) {
  Producer* const producer = Current(life);
  if (producer == nullptr) return Outcome::kFenced;
  if (producer->expired) {
    if (commit) return Outcome::kAbortable;
    producer->expired = false;
    return Outcome::kOk;
  }
  End(*producer, commit);
  return Outcome::kOk;
}

void SimulatedBroker::End(Producer& producer, bool commit) {
  for (const TopicPartition& tp : producer.touched)
    topics_.at(tp.topic).partitions[static_cast<size_t>(tp.partition)].End(producer.id, commit);
  if (commit) {
    for (const Position& position : producer.positions) positions_[position.source] = position;
  }
  producer.touched.clear();
  producer.positions.clear();
  producer.open = false;
}

uint64_t SimulatedBroker::EndLater(const ProducerLife& life, ProcessingTime when) {
  late_ends_.push_back({next_ticket_, life, when});
  return next_ticket_++;
}

std::optional<Outcome> SimulatedBroker::LateOutcome(uint64_t ticket) const {
  const auto found = late_outcomes_.find(ticket);
  return found == late_outcomes_.end() ? std::nullopt : std::optional(found->second);
}

void SimulatedBroker::ExpireNow(const std::string& transactional_id) {
  Producer& producer = producers_[transactional_id];
  if (!producer.open) return;
  End(producer, false);
  producer.expired = true;
}

void SimulatedBroker::ExpireTransactions() {
  for (auto late = late_ends_.begin(); late != late_ends_.end();) {
    if (late->when > clock_.Now()) {
      ++late;
      continue;
    }
    late_outcomes_[late->ticket] = EndTransaction(late->life, true);  // fenced by a newer life: nothing happens
    late = late_ends_.erase(late);
  }
  for (auto& [id, producer] : producers_) {
    // Other people's producers have timeouts of their own; a test ends them when it likes.
    if (id == "foreigner" || !producer.open || clock_.Now() - producer.began <= transaction_timeout) continue;
    End(producer, false);
    producer.expired = true;
  }
}

}  // namespace tidecast::simulation
