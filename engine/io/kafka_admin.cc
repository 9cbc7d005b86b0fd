#include "engine/io/kafka_admin.h"

#include <algorithm>
#include <array>
#include <optional>
#include <thread>

#include "engine/io/kafka_errors.h"

namespace tidecast {
namespace {

constexpr int kProbeMs = 4000;
constexpr int kKnockMs = 1000;
constexpr std::chrono::milliseconds kFirstWait{250};
constexpr std::chrono::milliseconds kLongestWait{2000};
constexpr std::chrono::milliseconds kRefusalsAreBelievedAfter{2500};
constexpr std::chrono::milliseconds kLookAgain{50};

Status NoSuchTopic(const std::string& topic) {
  return Status(Code::kNotFound, fmt::format("there is no such topic: {}", topic), Domain::kExternal)
      .WithRemedy("create it, or correct its name in the config");
}

KafkaOwner<rd_kafka_AdminOptions_t> AdminOptions(rd_kafka_t* client, rd_kafka_admin_op_t what, int timeout_ms) {
  KafkaOwner<rd_kafka_AdminOptions_t> options(rd_kafka_AdminOptions_new(client, what));
  std::array<char, 256> why{};
  const auto error = rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, why.data(), why.size());
  TC_CHECK(error == RD_KAFKA_RESP_ERR_NO_ERROR, "{}", why.data());
  return options;
}

bool IsNoAnswer(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE ||
         error == RD_KAFKA_RESP_ERR__TRANSPORT || error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
         error == RD_KAFKA_RESP_ERR__DESTROY;
}

// A partition that was just made, or whose broker just came back: its metadata are there before its leader is.
bool HasNoLeaderYet(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<std::unique_ptr<KafkaAdmin>> KafkaAdmin::Open(
    const KafkaTransportOptions& options, std::shared_ptr<KafkaLog> log,
    std::function<void(rd_kafka_resp_err_t, std::string_view)> on_error) {
  std::unique_ptr<KafkaAdmin> admin(new KafkaAdmin(options, log));
  TC_ASSIGN_OR_RETURN(KafkaConf conf, MakeKafkaConf(options, KafkaRole::kObserver));
  TC_ASSIGN_OR_RETURN(admin->client_,
                      MakeKafkaClient(std::move(conf), KafkaRole::kObserver, {log, std::move(on_error), {}}));
  admin->probe_.reset(rd_kafka_queue_new(admin->client_.get()));
  admin->discarded_.reset(rd_kafka_queue_new(admin->client_.get()));
  TC_RETURN_IF_ERROR(admin->AwaitBrokers());
  return admin;
}

Status KafkaAdmin::AwaitBrokers() {
  using SteadyClock = std::chrono::steady_clock;
  const auto end = SteadyClock::now() + options_.open_timeout;
  std::optional<SteadyClock::time_point> refused;
  for (auto wait = kFirstWait;; wait = std::min(2 * wait, kLongestWait)) {
    const rd_kafka_metadata_t* metadata = nullptr;
    const auto error = rd_kafka_metadata(client_.get(), 0, nullptr, &metadata, static_cast<int>(wait.count()));
    Poll();
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_metadata_destroy(metadata);
      log_->ForgetTrouble();
      return Status::Ok();
    }
    const auto now = SteadyClock::now();
    // A refusal stays one, but for a broker that is just starting: it knows its users a little later than its port.
    if (!refused && JudgeTrouble(log_->last_trouble()) != KafkaTrouble::kConnection) refused = now;
    if (now >= end || (refused && now - *refused > kRefusalsAreBelievedAfter)) {
      return UnreachableStatus(options_, log_->last_trouble());
    }
  }
}

Result<KafkaMetadata> KafkaAdmin::Metadata(const std::string* topic, int timeout_ms) {
  KafkaTopic handle;
  if (topic != nullptr) handle.reset(rd_kafka_topic_new(client_.get(), topic->c_str(), nullptr));
  if (topic != nullptr && !handle) return KafkaStatus(rd_kafka_last_error(), "a topic name is refused");
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto error = rd_kafka_metadata(client_.get(), topic == nullptr ? 1 : 0, handle.get(), &metadata, timeout_ms);
  if (error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT) {
    return UnreachableStatus(options_, log_->last_trouble());
  }
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return KafkaStatus(error, "the brokers do not describe their topics");
  log_->ForgetTrouble();
  return KafkaMetadata(metadata);
}

Result<TopicInfo> KafkaAdmin::DescribeTopic(const std::string& topic) {
  TC_ASSIGN_OR_RETURN(const KafkaMetadata metadata, Metadata(&topic, request_ms()));
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& found = metadata->topics[i];
    if (found.topic != topic) continue;
    // Before partitions are counted: of a topic that we may not see none are told.
    if (found.err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
      return KafkaStatus(found.err, fmt::format("topic {} cannot be looked at", topic));
    }
    if (found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || found.partition_cnt == 0) break;
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR && found.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
      return KafkaStatus(found.err, fmt::format("topic {} cannot be looked at", topic));
    }
    const std::lock_guard lock(mutex_);
    partition_counts_[topic] = found.partition_cnt;
    return TopicInfo{topic, {}, found.partition_cnt};
  }
  const std::lock_guard lock(mutex_);
  partition_counts_.erase(topic);
  return NoSuchTopic(topic);
}

