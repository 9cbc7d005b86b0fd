#include "engine/io/kafka_member.h"

#include <algorithm>
#include <array>

#include "engine/io/kafka_errors.h"

namespace tidecast {
namespace {

constexpr int64_t kBeginning = RD_KAFKA_OFFSET_BEGINNING;  // -2, as in the contract
constexpr int kSettleMs = 200;
constexpr size_t kTakeAtOnce = 1024;
constexpr int kCommittedMs = 1000;
constexpr std::chrono::milliseconds kWakeEvery{10};

std::vector<TopicPartition> ListOf(const rd_kafka_topic_partition_list_t& partitions) {
  std::vector<TopicPartition> list;
  for (int i = 0; i < partitions.cnt; ++i) list.push_back({partitions.elems[i].topic, partitions.elems[i].partition});
  return list;
}

bool EndsReading(Code code) {
  return code == Code::kNotFound || code == Code::kPermission || code == Code::kCorruption;
}

}  // namespace

Status KafkaMember::Join(const std::vector<std::string>& topics) {
  TC_CHECK(state_ == State::kOut, "joined already");
  TC_CHECK(!topics.empty());
  std::string first;
  int32_t first_count = 0;
  int64_t partitions = 0;
  for (const std::string& topic : topics) {
    Result<TopicInfo> info = admin_.DescribeTopic(topic);
    if (!info.ok() && info.status().code() == Code::kNotFound) {
      return Status(Code::kNoInput, fmt::format("an input topic is not there: {}", topic), Domain::kExternal)
          .WithRemedy("create it, or correct its name under `inputs`");
    }
    if (!info.ok()) return std::move(info).status();
    partitions += info->partitions;
    if (first.empty()) {
      first = topic;
      first_count = info->partitions;
    } else if (info->partitions != first_count) {
      return Status(Code::kConfig,
                    fmt::format("input topics differ in their number of partitions: {} has {}, {} has {}", first,
                                first_count, topic, info->partitions),
                    Domain::kExternal)
          .WithRemedy("one series' events must meet in one task: give the topics the same number and the same key");
    }
  }
  // All of them may become ours.
  KafkaTransportOptions options = options_;
  options.fetch_queue_bytes_max = fetch_queue_bytes_ = FetchQueueBytes(options_, partitions);
  TC_ASSIGN_OR_RETURN(KafkaConf conf, MakeKafkaConf(options, KafkaRole::kMember));
  const auto on_rebalance = [this](rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* ours) {
    OnRebalance(error, *ours);
  };
  TC_ASSIGN_OR_RETURN(client_, MakeKafkaClient(std::move(conf), KafkaRole::kMember,
                                               {log_, on_error_, on_rebalance, options_.fetch_queue_bytes}));
  rd_kafka_poll_set_consumer(client_.get());
  group_queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
  wakeup_.Watch(group_queue_.get());
  const KafkaPartitionList wanted(rd_kafka_topic_partition_list_new(static_cast<int>(topics.size())));
  for (const std::string& topic : topics) {
    rd_kafka_topic_partition_list_add(wanted.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  if (const auto error = rd_kafka_subscribe(client_.get(), wanted.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return KafkaStatus(error, "the group cannot be joined");
  }
  state_ = State::kJoined;
  return Status::Ok();
}

void KafkaMember::OnRebalance(rd_kafka_resp_err_t error, const rd_kafka_topic_partition_list_t& partitions) {
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    assigned_ = ListOf(partitions);
    rd_kafka_consumer_group_metadata_t* metadata = rd_kafka_consumer_group_metadata(client_.get());
    assigned_membership_ = KafkaGroupMetadata(metadata, KafkaDelete());
    state_ = State::kAssigned;
    if (assigned_.empty()) rd_kafka_assign(client_.get(), &partitions);  // nothing to start, so nothing to wait for
    events_.push_back({.kind = TransportEvent::Kind::kAssigned, .partitions = assigned_});
    return;
  }
  const bool lost = rd_kafka_assignment_lost(client_.get()) != 0 || error != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS;
  if (lost || assigned_.empty()) return Lose();
  state_ = State::kRevoked;
  events_.push_back({.kind = TransportEvent::Kind::kRevoked, .partitions = assigned_});
}

void KafkaMember::Lose() {
  StopPartitions();
  rd_kafka_assign(client_.get(), nullptr);
  if (!assigned_.empty()) events_.push_back({.kind = TransportEvent::Kind::kLost, .partitions = assigned_});
  assigned_.clear();
  if (state_ != State::kFailed) state_ = State::kJoined;
}

void KafkaMember::StopPartitions() {
  for (Partition& partition : partitions_) {
    if (partition.queue) KafkaWakeup::Forget(partition.queue.get());
  }
  partitions_.clear();
}

Status KafkaMember::CheckStart(const Position& position, bool* brokers_answer, int64_t* first_offset) {
  *first_offset = std::max<int64_t>(position.next_offset, 0);
  // Without an answer the fetch itself will tell (auto.offset.reset=error).
  if (!*brokers_answer) return Status::Ok();
  const Result<KafkaBounds> bounds = admin_.Bounds(position.source);
  if (bounds.status().code() == Code::kNotFound) return bounds.status();
  *brokers_answer = bounds.ok();
  if (!bounds.ok()) return Status::Ok();
  if (position.next_offset == kBeginning) {
    *first_offset = bounds->begin;
    return Status::Ok();
  }
  if (position.next_offset >= bounds->begin && position.next_offset <= bounds->end) return Status::Ok();
  const bool below = position.next_offset < bounds->begin;
  return Status(Code::kNotFound,
                fmt::format("an input position lies {} {}[{}]: {}, the log holds {} to {}",
                            below ? "below the first record of" : "past the end of", position.source.topic,
                            position.source.partition, position.next_offset, bounds->begin, bounds->end),
                Domain::kExternal)
      .WithRemedy(below ? "its retention was shorter than our absence; `tidecast state reset` starts from what is there"
                        : "the topic was made anew or cut; `tidecast state reset` starts from what it holds now");
}

Result<std::vector<Position>> KafkaMember::CommittedPositions(std::span<const TopicPartition> sources) const {
  std::vector<Position> positions;
  if (sources.empty()) return positions;
  TC_CHECK(client_ != nullptr, "committed positions are asked for before the group was joined");
  const KafkaPartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(sources.size())));
  for (const TopicPartition& source : sources)
    rd_kafka_topic_partition_list_add(list.get(), source.topic.c_str(), source.partition);
  // A read_committed consumer asks for stable positions: while a transaction that moves them is open, librdkafka asks
  // again until the time is over.
  auto error = rd_kafka_committed(client_.get(), list.get(), kCommittedMs);
  for (int i = 0; i < list->cnt && error == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) error = list->elems[i].err;
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const Status status = KafkaStatus(error, "the group's committed positions cannot be read yet");
    if (status.code() == Code::kPermission) return status;
    return Status(Code::kNotReady, status.message(), Domain::kExternal, Retry::kBackoff);
  }
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& found = list->elems[i];
    std::string note(static_cast<const char*>(found.metadata), found.metadata == nullptr ? 0 : found.metadata_size);
    positions.push_back({{found.topic, found.partition}, found.offset < 0 ? -1 : found.offset, std::move(note)});
  }
  return positions;
}

