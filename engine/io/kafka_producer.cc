#include "engine/io/kafka_producer.h"

#include <algorithm>
#include <array>

#include "engine/core/hash.h"

namespace tidecast {
namespace {

using SteadyClock = std::chrono::steady_clock;

// librdkafka's calls can be resumed: pieces of this length keep an end of the process from waiting longer.
constexpr int kCallMs = 5000;
constexpr std::chrono::milliseconds kPause{20};
// After so long without an answer a transaction's outcome is called unknown.
constexpr std::chrono::minutes kPatience{5};
// Two heartbeats (heartbeat.interval.ms is 1000) and some.
constexpr std::chrono::milliseconds kFenceWait{2500};
constexpr int kMetadataMs = 1000;
constexpr std::chrono::milliseconds kRenewMs{500};
constexpr int64_t kInitMs = 100;
constexpr int kInitsAnew = 10;
// Records of one partition in a row that are handed over at once; a call of its own costs more than it saves for fewer.
constexpr size_t kRunLeast = 4;
constexpr size_t kRunMax = 512;

std::string_view Words(TransactionStep step) {
  switch (step) {
    case TransactionStep::kInit:
      return "the transactional producer cannot start";
    case TransactionStep::kBegin:
      return "a transaction cannot begin";
    case TransactionStep::kProduce:
      return "a record cannot be produced";
    case TransactionStep::kSendOffsets:
      return "input positions cannot be put into the transaction";
    case TransactionStep::kCommit:
      return "the transaction was not committed";
    case TransactionStep::kAbort:
      return "the transaction was not aborted";
  }
  return "";
}

Result<KafkaHeaders> MakeHeaders(std::span<const HeaderView> headers) {
  KafkaHeaders made(rd_kafka_headers_new(headers.size()));
  for (const HeaderView& header : headers) {
    const auto error = rd_kafka_header_add(made.get(), header.name.data(), static_cast<ssize_t>(header.name.size()),
                                           header.value.data(), static_cast<ssize_t>(header.value.size()));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
      return KafkaStatus(error, fmt::format("header {} is refused", header.name));
  }
  return made;
}

/// An empty value is not a tombstone: librdkafka tells them by the pointer.
void* ValueBytes(const RecordView& record) {
  return const_cast<char*>(record.value.empty() ? "" : record.value.data());
}

Status TooLarge(const RecordView& record) {
  return Status(Code::kInvalidArgument,
                fmt::format("a record is larger than may be produced: {} bytes to {}", record.key.size() + record.value.size(), record.topic),
                Domain::kExternal)
      .WithRemedy("raise kafka.message.max.bytes and the topic's max.message.bytes");
}

}  // namespace

KafkaProducer::KafkaProducer(const KafkaTransportOptions& options, std::shared_ptr<KafkaLog> log,
                             std::function<void()> wake,
                             std::function<void(rd_kafka_resp_err_t, std::string_view)> on_error)
    : options_(options), log_(std::move(log)), wake_(std::move(wake)), on_error_(std::move(on_error)) {
  worker_ = std::thread([this] { RunJobs(); });
}

KafkaProducer::~KafkaProducer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  worker_.join();
  last_topic_ = nullptr;
  topics_.clear();
  if (client_)
    rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

Status KafkaProducer::Open() { return Open(options_.open_timeout); }

Status KafkaProducer::Open(std::chrono::milliseconds timeout) {
  if (!client_) TC_RETURN_IF_ERROR(MakeClient());
  return initialised_ ? Status::Ok() : Init(timeout);
}

Status KafkaProducer::MakeClient() {
  pids_refused_before_ = signs_->pids_refused.load();
  TC_ASSIGN_OR_RETURN(KafkaConf conf, MakeKafkaConf(options_, KafkaRole::kProducer));
  TC_ASSIGN_OR_RETURN(client_, MakeKafkaClient(std::move(conf), KafkaRole::kProducer,
                                               {log_, on_error_, {}, options_.send_queue_bytes, signs_}));
  return Status::Ok();
}

// What a dead self left open is aborted first, and meanwhile the brokers put us off. librdkafka then asks again after half
// a second, come what may; a new client asks at once.
Status KafkaProducer::Init(std::chrono::milliseconds timeout) {
  const auto end = SteadyClock::now() + timeout;
  for (int anew = 0;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - SteadyClock::now()).count();
    const int piece = static_cast<int>(std::max<int64_t>(1, anew < kInitsAnew ? std::min(left, kInitMs) : left));
    const KafkaError error(rd_kafka_init_transactions(client_.get(), piece));
    if (!error) {
      initialised_ = true;
      state_ = State::kIdle;
      return Status::Ok();
    }
    if (!rd_kafka_error_is_retriable(error.get())) {
      Status status = KafkaStatus(*error, Words(TransactionStep::kInit));
      client_.reset();  // the next try takes a new one
      return status;
    }
    if (SteadyClock::now() >= end) return UnreachableStatus(options_, rd_kafka_error_string(error.get()));
    const bool is_refused = anew < kInitsAnew && signs_->pids_refused.load() != pids_refused_before_;
    if (is_refused || rd_kafka_error_code(error.get()) != RD_KAFKA_RESP_ERR__TIMED_OUT)
      std::this_thread::sleep_for(kPause);
    if (is_refused) {
      ++anew;
      log_->Write(KafkaLogLevel::kInfo, "TXNINIT", "put off while a transaction ends: a new producer client asks again");
      client_.reset();
      TC_RETURN_IF_ERROR(MakeClient());
    }
  }
}

