#include <fmt/chrono.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "engine/app/error_report.h"
#include "engine/app/verbs.h"
#include "engine/app/wiring.h"
#include "engine/io/kafka_reset.h"
#include "engine/runtime/savepoint.h"
#include "engine/runtime/state_inspector.h"
#include "engine/server/http_client.h"

namespace tidecast {
namespace {

struct StateFlags {
  std::string config;
  std::string series;
  std::string savepoint;
  std::string directory;
  bool yes = false;
  bool local = false;
  bool replace = false;
};

StateOwner OwnerOf(const EngineOptions& options) { return {options.name_space, options.instance}; }

std::string SavepointDirectory(const StateFlags& flags, const EngineOptions& options) {
  return flags.directory.empty() ? SavepointsBeside(options.state_directory) : flags.directory;
}

std::string Time(ProcessingTime time, const char* pattern) {
  return fmt::format(fmt::runtime(pattern), fmt::gmtime(static_cast<std::time_t>(time.us / 1'000'000)));
}

Status Get(const StateFlags& flags) {
  TC_ASSIGN_OR_RETURN(EngineOptions options, LoadOptions(flags.config));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<StateStore> store, OpenState(options, StateUse::kRead));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<TaskPlan> plan, TaskPlan::Make(std::move(options), false, false));
  TC_ASSIGN_OR_RETURN(const std::string json, DescribeSeries(*store, *plan, flags.series));
  fmt::print("{}\n", json);
  return Status::Ok();
}

// Rows of all tasks; the embedded log's own stay, as the topics of a Kafka cluster would.
Status DropTasks(StateStore& store) {
  StateBatch batch;
  const std::string first = TaskPrefix({Stage::kInstance, 0});
  const std::string end(1, static_cast<char>(static_cast<uint8_t>(Stage::kModel) + 1));
  for (const Family family : {Family::kPanes, Family::kSeries, Family::kModels, Family::kMeta})
    batch.DeleteRange(family, first, end);
  TC_RETURN_IF_ERROR(store.Write(batch));
  return store.Sync();
}

Status ResetTopics(const EngineOptions& options) {
  const KafkaTransportOptions kafka = KafkaOptionsOf(options);
  TC_ASSIGN_OR_RETURN(const std::vector<std::string> members, KafkaGroupMembers(kafka));
  if (!members.empty()) {
    return Status(Code::kFenced,
                  fmt::format("the namespace is in use, its group has {} members: {}", members.size(),
                              fmt::join(members, ", ")),
                  Domain::kExternal)
        .WithRemedy("stop all instances; one that was killed is a member until its session times out (45 s)");
  }
  std::vector<std::string> topics;
  for (const char* topic : {".changelog.series", ".changelog.rollup", ".changelog.actor", ".changelog.model",
                            ".rekey.rollup", ".rekey.actor", ".activity"})
    topics.push_back(options.name_space + topic);
  TC_RETURN_IF_ERROR(DeleteKafkaTopics(kafka, topics));
  return DeleteKafkaGroup(kafka);  // positions without the state that they belong to would be taken for a tear
}

Status Reset(const StateFlags& flags) {
  TC_ASSIGN_OR_RETURN(const EngineOptions options, LoadOptions(flags.config));
  const bool is_kafka = options.transport == TransportKind::kKafka;
  const std::string what =
      flags.local && is_kafka
          ? "the local state of this instance; the next start restores it from the changelog"
          : fmt::format(
                "all windows, models and positions of namespace {}{}: the next start reads the inputs from their "
                "beginning, and writes results again",
                options.name_space, is_kafka ? ", its changelog topics included (run it for each instance)" : "");
  if (!flags.yes) {
    return Status(Code::kUsage, fmt::format("this drops {}", what), Domain::kInput)
        .WithRemedy("say --yes when you mean it; `tidecast savepoint create` keeps a copy");
  }
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<StateStore> store, OpenState(options, StateUse::kWrite));
  if (is_kafka && !flags.local) TC_RETURN_IF_ERROR(ResetTopics(options));
  TC_RETURN_IF_ERROR(DropTasks(*store));
  fmt::print(stderr, "dropped {}\n", what);
  return Status::Ok();
}

void Print(const SavepointHead& head) {
  uint64_t least = 0;
  uint64_t most = 0;
  for (const StoredTask& task : head.tasks) {
    least = least == 0 ? task.seq : std::min(least, task.seq);
    most = std::max(most, task.seq);
  }
  fmt::print("{}\t{}\t{}.{}\t{} tasks, seq {} to {}\tformat {}\t{} bytes\n", head.name, Time(head.made_at, "{:%FT%TZ}"),
             head.owner.name_space, head.owner.instance, head.tasks.size(), least, most, head.store_format, head.bytes);
}

