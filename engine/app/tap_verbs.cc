#include <CLI/CLI.hpp>
#include <memory>

#include "engine/app/error_report.h"
#include "engine/app/verbs.h"
#include "engine/app/wiring.h"

namespace tidecast {
namespace {

struct TapFlags {
  std::string config;
  std::string topic;
  int64_t count = 0;
  bool follow = false;
  bool keys = false;
};

/// Short names stand for topics of the config's namespace: "alerts" is "<ns>.alerts".
std::string FullTopic(const EngineOptions& options, const std::string& topic) {
  return topic.find('.') != std::string::npos && topic.starts_with(options.name_space + ".") ? topic : options.name_space + "." + topic;
}

Status Tap(const TapFlags& flags) {
  TC_ASSIGN_OR_RETURN(const EngineOptions options, LoadOptions(flags.config));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ReadOnlyLog> log, OpenReadOnlyLog(options));
  const std::string topic = FullTopic(options, flags.topic);
  TC_ASSIGN_OR_RETURN(const TopicInfo info, log->transport().DescribeTopic(topic));
  std::vector<std::unique_ptr<LogReader>> readers;
  std::vector<std::unique_ptr<RecordBatch>> batches;
  std::vector<bool> at_end;
  for (int32_t p = 0; p < info.partitions; ++p) {
    TC_ASSIGN_OR_RETURN(auto reader, log->transport().OpenReader({topic, p}, -2, true));
    batches.push_back(reader->MakeBatch());
    readers.push_back(std::move(reader));
    at_end.push_back(false);
  }
  int64_t printed = 0;
  for (;;) {
    bool all_at_end = true;
    for (size_t p = 0; p < readers.size(); ++p) {
      batches[p]->Clear();
      TC_ASSIGN_OR_RETURN(const PollResult polled, readers[p]->Read(*batches[p], 1024, 50));
      at_end[p] = polled.at_end;
      all_at_end = all_at_end && at_end[p];
      for (const InputRecord& record : batches[p]->records()) {
        if (flags.keys) fmt::print("{}\t", record.key);
        fmt::print("{}\n", record.value);
        if (flags.count > 0 && ++printed >= flags.count) return Status::Ok();
      }
    }
    std::fflush(stdout);
    // A reader that went away (`| head`) wants no more: main ends us as it does.
    if (std::ferror(stdout) != 0 || (all_at_end && !flags.follow)) return Status::Ok();
  }
}

Status ListAll(const std::string& config) {
  TC_ASSIGN_OR_RETURN(const EngineOptions options, LoadOptions(config));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ReadOnlyLog> log, OpenReadOnlyLog(options));
  TC_ASSIGN_OR_RETURN(const std::vector<TopicInfo> topics, log->transport().ListTopics());
  fmt::print("{:<40} {:>10} {:>14}\n", "TOPIC", "PARTITIONS", "END OFFSETS");
  for (const TopicInfo& topic : topics) {
    int64_t ends = 0;
    for (int32_t p = 0; p < topic.partitions; ++p) {
      TC_ASSIGN_OR_RETURN(const int64_t end, log->transport().EndOffset({topic.name, p}));
      ends += end;
    }
    fmt::print("{:<40} {:>10} {:>14}\n", topic.name, topic.partitions, ends);
  }
  return Status::Ok();
}

}  // namespace

void AddTapVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<TapFlags>();
  CLI::App* verb = app.add_subcommand("tap", "Print the records of a topic as they were committed, one JSON value a line");
  verb->add_option("topic", flags->topic, "forecasts, trends, alerts, features, late, dlq, or a full topic name")->required();
  verb->add_option("--config,-c", flags->config, "config file")->required();
  verb->add_option("--count,-n", flags->count, "stop after so many records");
  verb->add_flag("--follow,-f", flags->follow, "go on with what comes");
  verb->add_flag("--keys,-k", flags->keys, "print the key and a tab before each value");
  verb->callback([flags, exit_code] {
    if (Status status = Tap(*flags); !status.ok()) *exit_code = ReportError(status);
  });
}

void AddTopicsVerb(CLI::App& app, int* exit_code) {
  auto config = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand("topics", "List the topics with their partitions and end offsets");
  verb->add_option("--config,-c", *config, "config file")->required();
  verb->callback([config, exit_code] {
    if (Status status = ListAll(*config); !status.ok()) *exit_code = ReportError(status);
  });
}

}  // namespace tidecast