Result<std::vector<TopicInfo>> KafkaAdmin::ListTopics() {
  TC_ASSIGN_OR_RETURN(const KafkaMetadata metadata, Metadata(nullptr, request_ms()));
  std::vector<TopicInfo> topics;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& found = metadata->topics[i];
    if (!std::string_view(found.topic).starts_with("__")) topics.push_back({found.topic, {}, found.partition_cnt});
  }
  return topics;
}

Result<int32_t> KafkaAdmin::PartitionCount(const std::string& topic) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = partition_counts_.find(topic); known != partition_counts_.end()) return known->second;
  }
  TC_ASSIGN_OR_RETURN(const TopicInfo info, DescribeTopic(topic));
  return info.partitions;
}

Result<KafkaBounds> KafkaAdmin::Bounds(const TopicPartition& source) {
  TC_ASSIGN_OR_RETURN(const int32_t partitions, PartitionCount(source.topic));
  if (source.partition < 0 || source.partition >= partitions) {
    return Status(
        Code::kNotFound,
        fmt::format("there is no such partition: {}[{}], the topic has {}", source.topic, source.partition, partitions),
        Domain::kExternal);
  }
  return QueryBounds(client_.get(), source);
}

Result<KafkaBounds> KafkaAdmin::QueryBounds(rd_kafka_t* client, const TopicPartition& source) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(request_ms());
  for (;;) {
    KafkaBounds bounds;
    const auto error = rd_kafka_query_watermark_offsets(client, source.topic.c_str(), source.partition, &bounds.begin,
                                                        &bounds.end, request_ms());
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return bounds;
    if (!HasNoLeaderYet(error) || std::chrono::steady_clock::now() > end) {
      return KafkaStatus(error, fmt::format("the ends of {}[{}] cannot be asked for", source.topic, source.partition));
    }
    std::this_thread::sleep_for(kLookAgain);
  }
}

