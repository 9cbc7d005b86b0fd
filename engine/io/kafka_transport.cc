#include "engine/io/kafka_transport.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "engine/io/kafka_admin.h"
#include "engine/io/kafka_errors.h"
#include "engine/io/kafka_member.h"
#include "engine/io/kafka_producer.h"
#include "engine/io/kafka_reader.h"
#include "engine/io/kafka_wakeup.h"

namespace tidecast {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTellAgain{5};
// A client without anything to send does not notice that its brokers are gone: so they are asked for a sign of life.
constexpr std::chrono::milliseconds kLookEvery{5000};
constexpr std::chrono::milliseconds kProbeEvery{500};
constexpr int kMissingLooks = 8;
constexpr std::chrono::milliseconds kMissingPause{200};

/// Puts together: admin (topics, watermarks), member (group, fetching), producer (transactions).
class KafkaTransport final : public LogTransport {
 public:
  explicit KafkaTransport(KafkaTransportOptions options)
      : options_(std::move(options)), log_(std::make_shared<KafkaLog>(options_.log)) {}
  ~KafkaTransport() override { Leave(); }

  Status Open() override;
  Result<TopicInfo> DescribeTopic(const std::string& topic) override;
  Result<std::vector<TopicInfo>> ListTopics() override { return admin().ListTopics(); }
  Status CreateTopic(const TopicSpec& spec) override { return admin().CreateTopic(spec); }

  Status Join(const std::vector<std::string>& topics) override;
  Status StartAt(std::span<const Position> positions) override { return member_->StartAt(positions); }
  void ReleaseRevoked() override { member_->ReleaseRevoked(); }
  void Leave() override;
  Result<int64_t> EndOffset(const TopicPartition& source) override;
  Result<std::vector<Position>> CommittedPositions(std::span<const TopicPartition> sources) override {
    return member_->CommittedPositions(sources);
  }

  std::unique_ptr<RecordBatch> MakeBatch() override { return member_->MakeBatch(); }
  Result<PollResult> Poll(uint32_t handle, size_t records_max, size_t bytes_max, RecordBatch& out) override {
    return member_->Poll(handle, records_max, bytes_max, out);
  }
  void Step(int wait_ms, std::vector<TransportEvent>* events) override;

  Status Begin() override { return producer_->Begin(); }
  Status Produce(const OutputRecord& record) override {
    std::vector<HeaderView> headers;
    return producer_->Produce(ViewOf(record, &headers));
  }
  Status ProduceView(const RecordView& record) override { return producer_->Produce(record); }
  Status ProduceMany(const PackedRecords& records, size_t* next) override {
    return producer_->ProduceMany(records, next);
  }
  Status SendOffsets(std::span<const Position> positions) override;
  void Commit(StateBatch&&) override { producer_->Commit(); }
  void Abort() override { producer_->Abort(); }

  bool needs_changelog() const override { return true; }
  Result<std::unique_ptr<LogReader>> OpenReader(const TopicPartition& source, int64_t from_offset,
                                                bool read_committed) override {
    return KafkaReader::Open(options_, log_, admin(), reader_clients_, source, from_offset, read_committed);
  }
  void DiscardBelow(std::span<const Position> positions) override {
    if (!unreachable_) admin().DiscardBelow(positions);
  }
  Status RenewProducer() override { return producer_->Renew(); }

 private:
  KafkaAdmin& admin() {
    TC_CHECK(admin_ != nullptr, "the transport is not open");
    return *admin_;
  }
  void OnError(rd_kafka_resp_err_t error);
  void WatchReach(std::vector<TransportEvent>* events);

  const KafkaTransportOptions options_;
  const std::shared_ptr<KafkaLog> log_;  // shared with the callbacks of clients that may outlive us
  KafkaWakeup wakeup_;
  const std::shared_ptr<KafkaReaderClients> reader_clients_ = std::make_shared<KafkaReaderClients>();
  std::unique_ptr<KafkaAdmin> admin_;
  std::unique_ptr<KafkaProducer> producer_;
  std::unique_ptr<KafkaMember> member_;

