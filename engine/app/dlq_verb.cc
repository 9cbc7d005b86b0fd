#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "engine/app/error_report.h"
#include "engine/app/topic_scan.h"
#include "engine/app/verbs.h"
#include "engine/app/wiring.h"

namespace tidecast {
namespace {

struct DlqFlags {
  std::string config;
  std::string reason;
  int64_t count = 0;
  bool values = false;
};

std::string_view HeaderOf(const InputRecord& record, std::string_view name) {
  std::string_view value;  // the last one is ours: what the input brought stands before it
  for (const HeaderView& header : record.headers) {
    if (header.name == name) value = header.value;
  }
  return value;
}

struct Reason {
  int64_t count = 0;
  std::string place;
  std::string detail;
  std::string value;
};

Status Dlq(const DlqFlags& flags) {
  TC_ASSIGN_OR_RETURN(const EngineOptions options, LoadOptions(flags.config));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<ReadOnlyLog> log, OpenReadOnlyLog(options));
  std::map<std::string, Reason, std::less<>> reasons;
  int64_t printed = 0;
  TC_RETURN_IF_ERROR(ScanTopic(log->transport(), options.name_space + ".dlq", 0, [&](const TopicPartition&, const InputRecord& record) {
    const std::string_view reason = HeaderOf(record, "tidecast_reason");
    if (!flags.reason.empty() && reason != flags.reason) return true;
    const std::string place = fmt::format("{}[{}]@{}", HeaderOf(record, "__connect.errors.topic"), HeaderOf(record, "__connect.errors.partition"),
                                          HeaderOf(record, "__connect.errors.offset"));
    const std::string_view detail = HeaderOf(record, "__connect.errors.exception.message");
    if (flags.values) {
      fmt::print("{}\t{}\t{}\t{}\n", place, reason, detail, record.value);
      return flags.count == 0 || ++printed < flags.count;
    }
    auto [row, fresh] = reasons.try_emplace(std::string(reason));
    if (fresh) row->second = {0, place, std::string(detail), std::string(record.value.substr(0, 160))};
    ++row->second.count;
    return true;
  }));
  if (flags.values) return Status::Ok();
  if (reasons.empty()) fmt::print("no dead letters\n");
  for (const auto& [reason, row] : reasons) {
    fmt::print("{:<14} {:>8}  e.g. {}: {}\n{:<14} {:>8}  {}\n", reason, row.count, row.place, row.detail, "", "", row.value);
  }
  return Status::Ok();
}

}  // namespace

void AddDlqVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<DlqFlags>();
  CLI::App* verb = app.add_subcommand("dlq", "Show why events could not be used: each reason with its count and an example");
  verb->add_option("--config,-c", flags->config, "config file")->required();
  verb->add_option("--reason", flags->reason, "only this reason, e.g. bad_value");
  verb->add_flag("--values", flags->values, "print each one: place, reason, detail and its original bytes, separated by tabs");
  verb->add_option("--count,-n", flags->count, "with --values: stop after so many");
  verb->callback([flags, exit_code] {
    if (Status status = Dlq(*flags); !status.ok()) *exit_code = ReportError(status);
  });
}

}  // namespace tidecast
