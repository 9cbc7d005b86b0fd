#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "engine/app/error_report.h"
#include "engine/app/executable_path.h"
#include "engine/app/flags.h"
#include "engine/app/replay_session.h"
#include "engine/app/stop_signal.h"
#include "engine/app/verbs.h"
#include "engine/app/version.h"

namespace tidecast {
namespace {

struct DemoFlags {
  std::string run_for;
  std::string speed = "2d/s";
  std::string history = "60d";
  std::string model;
  std::string example;
  int port = -1;
};

/// The shipped example: beside the sources of a build tree, or installed under share/tidecast.
Result<std::filesystem::path> ExampleDirectory(const std::string& flag) {
  if (!flag.empty()) return std::filesystem::path(flag);
  const std::filesystem::path binary = ExecutableDirectory();
  for (const std::filesystem::path& candidate :
       {binary / "../../examples/online-retail", binary / "../share/tidecast/examples/online-retail", std::filesystem::path("examples/online-retail")}) {
    if (std::filesystem::exists(candidate / "tidecast.yaml")) return std::filesystem::weakly_canonical(candidate);
  }
  return Status(Code::kNoInput, "the example's folder is not found: examples/online-retail", Domain::kInput)
      .WithRemedy("run from the project's folder, or give --example DIR");
}

Status Demo(const DemoFlags& flags) {
  TC_ASSIGN_OR_RETURN(const std::filesystem::path example, ExampleDirectory(flags.example));
  ReplayRequest request;
  TC_ASSIGN_OR_RETURN(request.options, LoadOptions((example / "tidecast.yaml").string()));
  TC_RETURN_IF_ERROR(ApplyModelFlag(flags.model, &request.options));
  if (flags.port >= 0) request.options.server.port = static_cast<uint16_t>(flags.port);
  request.options.server.enabled = true;
  request.publish = true;
  const auto path_of = [&](const char* name) { return std::filesystem::exists(example / name) ? (example / name).string() : std::string(); };
  TC_ASSIGN_OR_RETURN(request.files, FilesForInputs(request.options, {{"orders", (example / "orders.csv.gz").string()}, {"clicks", path_of("clicks.csv.gz")}}));
  TC_ASSIGN_OR_RETURN(request.speed, ParseReplaySpeed(flags.speed));
  TC_ASSIGN_OR_RETURN(request.history, ParseDurationFlag(flags.history));
  if (!flags.run_for.empty()) {
    TC_ASSIGN_OR_RETURN(request.stop_after, ParseDurationFlag(flags.run_for));
  }
  InstallStopSignal();
  const SystemClock clock;
  Narrator narrator(clock);
  MetricRegistry metrics;
  Serving serving(request.options, clock, metrics);
  // Whoever names a port means that one.
  if (flags.port < 0) serving.AllowAnotherPort();
  TC_ASSIGN_OR_RETURN(const Summary summary, RunReplay(request, clock, metrics, narrator, &serving, [&] {
    if (!serving.note().empty()) narrator.Say("warning", serving.note() + "; the page is on another one");
    fmt::print(stderr,
               "\n  Tidecast {} - a shop's orders of 2010-2011, replayed at {}\n\n"
               "  page      {}\n"
               "  try       curl -s {}v1/forecasts/85123A\n"
               "            curl -s {}v1/alerts\n"
               "            curl -sN {}v1/stream\n"
               "  stop      Ctrl-C\n\n",
               kVersionText, flags.speed, serving.url(), serving.url(), serving.url(), serving.url());
  }));
  // Without --for the page stays until somebody stops it, also when the files have ended.
  if (flags.run_for.empty() && !StopWasAsked()) {
    narrator.Info("the files have ended; the page stays at " + serving.url() + " (Ctrl-C stops)");
    while (!StopWasAsked()) PauseBriefly();
  }
  serving.Stop();
  fmt::print("{}", ToWords(summary));
  return Status::Ok();
}

}  // namespace

void AddDemoVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<DemoFlags>();
  CLI::App* verb = app.add_subcommand("demo", "Replay a real shop's orders through the engine, live on a page; needs nothing else");
  verb->add_option("--for", flags->run_for, "end after this long, e.g. 60s (default: until Ctrl-C)");
  verb->add_option("--speed", flags->speed, "event time a second once the history is loaded")->capture_default_str();
  verb->add_option("--history", flags->history, "event time at the start that is loaded at full speed")->capture_default_str();
  verb->add_option("--model", flags->model, NetKindList() + ", experts or none instead of the config's");
  verb->add_option("--port", flags->port, "port of the page (0: any free one)")->check(CLI::Range(0, 65535));
  verb->add_option("--example", flags->example, "folder with tidecast.yaml, orders.csv.gz and clicks.csv.gz");
  verb->callback([flags, exit_code] {
    if (Status status = Demo(*flags); !status.ok()) *exit_code = ReportError(status);
  });
}

}  // namespace tidecast