Status KafkaAdmin::CreateTopic(const TopicSpec& spec) {
  if (const Result<TopicInfo> found = DescribeTopic(spec.name); found.ok()) {
    return CheckExisting(spec, *found);
  } else if (found.status().code() != Code::kNotFound) {
    return found.status();
  }
  std::array<char, 512> why{};
  KafkaOwner<rd_kafka_NewTopic_t> topic(
      rd_kafka_NewTopic_new(spec.name.c_str(), spec.partitions, -1, why.data(), why.size()));
  if (!topic)
    return Status(Code::kConfig, fmt::format("topic {} cannot be created: {}", spec.name, why.data()), Domain::kInput);
  for (const auto& [name, value] : spec.config) {
    const auto error = rd_kafka_NewTopic_set_config(topic.get(), name.c_str(), value.c_str());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
      return KafkaStatus(error, fmt::format("{} cannot be set on {}", name, spec.name));
  }
  const KafkaQueue answers(rd_kafka_queue_new(client_.get()));
  const auto options = AdminOptions(client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, request_ms());
  rd_kafka_NewTopic_t* wanted = topic.get();
  rd_kafka_CreateTopics(client_.get(), &wanted, 1, options.get(), answers.get());
  const KafkaEvent answer(rd_kafka_queue_poll(answers.get(), request_ms() + 1000));
  if (!answer) return UnreachableStatus(options_, log_->last_trouble());
  if (const auto error = rd_kafka_event_error(answer.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return KafkaStatus(error, fmt::format("topic {} cannot be created", spec.name));
  }
  size_t count = 0;
  const auto* results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const auto error = rd_kafka_topic_result_error(results[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (error != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      const char* words = rd_kafka_topic_result_error_string(results[i]);
      return KafkaStatus(error,
                         fmt::format("topic {} cannot be created ({})", spec.name, words == nullptr ? "" : words));
    }
    // Another instance was quicker.
    TC_RETURN_IF_ERROR(AwaitTopic(spec.name));
    TC_ASSIGN_OR_RETURN(const TopicInfo found, DescribeTopic(spec.name));
    return CheckExisting(spec, found);
  }
  return AwaitTopic(spec.name);
}

Status KafkaAdmin::AwaitTopic(const std::string& topic) {
  const auto end = std::chrono::steady_clock::now() + options_.request_timeout;
  for (;;) {
    TC_ASSIGN_OR_RETURN(const KafkaMetadata metadata, Metadata(&topic, request_ms()));
    bool ready = metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
                 metadata->topics[0].partition_cnt > 0;
    for (int p = 0; ready && p < metadata->topics[0].partition_cnt; ++p)
      ready = metadata->topics[0].partitions[p].leader >= 0;
    if (ready) return DescribeTopic(topic).status();
    if (std::chrono::steady_clock::now() > end) {
      return Status(Code::kTimeout, fmt::format("a new topic has no leaders yet: {}", topic), Domain::kExternal,
                    Retry::kBackoff);
    }
    std::this_thread::sleep_for(kLookAgain);
  }
}

Status KafkaAdmin::CheckExisting(const TopicSpec& spec, const TopicInfo& found) {
  if (found.partitions != spec.partitions) {
    return Status(Code::kConfig,
                  fmt::format("topic {} has another number of partitions: it has {}, needed are {}", spec.name,
                              found.partitions, spec.partitions),
                  Domain::kExternal)
        .WithRemedy("set `partitions` to the topic's number, or use another namespace");
  }
  std::string wanted;
  for (const auto& [name, value] : spec.config) {
    if (name == "cleanup.policy") wanted = value;
  }
  if (wanted.empty()) return Status::Ok();

  KafkaOwner<rd_kafka_ConfigResource_t> resource(
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, spec.name.c_str()));
  const KafkaQueue answers(rd_kafka_queue_new(client_.get()));
  const auto options = AdminOptions(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, request_ms());
  rd_kafka_ConfigResource_t* asked = resource.get();
  rd_kafka_DescribeConfigs(client_.get(), &asked, 1, options.get(), answers.get());
  const KafkaEvent answer(rd_kafka_queue_poll(answers.get(), request_ms() + 1000));
  if (!answer) return UnreachableStatus(options_, log_->last_trouble());
  size_t resources = 0;
  const rd_kafka_DescribeConfigs_result_t* result = rd_kafka_event_DescribeConfigs_result(answer.get());
  if (rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR || result == nullptr) {
    return KafkaStatus(rd_kafka_event_error(answer.get()),
                       fmt::format("the settings of topic {} cannot be read", spec.name));
  }
  rd_kafka_ConfigResource_t const* const* described = rd_kafka_DescribeConfigs_result_resources(result, &resources);
  for (size_t i = 0; i < resources; ++i) {
    size_t entries = 0;
    rd_kafka_ConfigEntry_t const* const* entry = rd_kafka_ConfigResource_configs(described[i], &entries);
    for (size_t k = 0; k < entries; ++k) {
      if (std::string_view(rd_kafka_ConfigEntry_name(entry[k])) != "cleanup.policy") continue;
      const char* value = rd_kafka_ConfigEntry_value(entry[k]);
      if (value == nullptr || wanted == value) continue;
      return Status(
                 Code::kConfig,
                 fmt::format("topic {} has another cleanup.policy: it has {}, needed is {}", spec.name, value, wanted),
                 Domain::kExternal)
          .WithRemedy("alter the topic's setting, or use another namespace");
    }
  }
  return Status::Ok();
}

void KafkaAdmin::StartProbe() {
  if (probing_ || knock_.valid()) return;
  const auto options = AdminOptions(client_.get(), RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, kProbeMs);
  // Of groups there may be thousands: asked is for a state that hardly any is in.
  const rd_kafka_consumer_group_state_t rare = RD_KAFKA_CONSUMER_GROUP_STATE_DEAD;
  const KafkaError refused(rd_kafka_AdminOptions_set_match_consumer_group_states(options.get(), &rare, 1));
  TC_CHECK(refused == nullptr, "{}", rd_kafka_error_string(refused.get()));
  rd_kafka_ListConsumerGroups(client_.get(), options.get(), probe_.get());
  probing_ = true;
}

// While nobody answers: an admin request that waits for its broker has librdkafka connect without a pause (2.0.2), on
// most of a core; a question for metadata keeps to reconnect.backoff.ms, but waits.
void KafkaAdmin::Knock() {
  if (probing_ || knock_.valid()) return;
  knock_ = std::async(std::launch::async, [client = client_.get()] {
    const rd_kafka_metadata_t* raw = nullptr;
    const auto error = rd_kafka_metadata(client, 0, nullptr, &raw, kKnockMs);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_metadata_destroy(raw);
    return error;
  });
}

KafkaAdmin::Probe KafkaAdmin::TakeProbe() {
  if (knock_.valid()) {
    if (knock_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return Probe::kWaiting;
    return IsNoAnswer(knock_.get()) ? Probe::kSilent : Probe::kAnswered;
  }
  if (!probing_) return Probe::kNone;
  const KafkaEvent answer(rd_kafka_queue_poll(probe_.get(), 0));
  if (!answer) return Probe::kWaiting;
  probing_ = false;
  if (IsNoAnswer(rd_kafka_event_error(answer.get()))) return Probe::kSilent;
  // What single brokers did not answer stands in the result.
  const auto* result = rd_kafka_event_ListConsumerGroups_result(answer.get());
  if (result == nullptr) return Probe::kAnswered;
  size_t failed = 0;
  const rd_kafka_error_t** errors = rd_kafka_ListConsumerGroups_result_errors(result, &failed);
  const bool all_silent = std::all_of(
      errors, errors + failed, [](const rd_kafka_error_t* error) { return IsNoAnswer(rd_kafka_error_code(error)); });
  return failed > 0 && all_silent ? Probe::kSilent : Probe::kAnswered;
}

void KafkaAdmin::DiscardBelow(std::span<const Position> positions) {
  if (discarding_ || positions.empty()) return;
  const KafkaPartitionList below(rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const Position& position : positions) {
    rd_kafka_topic_partition_list_add(below.get(), position.source.topic.c_str(), position.source.partition)->offset =
        position.next_offset;
  }
  const auto options = AdminOptions(client_.get(), RD_KAFKA_ADMIN_OP_DELETERECORDS, kProbeMs);
  KafkaOwner<rd_kafka_DeleteRecords_t> request(rd_kafka_DeleteRecords_new(below.get()));
  rd_kafka_DeleteRecords_t* asked = request.get();
  rd_kafka_DeleteRecords(client_.get(), &asked, 1, options.get(), discarded_.get());
  discarding_ = true;
}

void KafkaAdmin::Poll() {
  rd_kafka_poll(client_.get(), 0);
  if (!discarding_) return;
  const KafkaEvent answer(rd_kafka_queue_poll(discarded_.get(), 0));
  if (!answer) return;
  discarding_ = false;
  const auto tell = [this](rd_kafka_resp_err_t error, std::string_view what) {
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || IsNoAnswer(error))
      return;  // the next request takes what this one did not
    log_->Write(KafkaLogLevel::kWarning, "DISCARD",
                fmt::format("records that were read for good are not deleted from {}, which grows until they are: {} "
                            "(it needs the right to delete on the topic)",
                            what, rd_kafka_err2str(error)));
  };
  tell(rd_kafka_event_error(answer.get()), "internal topics");
  const auto* result = rd_kafka_event_DeleteRecords_result(answer.get());
  if (result == nullptr) return;
  const rd_kafka_topic_partition_list_t* offsets = rd_kafka_DeleteRecords_result_offsets(result);
  for (int i = 0; i < offsets->cnt; ++i) tell(offsets->elems[i].err, offsets->elems[i].topic);
}

}  // namespace tidecast