Status KafkaProducer::Renew() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return jobs_.empty() && !busy_; });
    ended_.clear();
    doubted_ = false;
  }
  if (client_ && initialised_) {
    last_topic_ = nullptr;
    topics_.clear();
    rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    client_.reset();
  }
  initialised_ = false;
  state_ = State::kDead;
  offsets_outcome_ = Outcome::kOk;
  Status renewed = Open(std::min(kRenewMs, options_.open_timeout));
  const bool is_refused = renewed.code() == Code::kFenced || renewed.code() == Code::kPermission;
  if (renewed.ok() || is_refused || renewed.retry() == Retry::kBackoff) return renewed;
  // A client that died of this is gone, and the next one may fare better.
  return Status(Code::kUnavailable, renewed.message(), Domain::kExternal, Retry::kBackoff);
}

Status KafkaProducer::Begin() {
  TC_CHECK(state_ != State::kOpen && state_ != State::kEnding, "a transaction is open already");
  if (state_ == State::kDoubted) {
    log_->Write(KafkaLogLevel::kInfo, "TXNEND",
                "a connection broke while a transaction ended: the next one begins with a new producer epoch, so that "
                "no late copy of that end can tear it");
    TC_RETURN_IF_ERROR(Renew());
  }
  if (state_ == State::kDead)
    return Status(Code::kFatal, "the producer is dead and must be renewed", Domain::kExternal);
  const KafkaError error(rd_kafka_begin_transaction(client_.get()));
  if (error) {
    if (rd_kafka_error_is_fatal(error.get())) state_ = State::kDead;
    return KafkaStatus(*error, Words(TransactionStep::kBegin));
  }
  state_ = State::kOpen;
  offsets_outcome_ = Outcome::kOk;
  offsets_status_ = Status::Ok();
  return Status::Ok();
}

Result<KafkaProducer::Topic*> KafkaProducer::TopicOf(std::string_view name) {
  if (last_topic_ != nullptr && last_topic_->name == name) return last_topic_;
  if (const auto found = topics_.find(name); found != topics_.end()) return last_topic_ = &found->second;
  Topic topic{std::string(name), {}, 0};
  topic.handle.reset(rd_kafka_topic_new(client_.get(), topic.name.c_str(), nullptr));
  if (!topic.handle) return KafkaStatus(rd_kafka_last_error(), "a topic name is refused");
  // Asked on the producer itself: so it has the metadata, and its first record need not wait for it.
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = rd_kafka_metadata(client_.get(), 0, topic.handle.get(), &raw, kMetadataMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Status(Code::kWouldBlock, fmt::format("the brokers do not describe topic {} yet", name), Domain::kExternal,
                  Retry::kBackoff);
  }
  const KafkaMetadata metadata(raw);
  if (metadata->topic_cnt == 1) topic.partitions = metadata->topics[0].partition_cnt;
  if (topic.partitions == 0) {
    return Status(Code::kNotFound, fmt::format("there is no such topic to produce to: {}", name), Domain::kExternal);
  }
  return last_topic_ = &topics_.emplace(std::string(name), std::move(topic)).first->second;
}

Result<int32_t> KafkaProducer::PartitionIn(const Topic& topic, const RecordView& record) {
  const int32_t partition = record.partition == -1 ? PartitionOf(record.key, topic.partitions) : record.partition;
  if (partition >= 0 && partition < topic.partitions) return partition;
  return Status(Code::kNotFound,
                fmt::format("there is no such partition to produce to: {}[{}], the topic has {}", record.topic,
                            partition, topic.partitions),
                Domain::kInternal);
}

