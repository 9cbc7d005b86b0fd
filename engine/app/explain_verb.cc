#include "engine/app/explain_verb.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/app/error_report.h"
#include "engine/app/topic_scan.h"
#include "engine/app/wiring.h"
#include "engine/runtime/series_explainer.h"

namespace tidecast {
namespace {

using Json = nlohmann::ordered_json;

struct ExplainFlags {
  std::string config;
  std::string of;
};

/// 16 hex digits, and after a slash an episode and a revision, or less: "85123A/1" is no alert.
bool IsAlertId(std::string_view text) {
  constexpr size_t kFingerprint = 16;
  return text.size() >= kFingerprint &&
         text.substr(0, kFingerprint).find_first_not_of("0123456789abcdef") == std::string_view::npos &&
         (text.size() == kFingerprint || text[kFingerprint] == '/');
}

/// The alert's newest event that the id stands for; nothing when there is none.
Result<std::optional<Json>> FindAlert(const EngineOptions& options, const std::string& id) {
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ReadOnlyLog> log, OpenReadOnlyLog(options));
  std::optional<Json> newest;
  TC_RETURN_IF_ERROR(ScanTopic(log->transport(), options.name_space + ".alerts", 0,
                               [&](const TopicPartition&, const InputRecord& record) {
                                 Json event = Json::parse(record.value, nullptr, false);
                                 if (!event.is_object()) return true;
                                 const std::string found = event.value("id", "");
                                 if (found == id || found.starts_with(id + "/")) newest = std::move(event["data"]);
                                 return true;
                               }));
  return newest;
}

Status Explain(const ExplainFlags& flags) {
  TC_ASSIGN_OR_RETURN(EngineOptions options, LoadOptions(flags.config));
  Json answer;
  if (IsAlertId(flags.of)) {
    TC_ASSIGN_OR_RETURN(std::optional<Json> alert, FindAlert(options, flags.of));
    if (!alert) {
      return Status(Code::kNotFound, fmt::format("there is no such alert: {}", flags.of), Domain::kInput)
          .WithRemedy(
              "`tidecast tap alerts` lists them: fingerprint, fingerprint/episode or fingerprint/episode/revision");
    }
    answer = std::move(*alert);
  } else {
    TC_ASSIGN_OR_RETURN(const std::unique_ptr<StateStore> store, OpenState(options, StateUse::kRead));
    TC_ASSIGN_OR_RETURN(const std::unique_ptr<TaskPlan> plan, TaskPlan::Make(std::move(options), false, false));
    TC_ASSIGN_OR_RETURN(const std::string json, ExplainSeries(*store, *plan, flags.of));
    answer = Json::parse(json);
  }
  fmt::print("{}\n", answer.dump(2, ' ', false, Json::error_handler_t::replace));
  return Status::Ok();
}

}  // namespace

void AddExplainVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<ExplainFlags>();
  CLI::App* verb = app.add_subcommand(
      "explain", "Show why an alert's bucket or a series's next buckets are expected to be what they are");
  verb->add_option("series_or_alert", flags->of, "an alert's id, or a series (its SKU, or view/SKU where there are several views)")
      ->required();
  verb->add_option("--config,-c", flags->config, "config file")->required();
  verb->callback([flags, exit_code] {
    if (Status status = Explain(*flags); !status.ok()) *exit_code = ReportError(status);
  });
}

}  // namespace tidecast
