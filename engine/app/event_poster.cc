#include "engine/app/event_poster.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/core/json_nesting.h"

namespace tidecast {
namespace {

using Json = nlohmann::ordered_json;  // keys stay where the sender put them

Result<std::vector<Json>> SplitBody(const std::string& body) {
  if (NestsDeeper(body)) {
    return Status(Code::kParse, fmt::format("the body nests deeper than {} levels; none of it was taken", kJsonNestingMost), Domain::kInput)
        .WithRemedy("send flat events; what is nested deeper is in no field that is read");
  }
  std::vector<Json> events;
  Json whole = Json::parse(body, nullptr, false);
  if (!whole.is_discarded()) {
    if (whole.is_object()) {
      events.push_back(std::move(whole));
    } else if (whole.is_array()) {
      for (Json& event : whole) events.push_back(std::move(event));
    } else {
      return Status(Code::kParse, "the body must be a JSON object, an array of objects, or one object a line", Domain::kInput)
          .WithRemedy("send e.g. {\"sku\":\"A1\",\"ts\":\"2024-05-01T09:00:00Z\",\"quantity\":2}");
    }
  } else {
    size_t line = 0;
    for (size_t at = 0; at < body.size();) {
      const size_t end = std::min(body.find('\n', at), body.size());
      const std::string_view text = std::string_view(body).substr(at, end - at);
      at = end + 1;
      ++line;
      if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      Json event = Json::parse(text, nullptr, false);
      if (event.is_discarded()) {
        return Status(Code::kParse, fmt::format("the body is not JSON: line {}; none of it was taken", line), Domain::kInput)
            .WithRemedy("send one JSON object, an array of them, or one object a line");
      }
      events.push_back(std::move(event));
    }
  }
  for (size_t i = 0; i < events.size(); ++i) {
    if (!events[i].is_object()) return Status(Code::kParse, fmt::format("an event must be a JSON object: event {}", i + 1), Domain::kInput);
  }
  return events;
}

}  // namespace

Result<std::string> EventPoster::Post(const std::string& input, const std::string& body, bool durable) {
  const std::shared_lock lock(mutex_);
  if (log_ == nullptr) {
    return Status(Code::kNotReady, "the engine has ended: it takes no more events", Domain::kExternal).WithRemedy("start it again, then send the events again");
  }
  const auto options = std::find_if(inputs_.begin(), inputs_.end(), [&](const InputOptions& o) { return o.name == input; });
  if (options == inputs_.end()) {
    std::string names;
    for (const InputOptions& o : inputs_) names += (names.empty() ? "" : ", ") + o.name;
    return Status(Code::kNotFound, fmt::format("no such input: {} (there are: {})", input, names), Domain::kInput);
  }
  TC_ASSIGN_OR_RETURN(const std::vector<Json> events, SplitBody(body));
  const auto mapped = options->fields.find("sku");
  const std::string pointer = mapped != options->fields.end() ? mapped->second : options->kind == InputKind::kMarket ? "/symbol" : "/sku";
  std::vector<OutputRecord> records;
  for (size_t i = 0; i < events.size(); ++i) {
    const Json::json_pointer at(pointer);
    const bool there = events[i].contains(at) && (events[i][at].is_number() || (events[i][at].is_string() && !events[i][at].get_ref<const std::string&>().empty()));
    if (!there) {
      return Status(Code::kParse, fmt::format("an event has no key: event {}, field {}; none of the body was taken", i + 1, pointer), Domain::kInput)
          .WithRemedy(fmt::format("give each event its {}, or name its place in inputs.{}.fields", pointer.substr(1), options->name));
    }
    OutputRecord& record = records.emplace_back();
    record.topic = options->topic;
    record.key = events[i][at].is_string() ? events[i][at].get<std::string>() : events[i][at].dump();
    record.value = events[i].dump();
    record.record_time = EventTime{clock_.Now().us};
  }
  TC_ASSIGN_OR_RETURN(const std::vector<Position> positions, log_->Append(records, durable));
  Json answer = {{"accepted", records.size()}, {"kept_by", log_->Promise(durable)}, {"positions", Json::array()}};
  for (const Position& position : positions) {
    answer["positions"].push_back({{"topic", position.source.topic}, {"partition", position.source.partition}, {"offset", position.next_offset}});
  }
  return answer.dump();
}

void EventPoster::Close() {
  const std::unique_lock lock(mutex_);
  log_ = nullptr;
}

}  // namespace tidecast
