#include <sys/statvfs.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "config/config_values.h"
#include "engine/app/data_check.h"
#include "engine/app/error_report.h"
#include "engine/app/event_sample.h"
#include "engine/app/replay_session.h"
#include "engine/app/topic_scan.h"
#include "engine/app/verbs.h"
#include "engine/app/weights_file.h"
#include "engine/app/wiring.h"
#include "engine/io/file_rows.h"
#include "engine/server/live_view.h"
#include "models/forecaster.h"
#include "operators/series_steps.h"

namespace tidecast {
namespace {

constexpr int64_t kSampleRecords = 20'000;

/// "3 d 4 h", for a person.
std::string RoughDuration(Duration duration) {
  const int64_t seconds = duration.count() / 1'000'000;
  if (seconds >= 86'400) return fmt::format("{} d {} h", seconds / 86'400, seconds % 86'400 / 3'600);
  if (seconds >= 3'600) return fmt::format("{} h {} min", seconds / 3'600, seconds % 3'600 / 60);
  if (seconds >= 60) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  return fmt::format("{:.3g} s", static_cast<double>(duration.count()) / 1e6);
}

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
  TC_RETURN_IF_ERROR(BeginWithWeights(options.weights_path, &model));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<Forecaster> forecaster, MakeForecaster(model));
  const std::string device = forecaster->Stats().device;
  const std::string net = model.net == NetKind::kNone ? "" : fmt::format(" and the online net ({})", NetKindName(model.net));
  return fmt::format("experts, mixer, calibration{}{}", net, device.empty() ? "" : " on " + device);
}

Result<std::string> Describe(const EngineOptions& options) {
  std::string views;
  for (const ViewOptions& view : options.views) {
    views += fmt::format("{}{}: {} features, target {}, horizon {}", views.empty() ? "" : "; ", view.name, view.features.size(), view.target, view.horizon);
  }
  return fmt::format("{} inputs; {}", options.inputs.size(), views);
}

/// What a person is told about a sample, and what to do; `todo` takes the latter.
void TellSample(const InputOptions& input, const EventSample& sample, const std::string& source, std::vector<std::string>* todo, int* exit_code) {
  const std::string name = fmt::format("events of {}", input.name);
  if (sample.records() == 0) {
    fmt::print("note  {:<18} {} holds none yet\n", name, source);
    return;
  }
  const auto share = [&](int64_t count) { return 100.0 * static_cast<double>(count) / static_cast<double>(sample.records()); };
  const bool usable = sample.decoded() > 0 && !sample.rejects().contains(RejectReason::kKeyMismatch);
  std::string text = fmt::format("{} of {} of {} decode", sample.decoded(), sample.records(), source);
  if (sample.decoded() > 0) text += fmt::format(", {} to {}", UtcText(sample.first()), UtcText(sample.last()));
  fmt::print("{}  {:<18} {}\n", !usable ? "FAIL" : sample.rejects().empty() ? "ok  " : "note", name, text);
  if (!usable && *exit_code == 0) *exit_code = ExitCode(Code::kData);
  const auto detail = [](const std::string& line) { fmt::print("      {:<18} {}\n", "", line); };
  for (const auto& [reason, rejects] : sample.rejects()) {
    detail(fmt::format("{}: {} ({:.2f} %), e.g. {}: {}", RejectReasonName(reason), rejects.count, share(rejects.count), rejects.place, rejects.detail));
    detail(fmt::format("  {}", rejects.value));
  }
  if (sample.rejects().contains(RejectReason::kKeyMismatch)) {
    todo->push_back(fmt::format("produce {} with the sku as key and partitioner=murmur2_random (the Java client's default), or set inputs.{}.key_check: false",
                                input.topic, input.name));
  }
  if (sample.decoded() == 0) {
    todo->push_back(fmt::format("say where the fields stand: inputs.{}.fields (JSON) or inputs.{}.columns (CSV)", input.name, input.name));
  } else if (usable && !sample.rejects().empty()) {
    todo->push_back(fmt::format("nothing stops by them: the {} events of {} above go to {{namespace}}.dlq; `tidecast dlq` shows them", sample.records() - sample.decoded(), input.name));
  }
  if (sample.decoded() == 0 || !IsClock(input.kind)) return;
  const Duration bound = input.watermark.bound;
  if (sample.out_of_order() == 0) {
    detail("all in order of time");
    return;
  }
  const int64_t behind = sample.BehindMoreThan(bound);
  const Duration suggested = sample.SuggestedOutOfOrderness();
  detail(fmt::format("{} ({:.2f} %) lie behind one that came before, by {} at most; {} ({:.2f} %) by more than out_of_orderness {}", sample.out_of_order(),
                     share(sample.out_of_order()), RoughDuration(sample.lag_max()), behind, share(behind), ShowDuration(bound)));
  if (suggested > bound) {
    todo->push_back(fmt::format("set inputs.{}.out_of_orderness: {} so that at most one event in 1,000 comes after its bucket's close", input.name, ShowDuration(suggested)));
  }
}

/// Samples of the topics: the newest records of each partition.
void CheckTopicEvents(const EngineOptions& options, std::vector<std::string>* todo, int* exit_code) {
  Result<std::unique_ptr<ReadOnlyLog>> log = OpenReadOnlyLog(options);
  if (!log.ok()) return;  // an earlier stage has told why
  for (const InputOptions& input : options.inputs) {
    const Result<TopicInfo> info = (*log)->transport().DescribeTopic(input.topic);
    if (!info.ok()) continue;
    Result<EventSample> sample = EventSample::Make(input, options.pseudonym_key);
    Status read = sample.ok() ? ScanTopic((*log)->transport(), input.topic, kSampleRecords / info->partitions + 1,
                                          [&](const TopicPartition& source, const InputRecord& record) {
                                            sample->Add(record, source, info->partitions, fmt::format("{}[{}]@{}", source.topic, source.partition, record.offset));
                                            return true;
                                          })
                              : sample.status();
    if (!read.ok()) {
      Stage(fmt::format("events of {}", input.name), std::move(read), exit_code);
      continue;
    }
    TellSample(input, *sample, fmt::format("the newest of {}", input.topic), todo, exit_code);
  }
}

/// A sample of each file: its first lines, as they stand.
void CheckFileEvents(const EngineOptions& options, const std::vector<FeedFile>& files, std::vector<std::string>* todo, int* exit_code) {
  for (const FeedFile& file : files) {
    const std::string name = fmt::format("events of {}", file.input.name);
    Result<std::unique_ptr<FileRows>> rows = FileRows::Open(file);
    if (!rows.ok()) {
      Stage(name, rows.status(), exit_code);
      continue;
    }
    Result<EventSample> sample = EventSample::Make(file.input, options.pseudonym_key);
    if (!sample.ok()) {
      Stage(name, sample.status(), exit_code);
      continue;
    }
    FileRow row;
    Status read;
    while (sample->records() < kSampleRecords) {
      const Result<bool> more = (*rows)->Next(&row);
      if (!more.ok()) read = more.status();
      if (!more.ok() || !*more) break;
      InputRecord record;
      (*rows)->MakeRecord(row.text, row.line, &record.key, &record.value);
      record.has_key = !record.key.empty();
      record.offset = row.line;
      sample->Add(record, {file.path, 0}, 1, fmt::format("{}:{}", file.path, row.line));
    }
    TellSample(file.input, *sample, fmt::format("the first of {}", file.path), todo, exit_code);
    if (!read.ok()) Stage(name, read, exit_code);
  }
}

void Check(const std::string& config, const std::vector<std::pair<std::string, std::string>>& paths, int* exit_code) {
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
  const Result<std::vector<FeedFile>> files = FilesForInputs(options, paths);
  if (!files.ok()) {
    *exit_code = ReportError(files.status());
    return;
  }
  std::vector<std::string> todo;
  if (!files->empty()) {
    CheckFileEvents(options, *files, &todo, exit_code);
  } else if (options.transport == TransportKind::kKafka || std::filesystem::exists(options.state_directory)) {
    CheckTopicEvents(options, &todo, exit_code);
  }
  for (const std::string& line : todo) fmt::print("to do: {}\n", line);
  if (*exit_code != 0) return;
  if (files->empty()) fmt::print("ready: tidecast run {}\n", config);
  else fmt::print("ready: tidecast replay --{} {} --config {} --out out\n", files->front().input.name, files->front().path, config);
}

}  // namespace

