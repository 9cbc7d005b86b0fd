#include "engine/app/flags.h"

#include "engine/io/event_time_parser.h"

namespace tidecast {

Status ApplyModelFlag(const std::string& model, EngineOptions* options) {
  if (model.empty()) return Status::Ok();
  const std::optional<NetKind> net = model == "none" ? NetKind::kNone : NetKindOf(model);
  if (!net) {
    return Status(Code::kUsage, fmt::format("not a model: {}", model), Domain::kInput)
        .WithRemedy(fmt::format("use {}, experts or none", NetKindList()));
  }
  options->model_enabled = model != "none";
  options->model.net = *net;
  return Status::Ok();
}

std::vector<std::string> NetKindWords(bool with_experts) {
  std::vector<std::string> words;
  for (const NetKindWord& known : kNetKinds) words.emplace_back(known.word);
  if (with_experts) words.emplace_back(NetKindName(NetKind::kNone));
  return words;
}

std::vector<std::string> SplitList(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    if (end > at) parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

Result<EventTime> ParseUntilFlag(const std::string& date, const EngineOptions& options) {
  const std::string zone = options.views.empty() ? "UTC" : options.views.front().calendar.zone;
  TC_ASSIGN_OR_RETURN(EventTimeParser parser, EventTimeParser::Make(TimeFormat::kRfc3339, zone));
  const std::optional<EventTime> time = parser.Parse(date);
  if (!time) return Status(Code::kUsage, fmt::format("not a date: {}", date), Domain::kInput).WithRemedy("write it like 2011-03-01");
  return *time - Duration(1);
}

}  // namespace tidecast
