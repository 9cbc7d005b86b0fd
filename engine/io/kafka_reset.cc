#include "engine/io/kafka_reset.h"

#include <array>

#include "engine/io/kafka_config.h"
#include "engine/io/kafka_errors.h"

namespace tidecast {
namespace {

Result<KafkaClient> MakeObserver(const KafkaTransportOptions& options, const std::shared_ptr<KafkaLog>& log) {
  TC_RETURN_IF_ERROR(CheckKafkaOptions(options));
  TC_ASSIGN_OR_RETURN(KafkaConf conf, MakeKafkaConf(options, KafkaRole::kObserver));
  return MakeKafkaClient(std::move(conf), KafkaRole::kObserver, {log, {}, {}});
}

}  // namespace

Result<std::vector<std::string>> KafkaGroupMembers(const KafkaTransportOptions& options) {
  const auto log = std::make_shared<KafkaLog>(options.log);
  TC_ASSIGN_OR_RETURN(const KafkaClient client, MakeObserver(options, log));
  const std::string group = KafkaGroup(options);
  const rd_kafka_group_list* list = nullptr;
  const auto error =
      rd_kafka_list_groups(client.get(), group.c_str(), &list, static_cast<int>(options.open_timeout.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    rd_kafka_poll(client.get(), 0);
    return UnreachableStatus(options, log->last_trouble());
  }
  std::vector<std::string> members;
  for (int g = 0; g < list->group_cnt; ++g) {
    for (int m = 0; m < list->groups[g].member_cnt; ++m) members.emplace_back(list->groups[g].members[m].client_id);
  }
  rd_kafka_group_list_destroy(list);
  return members;
}

Status DeleteKafkaTopics(const KafkaTransportOptions& options, const std::vector<std::string>& topics) {
  const auto log = std::make_shared<KafkaLog>(options.log);
  TC_ASSIGN_OR_RETURN(const KafkaClient client, MakeObserver(options, log));
  std::vector<rd_kafka_DeleteTopic_t*> wanted;
  for (const std::string& topic : topics) wanted.push_back(rd_kafka_DeleteTopic_new(topic.c_str()));
  const KafkaQueue answers(rd_kafka_queue_new(client.get()));
  rd_kafka_DeleteTopics(client.get(), wanted.data(), wanted.size(), nullptr, answers.get());
  rd_kafka_DeleteTopic_destroy_array(wanted.data(), wanted.size());
  const KafkaEvent answer(rd_kafka_queue_poll(answers.get(), static_cast<int>(options.open_timeout.count())));
  if (!answer) return UnreachableStatus(options, log->last_trouble());
  if (const auto error = rd_kafka_event_error(answer.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return KafkaStatus(error, "topics cannot be deleted");
  size_t count = 0;
  const auto* results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(answer.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const auto error = rd_kafka_topic_result_error(results[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) continue;
    return KafkaStatus(error, fmt::format("topic {} cannot be deleted", rd_kafka_topic_result_name(results[i])));
  }
  return Status::Ok();
}

Status DeleteKafkaGroup(const KafkaTransportOptions& options) {
  const auto log = std::make_shared<KafkaLog>(options.log);
  TC_ASSIGN_OR_RETURN(const KafkaClient client, MakeObserver(options, log));
  rd_kafka_DeleteGroup_t* wanted = rd_kafka_DeleteGroup_new(KafkaGroup(options).c_str());
  const KafkaQueue answers(rd_kafka_queue_new(client.get()));
  rd_kafka_DeleteGroups(client.get(), &wanted, 1, nullptr, answers.get());
  rd_kafka_DeleteGroup_destroy(wanted);
  const KafkaEvent answer(rd_kafka_queue_poll(answers.get(), static_cast<int>(options.open_timeout.count())));
  if (!answer) return UnreachableStatus(options, log->last_trouble());
  if (const auto error = rd_kafka_event_error(answer.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return KafkaStatus(error, "the group cannot be deleted");
  size_t count = 0;
  const auto* results = rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(answer.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    const rd_kafka_error_t* const error = rd_kafka_group_result_error(results[i]);
    if (error == nullptr || rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) continue;
    return KafkaStatus(*error, fmt::format("the group {} cannot be deleted", rd_kafka_group_result_name(results[i])));
  }
  return Status::Ok();
}

}  // namespace tidecast
