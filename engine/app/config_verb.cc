#include <CLI/CLI.hpp>
#include <memory>

#include "config/config_fields.h"
#include "config/config_loader.h"
#include "config/config_printer.h"
#include "engine/app/error_report.h"
#include "engine/app/verbs.h"

namespace tidecast {

void AddConfigVerb(CLI::App& app, int* exit_code) {
  auto full = std::make_shared<bool>(false);
  CLI::App* init = app.add_subcommand("init", "Print a commented config to begin with: tidecast init > tidecast.yaml");
  init->add_flag("--full", *full, "every key, not only the usual ones");
  init->callback([full] { fmt::print("{}", ConfigTemplate(*full)); });

  auto code = std::make_shared<std::string>();
  CLI::App* help = app.add_subcommand("help", "Explain an error code, e.g. tidecast help TC0103");
  help->add_option("code", *code, "code of an error; without one, all of them");
  help->callback([code, exit_code] {
    if (code->empty()) {
      for (const ProblemCode& row : ProblemCodes()) fmt::print("{}  {}\n", row.code, row.sentence);
      return;
    }
    const std::optional<ProblemCode> row = ExplainProblemCode(*code);
    if (!row) {
      *exit_code = ReportError(Status(Code::kUsage, fmt::format("no such error code: {}", *code), Domain::kInput).WithRemedy("`tidecast help` lists them"));
      return;
    }
    fmt::print("{}: {}\n  = try: {}\n", row->code, row->sentence, row->remedy);
  });

  CLI::App* verb = app.add_subcommand("config", "Tell about configs");
  verb->require_subcommand(1);
  verb->add_subcommand("schema", "Print the JSON Schema of a config")->callback([] { fmt::print("{}", ConfigSchema()); });
  verb->add_subcommand("reference", "Print every key with its default")->callback([] { fmt::print("{}", ConfigReference()); });
  auto path = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("text");
  CLI::App* show = verb->add_subcommand("show", "Print what holds after environment and defaults, secrets masked");
  show->add_option("config", *path, "config file")->required();
  show->add_option("--format", *format, "text or json, for problems")->check(CLI::IsMember({"text", "json"}));
  show->callback([path, format, exit_code] {
    const Result<ConfigReport> report = CheckConfig(*path);
    if (!report.ok()) {
      *exit_code = ReportError(report.status());
    } else if (!report->ok()) {
      fmt::print(stderr, "{}", *format == "json" ? PrintProblemsJson(*report) : PrintProblems(*report));
      *exit_code = ExitCode(Code::kConfig);
    } else {
      fmt::print("{}", PrintOrigins(*report));
    }
  });
}

}  // namespace tidecast