Status KafkaProducer::Produce(const RecordView& record) {
  TC_CHECK(state_ == State::kOpen, "records belong into an open transaction");
  TC_ASSIGN_OR_RETURN(Topic* const topic, TopicOf(record.topic));
  TC_ASSIGN_OR_RETURN(const int32_t partition, PartitionIn(*topic, record));
  KafkaHeaders headers;
  if (!record.headers.empty()) {
    TC_ASSIGN_OR_RETURN(headers, MakeHeaders(record.headers));
  }
  std::array<rd_kafka_vu_t, 7> parts{};
  size_t count = 0;
  const auto add = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    parts[count].vtype = type;
    return parts[count++];
  };
  add(RD_KAFKA_VTYPE_RKT).u.rkt = topic->handle.get();
  add(RD_KAFKA_VTYPE_PARTITION).u.i32 = partition;
  add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
  if (!record.is_null) {
    add(RD_KAFKA_VTYPE_VALUE).u.mem = {ValueBytes(record), record.value.size()};
  }
  if (!record.key.empty()) add(RD_KAFKA_VTYPE_KEY).u.mem = {const_cast<char*>(record.key.data()), record.key.size()};
  if (record.record_time.IsFinite()) add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = record.record_time.us / 1000;
  if (headers) add(RD_KAFKA_VTYPE_HEADERS).u.headers = headers.get();
  const KafkaError error(rd_kafka_produceva(client_.get(), parts.data(), count));
  if (!error) {
    [[maybe_unused]] rd_kafka_headers_t* const taken_over = headers.release();
    return Status::Ok();
  }
  if (rd_kafka_error_code(error.get()) == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) return TooLarge(record);
  // In an abortable or fatal state librdkafka says _STATE or _FATAL here; the reason comes with the abort or commit.
  return KafkaStatus(*error, Words(TransactionStep::kProduce));
}

Status KafkaProducer::ProduceMany(const PackedRecords& records, size_t* next) {
  TC_CHECK(state_ == State::kOpen, "records belong into an open transaction");
  while (*next < records.size()) {
    const RecordView first = records.View(*next, &headers_);
    TC_ASSIGN_OR_RETURN(Topic* const topic, TopicOf(first.topic));
    TC_ASSIGN_OR_RETURN(const int32_t partition, PartitionIn(*topic, first));
    run_.clear();
    for (size_t i = *next; i < records.size() && run_.size() < kRunMax; ++i) {
      const RecordView record = records.View(i, &headers_);
      // What a batch cannot carry goes by itself.
      if (!record.headers.empty() || record.record_time.IsFinite() || record.topic != first.topic) break;
      if (i > *next) {
        TC_ASSIGN_OR_RETURN(const int32_t own, PartitionIn(*topic, record));
        if (own != partition) break;
      }
      rd_kafka_message_t& message = run_.emplace_back();
      if (!record.is_null) {
        message.payload = ValueBytes(record);
        message.len = record.value.size();
      }
      if (!record.key.empty()) {
        message.key = const_cast<char*>(record.key.data());
        message.key_len = record.key.size();
      }
    }
    if (run_.size() < kRunLeast) {
      TC_RETURN_IF_ERROR(Produce(records.View(*next, &headers_)));
      ++*next;
      continue;
    }
    rd_kafka_produce_batch(topic->handle.get(), partition, RD_KAFKA_MSG_F_COPY, run_.data(),
                           static_cast<int>(run_.size()));
    for (const rd_kafka_message_t& message : run_) {
      if (message.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) return TooLarge(records.View(*next, &headers_));
      if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaStatus(message.err, Words(TransactionStep::kProduce));
      ++*next;
    }
  }
  return Status::Ok();
}

void KafkaProducer::SendOffsets(KafkaPartitionList offsets, KafkaGroupMetadata membership) {
  TC_CHECK(state_ == State::kOpen, "positions belong into an open transaction");
  Enqueue({TransactionStep::kSendOffsets, std::move(offsets), std::move(membership)});
}

void KafkaProducer::Commit() {
  TC_CHECK(state_ == State::kOpen, "there is no open transaction to commit");
  state_ = State::kEnding;
  Enqueue({TransactionStep::kCommit, {}, {}});
}