/// An engine runs on the state: it makes the savepoint itself, in its own place.
Status AskEngine(const StateFlags& flags, const EngineOptions& options, const std::string& name, Status held) {
  if (!flags.directory.empty() || !options.server.enabled || options.server.port == 0) {
    return std::move(held).WithRemedy(
        "a running engine makes savepoints itself, beside its state: leave --directory out, and give it a server.port; "
        "or stop it");
  }
  if (Status asked = PostToEngine(options.server.address, options.server.port, "/v1/savepoints?name=" + name);
      !asked.ok())
    return std::move(asked).In("an engine runs on the state and was asked for the savepoint");
  TC_ASSIGN_OR_RETURN(const std::vector<SavepointHead> heads, ListSavepoints(SavepointDirectory(flags, options)));
  for (const SavepointHead& head : heads) {
    if (head.name == name) Print(head);
  }
  return Status::Ok();
}

Status Create(const StateFlags& flags) {
  TC_ASSIGN_OR_RETURN(const EngineOptions options, LoadOptions(flags.config));
  const ProcessingTime now = SystemClock().Now();
  const std::string name = flags.savepoint.empty() ? SavepointNameOf(now) : flags.savepoint;
  Result<std::unique_ptr<StateStore>> store = OpenState(options, StateUse::kWrite);
  if (store.status().code() == Code::kFenced) return AskEngine(flags, options, name, store.status());
  TC_RETURN_IF_ERROR(store.status());
  TC_ASSIGN_OR_RETURN(const SavepointHead head,
                      CreateSavepoint(**store, SavepointDirectory(flags, options), name, now));
  Print(head);
  return Status::Ok();
}

Status Restore(const StateFlags& flags) {
  TC_ASSIGN_OR_RETURN(const EngineOptions options, LoadOptions(flags.config));
  TC_ASSIGN_OR_RETURN(const SavepointHead head,
                      RestoreSavepoint(SavepointDirectory(flags, options), flags.savepoint, OwnerOf(options),
                                       options.state_directory, flags.replace));
  Print(head);
  return Status::Ok();
}

Status List(const StateFlags& flags) {
  TC_ASSIGN_OR_RETURN(const EngineOptions options, LoadOptions(flags.config));
  TC_ASSIGN_OR_RETURN(const std::vector<SavepointHead> heads, ListSavepoints(SavepointDirectory(flags, options)));
  for (const SavepointHead& head : heads) Print(head);
  return Status::Ok();
}

using Action = Status (*)(const StateFlags&);

CLI::App* Add(CLI::App* parent, const char* name, const char* help, const std::shared_ptr<StateFlags>& flags,
              Action action, int* exit_code) {
  CLI::App* verb = parent->add_subcommand(name, help);
  verb->add_option("--config,-c", flags->config, "config file")->required();
  verb->callback([flags, action, exit_code] {
    if (Status status = action(*flags); !status.ok()) *exit_code = ReportError(status);
  });
  return verb;
}

}  // namespace

void AddStateVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<StateFlags>();
  CLI::App* state = app.add_subcommand("state", "Look at the local state, or drop it");
  state->require_subcommand(1);
  Add(state, "get", "Print as JSON what is kept of a series; also beside a running engine", flags, Get, exit_code)
      ->add_option("series", flags->series, "name of the series, e.g. a SKU")
      ->required();
  CLI::App* reset =
      Add(state, "reset", "Drop windows, models and positions; the engine must not run", flags, Reset, exit_code);
  reset->add_flag("--yes", flags->yes, "do it");
  reset->add_flag("--local", flags->local, "Kafka: this instance's copy alone, which the changelog brings back");
}

void AddSavepointVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<StateFlags>();
  CLI::App* savepoint = app.add_subcommand("savepoint", "Export the local state, and put it back");
  savepoint->require_subcommand(1);
  CLI::App* create =
      Add(savepoint, "create", "Copy the local state; a running engine is asked to do it", flags, Create, exit_code);
  create->add_option("name", flags->savepoint, "default: the time");
  CLI::App* restore =
      Add(savepoint, "restore",
          "Put a savepoint in the place of the local state; the next start adds what the changelog has since", flags,
          Restore, exit_code);
  restore->add_option("name", flags->savepoint, "as `tidecast savepoint list` shows it")->required();
  restore->add_flag("--replace", flags->replace, "move state that is there to <state.directory>.before-NAME");
  CLI::App* list = Add(savepoint, "list", "List the savepoints", flags, List, exit_code);
  for (CLI::App* verb : {create, restore, list})
    verb->add_option("--directory,-d", flags->directory,
                     "where savepoints are (default: <state.directory>.savepoints)");
}

}  // namespace tidecast