void AddCheckVerb(CLI::App& app, int* exit_code) {
  auto config = std::make_shared<std::string>();
  auto data = std::make_shared<DataCheckRequest>();
  auto format = std::make_shared<std::string>("text");
  auto paths = std::make_shared<std::vector<std::pair<std::string, std::string>>>();
  for (const char* input : {"orders", "clicks", "catalog", "promotions", "inventory", "market"}) paths->emplace_back(input, "");
  CLI::App* verb = app.add_subcommand("check", "Check a config and everything it names, stage by stage, with a sample of the real events");
  verb->add_option("config,--config", *config, "config file; with --data of orders: how to read them");
  verb->add_option("--data", data->path, "look at a file of series (unique_id,ds,y or JSON Lines) or orders instead: gaps, outliers, seasons, columns");
  verb->add_option("--freq", data->frequency, fmt::format("with --data: {} or auto", kFrequencyNames))->capture_default_str();
  verb->add_option("--format", *format, "with --data: text or json")->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  for (auto& [input, path] : *paths) verb->add_option("--" + input, path, fmt::format("look at this file's {} instead of the topic", input));
  verb->callback([config, paths, data, format, exit_code] {
    if (data->path.empty() && config->empty()) {
      *exit_code = ReportError(Status(Code::kUsage, "check looks at a config or at a file of data", Domain::kInput)
                                   .WithRemedy("tidecast check tidecast.yaml, or tidecast check --data series.csv"));
      return;
    }
    if (data->path.empty()) return Check(*config, *paths, exit_code);
    data->json = *format == "json";
    data->config = *config;
    if (Status status = CheckData(*data, exit_code); !status.ok()) *exit_code = ReportError(status);
  });
}

}  // namespace tidecast