void KafkaProducer::Abort() {
  TC_CHECK(state_ != State::kEnding, "the transaction is being ended already");
  if (state_ != State::kOpen) {  // Begin had failed
    const std::lock_guard lock(mutex_);
    TransportEvent event{.kind = TransportEvent::Kind::kTransaction};
    if (state_ == State::kDead) {
      event.outcome = Outcome::kFatal;
      event.status = Status(Code::kFatal, "the producer is dead and must be renewed", Domain::kExternal);
    }
    ended_.push_back(std::move(event));
    return;
  }
  state_ = State::kEnding;
  Enqueue({TransactionStep::kAbort, {}, {}});
}

void KafkaProducer::SetMember(KafkaClient member) {
  const std::lock_guard lock(mutex_);
  member_ = std::move(member);
}

void KafkaProducer::Drain(std::vector<TransportEvent>* events) {
  if (client_) rd_kafka_poll(client_.get(), 0);
  const std::lock_guard lock(mutex_);
  for (TransportEvent& event : ended_) {
    if (state_ == State::kEnding) {
      const bool open = event.outcome == Outcome::kAbortable;
      const State idle = doubted_ ? State::kDoubted : State::kIdle;
      state_ = event.outcome == Outcome::kOk ? idle : open ? State::kOpen : State::kDead;
    }
    events->push_back(std::move(event));
  }
  ended_.clear();
}

// --- the own thread

void KafkaProducer::Enqueue(Job job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

void KafkaProducer::RunJobs() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    busy_ = true;
    lock.unlock();
    Run(job);
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

KafkaError KafkaProducer::Call(const Job& job) {
  switch (job.step) {
    case TransactionStep::kSendOffsets:
      return KafkaError(
          rd_kafka_send_offsets_to_transaction(client_.get(), job.offsets.get(), job.membership.get(), kCallMs));
    case TransactionStep::kCommit:
      return KafkaError(rd_kafka_commit_transaction(client_.get(), kCallMs));
    default:
      return KafkaError(rd_kafka_abort_transaction(client_.get(), kCallMs));
  }
}

void KafkaProducer::Run(const Job& job) {
  if (job.step == TransactionStep::kCommit && offsets_outcome_ != Outcome::kOk) {
    return Finish(offsets_outcome_, std::move(offsets_status_));
  }
  const auto end = SteadyClock::now() + kPatience;
  Outcome outcome = Outcome::kOk;
  Status status;
  // Records may need connections of their own. What fails here fails the commit.
  if (job.step == TransactionStep::kCommit) rd_kafka_flush(client_.get(), kCallMs);
  const uint64_t connections_before = signs_->connections.load();
  for (;;) {
    const KafkaError error = Call(job);
    if (!error) break;
    const TransactionVerdict verdict = JudgeTransactionError(*error, job.step);
    outcome = verdict.outcome;
    status = KafkaStatus(*error, Words(job.step));
    if (verdict.is_fence) {
      outcome = JudgeFence(verdict.outcome);
      if (outcome == Outcome::kFenced) status = FencedStatus();
    }
    if (!verdict.again) break;
    std::unique_lock lock(mutex_);
    if (SteadyClock::now() > end || changed_.wait_for(lock, kPause, [&] { return stopping_; })) break;
    outcome = Outcome::kOk;
    status = Status::Ok();
  }
  if (job.step != TransactionStep::kSendOffsets)
    return Finish(outcome, std::move(status), signs_->connections.load() != connections_before);
  if (outcome == Outcome::kUnknown) outcome = Outcome::kAbortable;  // nothing was committed yet
  offsets_outcome_ = outcome;
  offsets_status_ = std::move(status);
}

Outcome KafkaProducer::JudgeFence(Outcome if_ours) {
  const auto end = SteadyClock::now() + kFenceWait;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!member_) return Outcome::kFenced;
    std::array<char, 128> why{};
    if (rd_kafka_fatal_error(member_.get(), why.data(), why.size()) != RD_KAFKA_RESP_ERR_NO_ERROR)
      return Outcome::kFenced;
    if (SteadyClock::now() >= end || stopping_) return if_ours;
    changed_.wait_for(lock, std::chrono::milliseconds(50));
  }
}

Status KafkaProducer::FencedStatus() const {
  return Status(Code::kFenced, fmt::format("another process has our identity: instance {}", options_.instance),
                Domain::kExternal)
      .WithRemedy("give each process its own instance id, and end the other one");
}

void KafkaProducer::Finish(Outcome outcome, Status status, bool doubted) {
  {
    const std::lock_guard lock(mutex_);
    TransportEvent event{.kind = TransportEvent::Kind::kTransaction};
    event.outcome = outcome;
    event.status = std::move(status);
    ended_.push_back(std::move(event));
    doubted_ |= doubted;
  }
  wake_();
}

}  // namespace tidecast