  bool all_down_ = false;  ///< said by a client since the last look
  bool unreachable_ = false;
  SteadyClock::time_point told_unreachable_;
  SteadyClock::time_point probed_;
};

Status KafkaTransport::Open() {
  if (member_) return Status::Ok();
  const auto on_error = [this](rd_kafka_resp_err_t error, std::string_view) { OnError(error); };
  TC_ASSIGN_OR_RETURN(admin_, KafkaAdmin::Open(options_, log_, on_error));
  // Before any position is read: it ends what a dead self has left open.
  producer_ = std::make_unique<KafkaProducer>(
      options_, log_, [this] { wakeup_.Wake(); }, on_error);
  TC_RETURN_IF_ERROR(producer_->Open());
  member_ = std::make_unique<KafkaMember>(options_, log_, *admin_, wakeup_, on_error);
  return Status::Ok();
}

Status KafkaTransport::Join(const std::vector<std::string>& topics) {
  TC_CHECK(member_ != nullptr, "the transport is not open");
  TC_RETURN_IF_ERROR(member_->Join(topics));
  producer_->SetMember(member_->client());
  admin_->Hurry();  // whoever is a member has partitions to look after
  return Status::Ok();
}

void KafkaTransport::Leave() {
  if (!member_) return;
  producer_->SetMember(nullptr);
  member_->Leave();
}

Result<int64_t> KafkaTransport::EndOffset(const TopicPartition& source) {
  TC_RETURN_IF_ERROR(admin().Bounds(source).status());  // names what is not there
  // The producer asks as read_committed, which is librdkafka's default; so this works before a group was joined.
  TC_ASSIGN_OR_RETURN(const KafkaBounds bounds, admin().QueryBounds(producer_->client(), source));
  return bounds.end;
}

// A broker may not know for some moments a topic that was made just now.
Result<TopicInfo> KafkaTransport::DescribeTopic(const std::string& topic) {
  for (int left = kMissingLooks;; --left) {
    Result<TopicInfo> info = admin().DescribeTopic(topic);
    if (info.status().code() != Code::kNotFound || left == 0) return info;
    std::this_thread::sleep_for(kMissingPause);
  }
}

Status KafkaTransport::SendOffsets(std::span<const Position> positions) {
  if (positions.empty()) return Status::Ok();
  TC_CHECK(member_->membership() != nullptr, "positions are sent before anything was started");
  KafkaPartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const Position& position : positions) {
    rd_kafka_topic_partition_t* const sent =
        rd_kafka_topic_partition_list_add(list.get(), position.source.topic.c_str(), position.source.partition);
    sent->offset = position.next_offset;
    if (position.note.empty()) continue;
    // Freed with the list.
    sent->metadata = std::malloc(position.note.size());
    TC_CHECK(sent->metadata != nullptr);
    std::memcpy(sent->metadata, position.note.data(), position.note.size());
    sent->metadata_size = position.note.size();
  }
  producer_->SendOffsets(std::move(list), member_->membership());
  return Status::Ok();
}

void KafkaTransport::Step(int wait_ms, std::vector<TransportEvent>* events) {
  const size_t before = events->size();
  const auto drain = [&] {
    admin().Poll();
    member_->Drain(events);
    producer_->Drain(events);
    WatchReach(events);
  };
  drain();
  if (events->size() > before || wait_ms <= 0) return;
  wakeup_.Wait(wait_ms);
  drain();
}

void KafkaTransport::OnError(rd_kafka_resp_err_t error) {
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) all_down_ = true;
}

void KafkaTransport::WatchReach(std::vector<TransportEvent>* events) {
  const auto now = SteadyClock::now();
  const KafkaAdmin::Probe probe = admin().TakeProbe();
  if (all_down_ || probe == KafkaAdmin::Probe::kSilent) {
    all_down_ = false;
    if (!unreachable_ || now - told_unreachable_ >= kTellAgain) {
      events->push_back(
          {.kind = TransportEvent::Kind::kUnreachable, .status = UnreachableStatus(options_, log_->last_trouble())});
      told_unreachable_ = now;
    }
    unreachable_ = true;
    member_->DoubtEnds();
  } else if (unreachable_ && probe == KafkaAdmin::Probe::kAnswered) {
    unreachable_ = false;
    member_->SettleEnds();
    events->push_back({.kind = TransportEvent::Kind::kReachable});
  }
  if (now - probed_ >= (unreachable_ ? kProbeEvery : kLookEvery)) {
    probed_ = now;
    if (unreachable_) {
      admin().Knock();
    } else {
      admin().StartProbe();
      member_->SettleEnds();
    }
  }
}

}  // namespace

Result<std::unique_ptr<LogTransport>> MakeKafkaTransport(KafkaTransportOptions options) {
  TC_RETURN_IF_ERROR(CheckKafkaOptions(options));
  return std::unique_ptr<LogTransport>(std::make_unique<KafkaTransport>(std::move(options)));
}

}  // namespace tidecast
