#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "engine/app/accuracy_sink.h"
#include "engine/app/error_report.h"
#include "engine/app/event_poster.h"
#include "engine/app/narrator.h"
#include "engine/app/serving.h"
#include "engine/app/stop_signal.h"
#include "engine/app/summary.h"
#include "engine/app/verbs.h"
#include "engine/app/wiring.h"

namespace tidecast {
namespace {

// Of the memory limit, for forecasts that wait for their actuals.
constexpr size_t kAccuracyShare = 64;
constexpr size_t kAccuracyLeast = 2ULL << 20;
constexpr size_t kAccuracyMost = 64ULL << 20;

struct RunFlags {
  std::string config;
  bool until_end = false;
  bool no_server = false;
  int port = -1;
};

Status Run(const RunFlags& flags, int* exit_code) {
  TC_ASSIGN_OR_RETURN(EngineOptions options, LoadOptions(flags.config));
  if (flags.port >= 0) options.server.port = static_cast<uint16_t>(flags.port);
  if (flags.no_server) options.server.enabled = false;
  InstallStopSignal();
  const SystemClock clock;
  Narrator narrator(clock);
  MetricRegistry metrics;
  Serving serving(options, clock, metrics);
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<AccuracySink> accuracy,
                      AccuracySink::Make(options, std::clamp(MemoryLimit(options) / kAccuracyShare, kAccuracyLeast, kAccuracyMost), &metrics));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<WiredEngine> engine, WiredEngine::Make(options, {true, serving.observer(), accuracy.get()}, clock, metrics));
  const Serving::EngineEnd engine_end(&serving);
  Instance& instance = engine->instance();
  TC_RETURN_IF_ERROR(instance.Start());
  TC_RETURN_IF_ERROR(serving.Start(*engine));
  narrator.Info(fmt::format("tidecast runs: instance {}, namespace {}{}", options.instance, options.name_space,
                            serving.url().empty() ? "" : ", page at " + serving.url()));
  const ProcessingTime started = clock.Now();
  bool bounded = false;
  bool idle = false;
  for (;;) {
    if (StopWasAsked()) instance.Stop();
    // The ends of a bounded run are those of its start.
    if (flags.until_end && !bounded && instance.running()) {
      TC_RETURN_IF_ERROR(instance.FinishAtEnd());
      bounded = true;
    }
    TC_ASSIGN_OR_RETURN(const Instance::Progress progress, instance.Step(idle ? 20 : 0));
    if (progress == Instance::Progress::kFinished) break;
    idle = progress == Instance::Progress::kIdle;
    for (const std::string& note : instance.TakeNotes()) narrator.Say("warning", note);
    if (const std::string beginning = instance.TakeBeginning(); !beginning.empty()) narrator.Info(beginning);
    if (narrator.ProgressIsDue()) narrator.Progress(instance.Look(), -1);
  }
  narrator.EndProgress();
  serving.Stop();
  Summary summary = Summarise(instance);
  summary.wql = accuracy->Figures().wql;
  summary.wql_seasonal_naive = accuracy->Figures().wql_seasonal_naive;
  // Without --until-end being stopped is the only way to end.
  summary.interrupted = flags.until_end && StopWasAsked();
  if (summary.interrupted) *exit_code = InterruptedExitCode();
  summary.seconds = static_cast<double>((clock.Now() - started).count()) / 1e6;
  fmt::print("{}\n", ToJson(summary));
  return Status::Ok();
}

}  // namespace

void AddRunVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* verb = app.add_subcommand("run", "Run the engine: read the input topics, forecast, alert, serve the page, until stopped");
  verb->add_option("config", flags->config, "config file")->required();
  verb->add_flag("--until-end", flags->until_end, "read what the inputs hold at the start, close all windows, commit, exit");
  verb->add_flag("--no-server", flags->no_server, "serve neither API nor page");
  verb->add_option("--port", flags->port, "port of API and page (0: any free one)")->check(CLI::Range(0, 65535));
  verb->callback([flags, exit_code] {
    if (Status status = Run(*flags, exit_code); !status.ok()) *exit_code = ReportError(status);
  });
}

}  // namespace tidecast
