#include <sys/statvfs.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "engine/app/error_report.h"
#include "engine/app/verbs.h"
#include "engine/app/wiring.h"
#include "models/forecaster.h"

namespace tidecast {
namespace {

/// Prints one stage of the check: a tick, or the trouble with its remedy. Returns whether it went well.
bool Stage(std::string_view name, const Result<std::string>& found, int* exit_code) {
  if (found.ok()) {
    fmt::print("ok    {:<18} {}\n", name, *found);
    return true;
  }
  fmt::print("FAIL  {:<18} {}\n", name, found.status().message());
  if (!found.status().remedy().empty()) fmt::print("      {:<18} try: {}\n", "", found.status().remedy());
  if (*exit_code == 0) *exit_code = ExitCode(found.status().code());
  return false;
}

Result<std::string> CheckStateDirectory(const EngineOptions& options) {
  const std::filesystem::path directory = options.state_directory;
  std::filesystem::path existing = std::filesystem::absolute(directory);
  while (!std::filesystem::exists(existing)) existing = existing.parent_path();
  if (access(existing.c_str(), W_OK) != 0) {
    return Status(Code::kPermission, fmt::format("the state directory may not be written: {}", options.state_directory), Domain::kExternal)
        .WithRemedy("choose another state.directory, or give this user the right to write there");
  }
  struct statvfs room {};
  if (statvfs(existing.c_str(), &room) != 0) return Status(Code::kIo, fmt::format("the state directory's disk cannot be asked: {}", options.state_directory));
  const double gigabytes = static_cast<double>(room.f_bavail) * static_cast<double>(room.f_frsize) / 1e9;
  if (gigabytes < 1) {
    return Status(Code::kNoSpace, fmt::format("the state directory's disk is nearly full: {:.2f} GB free", gigabytes), Domain::kExternal)
        .WithRemedy("free some room or choose another state.directory");
  }
  return fmt::format("{}, {:.0f} GB free, memory limit {} MiB", options.state_directory, gigabytes, MemoryLimit(options) >> 20);
}

Result<std::string> CheckTopics(const EngineOptions& options) {
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ReadOnlyLog> log, OpenReadOnlyLog(options));
  std::string text;
  int32_t partitions = 0;
  std::string first;
  for (const InputOptions& input : options.inputs) {
    Result<TopicInfo> info = log->transport().DescribeTopic(input.topic);
    if (!info.ok() && info.status().code() != Code::kNotFound) return std::move(info).status();
    if (!info.ok()) {
      return Status(Code::kNoInput, fmt::format("an input topic does not exist: {}", input.topic), Domain::kExternal)
          .WithRemedy(fmt::format("create it, e.g. with {} partitions, or correct inputs.{}.topic", options.partitions, input.name));
    }
    if (partitions == 0) {
      partitions = info->partitions;
      first = input.topic;
    }
    if (info->partitions != partitions) {
      return Status(Code::kConfig, fmt::format("inputs of one stage must have equal partition counts: {} has {}, {} has {}", first, partitions,
                                               input.topic, info->partitions), Domain::kExternal)
          .WithRemedy("recreate one of the topics; the same SKU must be in the same partition of each");
    }
    text += fmt::format("{}{} ({} partitions)", text.empty() ? "" : ", ", input.topic, info->partitions);
  }
  return text;
}

Result<std::string> CheckModel(const EngineOptions& options) {
  if (!options.model_enabled) return std::string("none: windows only");
  ForecasterOptions model = options.model;
  model.season_lengths = {7};
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<Forecaster> forecaster, MakeForecaster(model));
  const std::string device = forecaster->Stats().device;
  return fmt::format("{}{}", model.net == NetKind::kNone ? "experts, mixer, calibration" : "experts, mixer, calibration and the online LSTM",
                     device.empty() ? "" : " on " + device);
}

Result<std::string> Describe(const EngineOptions& options) {
  std::string views;
  for (const ViewOptions& view : options.views) {
    views += fmt::format("{}{}: {} features, target {}, horizon {}", views.empty() ? "" : "; ", view.name, view.features.size(), view.target, view.horizon);
  }
  return fmt::format("{} inputs; {}", options.inputs.size(), views);
}

void Check(const std::string& config, int* exit_code) {
  Result<EngineOptions> loaded = LoadOptions(config);
  if (!loaded.ok()) {
    *exit_code = ReportError(loaded.status());
    return;
  }
  const EngineOptions& options = *loaded;
  Stage("config", Describe(options), exit_code);
  Stage("state directory", CheckStateDirectory(options), exit_code);
  if (options.transport == TransportKind::kKafka) {
    Stage("brokers, topics", CheckTopics(options), exit_code);
  } else {
    Stage("transport", fmt::format("embedded log, {} partitions", options.partitions), exit_code);
  }
  Stage("model", CheckModel(options), exit_code);
  if (*exit_code == 0) fmt::print("ready: tidecast run {}\n", config);
}

}  // namespace

void AddCheckVerb(CLI::App& app, int* exit_code) {
  auto config = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand("check", "Check a config and everything it names, stage by stage");
  verb->add_option("config", *config, "config file")->required();
  verb->callback([config, exit_code] { Check(*config, exit_code); });
}

}  // namespace tidecast