Status KafkaMember::StartAt(std::span<const Position> positions) {
  if (state_ != State::kAssigned) {
    return Status(Code::kNotReady, "no partitions are assigned that could be started", Domain::kExternal,
                  Retry::kBackoff);
  }
  std::vector<int64_t> first_offsets(positions.size());
  bool brokers_answer = true;
  for (size_t i = 0; i < positions.size(); ++i) {
    TC_CHECK(std::find(assigned_.begin(), assigned_.end(), positions[i].source) != assigned_.end(),
             "{}[{}] is not ours", positions[i].source.topic, positions[i].source.partition);
    TC_RETURN_IF_ERROR(CheckStart(positions[i], &brokers_answer, &first_offsets[i]));
  }
  StopPartitions();
  const KafkaPartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (size_t i = 0; i < positions.size(); ++i) {
    const TopicPartition& source = positions[i].source;
    rd_kafka_topic_partition_list_add(list.get(), source.topic.c_str(), source.partition)->offset = first_offsets[i];
    Partition partition{.source = source, .next_offset = first_offsets[i]};
    partition.queue.reset(rd_kafka_queue_get_partition(client_.get(), source.topic.c_str(), source.partition));
    TC_CHECK(partition.queue != nullptr);
    // Apart from the group's queue, before anything is fetched into it.
    rd_kafka_queue_forward(partition.queue.get(), nullptr);
    wakeup_.Watch(partition.queue.get());
    partitions_.push_back(std::move(partition));
  }
  // Returns after the old fetches were called off: what they still bring is told apart by librdkafka and dropped.
  if (const auto error = rd_kafka_assign(client_.get(), list.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return KafkaStatus(error, "the assigned partitions cannot be started");
  }
  started_membership_ = assigned_membership_;
  return Status::Ok();
}

void KafkaMember::ReleaseRevoked() {
  if (state_ != State::kRevoked) return;
  StopPartitions();
  assigned_.clear();
  state_ = State::kJoined;
  rd_kafka_assign(client_.get(), nullptr);
}

void KafkaMember::Leave() {
  if (!client_) return;
  StopPartitions();
  if (group_queue_) KafkaWakeup::Forget(group_queue_.get());
  group_queue_.reset();
  client_.reset();
  assigned_.clear();
  events_.clear();
  state_ = State::kOut;
}

bool KafkaMember::TakeNext(Partition& partition, size_t records_max, size_t bytes_max, size_t* bytes,
                           KafkaRecordBatch& out, Status* failure) {
  if (partition.next_waiting == partition.waiting.size()) {
    partition.waiting.clear();
    partition.next_waiting = 0;
    TakeKafkaMessages(partition.queue.get(), std::min(kTakeAtOnce, records_max - out.size()), 0, &partition.waiting);
    if (partition.waiting.empty()) return false;
  }
  KafkaMessage& waiting = partition.waiting[partition.next_waiting];
  const rd_kafka_message_t& next = *waiting;
  if (next.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (next.offset < partition.next_offset) {
      ++repeated_records_;
    } else {
      const size_t size = KafkaMessageBytes(next);
      if (out.size() > 0 && *bytes + size > bytes_max) return false;
      *bytes += size;
      partition.bytes_taken += std::max(size, kQueuedRecordLeast);
      partition.next_offset = next.offset + 1;
      partition.end_seen = -1;
      out.Add(std::move(waiting));
    }
  } else if (next.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    // Its offset is past the markers, too.
    partition.next_offset = std::max(partition.next_offset, next.offset);
    partition.end_seen = partition.next_offset;
    partition.end_doubted = false;
    partition.bytes_taken = 0;
  } else {
    Status status = KafkaStatus(next.err, fmt::format("{}[{}] cannot be read ({})", partition.source.topic,
                                                      partition.source.partition, rd_kafka_message_errstr(&next)));
    if (EndsReading(status.code())) {
      if (out.size() == 0) {
        *failure = std::move(status);
        ++partition.next_waiting;
      }
      return false;  // told by the next poll, after the records before it
    }
    log_->Write(KafkaLogLevel::kWarning, "POLL", status.message());
  }
  ++partition.next_waiting;
  return true;
}

bool KafkaMember::HidesRecords(const Partition& partition) const {
  int64_t low = 0;
  int64_t high = 0;
  // From memory, as the last fetch told it: the high watermark, whatever the isolation level.
  const auto error = rd_kafka_get_watermark_offsets(client_.get(), partition.source.topic.c_str(),
                                                    partition.source.partition, &low, &high);
  return error == RD_KAFKA_RESP_ERR_NO_ERROR && high > partition.next_offset;
}

void KafkaMember::DoubtEnds() {
  for (Partition& partition : partitions_) partition.end_doubted = true;
}

// PARTITION_EOF comes once an offset, so it does not come again by itself.
void KafkaMember::SettleEnds() {
  for (Partition& partition : partitions_) {
    if (!partition.end_doubted) continue;
    int64_t low = 0, end = 0;
    const auto error = rd_kafka_query_watermark_offsets(client_.get(), partition.source.topic.c_str(),
                                                        partition.source.partition, &low, &end, kSettleMs);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    partition.end_doubted = false;
    if (end > partition.next_offset) partition.end_seen = -1;
  }
}

Result<PollResult> KafkaMember::Poll(uint32_t handle, size_t records_max, size_t bytes_max, RecordBatch& out) {
  TC_CHECK_LT(handle, partitions_.size(), "no such started partition");
  auto& batch = static_cast<KafkaRecordBatch&>(out);
  batch.Reset(client_);
  Partition& partition = partitions_[handle];
  size_t bytes = 0;
  Status failure;
  while (batch.size() < records_max && TakeNext(partition, records_max, bytes_max, &bytes, batch, &failure)) {
  }
  if (!failure.ok()) return failure;
  PollResult result{.next_offset = partition.next_offset};
  if (partition.next_waiting == partition.waiting.size() && partition.end_seen == partition.next_offset &&
      !partition.end_doubted) {
    result.blocked = HidesRecords(partition);
    result.at_end = !result.blocked;
  }
  return result;
}

// Once all queues are full, librdkafka's thread looks up to a second later whether there is room again (its issue
// 2879); a request to the leader wakes it. This one is given no time, so that its answer is dropped when it comes.
void KafkaMember::WakeFetching() {
  const auto now = std::chrono::steady_clock::now();
  if (now - woken_ < kWakeEvery) return;
  KafkaPartitionList list(rd_kafka_topic_partition_list_new(0));
  for (Partition& partition : partitions_) {
    if (partition.bytes_taken < fetch_queue_bytes_ / 2) continue;
    partition.bytes_taken = 0;
    rd_kafka_topic_partition_list_add(list.get(), partition.source.topic.c_str(), partition.source.partition);
  }
  if (list->cnt == 0) return;
  woken_ = now;
  WakeKafkaFetching(client_.get(), std::move(list));
}

void KafkaMember::Drain(std::vector<TransportEvent>* events) {
  if (!client_) return;
  WakeFetching();
  while (const KafkaMessage message{rd_kafka_consumer_poll(client_.get(), 0)}) {
    // Partitions have queues of their own: here come the group's errors alone.
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) continue;
    Status status = KafkaStatus(message->err, fmt::format("the group {} cannot be joined ({})", KafkaGroup(options_),
                                                          rd_kafka_message_errstr(message.get())));
    if (status.code() == Code::kPermission && state_ != State::kFailed) {
      // librdkafka would ask for ever.
      state_ = State::kFailed;
      events_.push_back({.kind = TransportEvent::Kind::kFailed, .partitions = assigned_, .status = std::move(status)});
    } else {
      log_->Write(KafkaLogLevel::kWarning, "GROUP", status.message());
    }
  }
  if (state_ == State::kRevoked && rd_kafka_assignment_lost(client_.get()) != 0) Lose();
  std::array<char, 256> why{};
  const auto fatal = rd_kafka_fatal_error(client_.get(), why.data(), why.size());
  if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR && state_ != State::kFailed) {
    state_ = State::kFailed;
    Status status(Code::kFatal, fmt::format("the group membership is over: {}", why.data()), Domain::kExternal);
    if (fatal == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
      status = Status(Code::kFenced,
                      fmt::format("another process has joined the group as our instance: {}", options_.instance),
                      Domain::kExternal)
                   .WithRemedy("give each process its own instance id, and end the other one");
    }
    events_.push_back({.kind = TransportEvent::Kind::kFailed, .partitions = assigned_, .status = std::move(status)});
  }
  for (TransportEvent& event : events_) events->push_back(std::move(event));
  events_.clear();
}

}  // namespace tidecast
