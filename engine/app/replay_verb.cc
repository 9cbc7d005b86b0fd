#include <CLI/CLI.hpp>
#include <memory>

#include "engine/app/error_report.h"
#include "engine/app/replay_session.h"
#include "engine/app/stop_signal.h"
#include "engine/app/verbs.h"
#include "engine/app/flags.h"

namespace tidecast {
namespace {

struct ReplayFlags {
  std::string config;
  std::string orders, clicks, catalog, promotions, inventory, market;
  std::string speed = "max";
  std::string out;
  std::string state;
  std::string until;
  std::string model;
  std::string experts;
  bool as_is = false;
  bool gzip = false;
  bool no_forecasts = false;
  int threads = 0;
};

Status Replay(const ReplayFlags& flags, int* exit_code) {
  ReplayRequest request;
  TC_ASSIGN_OR_RETURN(request.options, LoadOptions(flags.config));
  TC_RETURN_IF_ERROR(ApplyModelFlag(flags.model, &request.options));
  request.options.model.experts = SplitList(flags.experts);
  if (flags.threads > 0) request.options.threads = flags.threads;
  request.options.server.enabled = false;
  TC_ASSIGN_OR_RETURN(request.files, FilesForInputs(request.options, {{"orders", flags.orders}, {"clicks", flags.clicks}, {"catalog", flags.catalog},
                                                                      {"promotions", flags.promotions}, {"inventory", flags.inventory}, {"market", flags.market}}));
  TC_ASSIGN_OR_RETURN(request.speed, ParseReplaySpeed(flags.speed));
  if (!flags.until.empty()) {
    TC_ASSIGN_OR_RETURN(request.until, ParseUntilFlag(flags.until, request.options));
  }
  request.order = flags.as_is ? FileFeeder::Order::kAsIs : FileFeeder::Order::kEventTime;
  request.out = flags.out;
  request.state_directory = flags.state;
  request.gzip = flags.gzip;
  request.write_forecasts = !flags.no_forecasts;
  InstallStopSignal();
  const SystemClock clock;
  Narrator narrator(clock);
  MetricRegistry metrics;
  TC_ASSIGN_OR_RETURN(const Summary summary, RunReplay(request, clock, metrics, narrator, nullptr, [] {}));
  fmt::print(stderr, "{}", ToWords(summary));
  if (summary.interrupted) {
    narrator.Say("warning", flags.state.empty() ? "the replay was cut short: its results end where it was stopped"
                                                : fmt::format("the replay was cut short; the same command goes on from {}", flags.state));
    *exit_code = InterruptedExitCode();
  }
  fmt::print("{}\n", ToJson(summary));
  return Status::Ok();
}

}  // namespace

void AddReplayVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<ReplayFlags>();
  CLI::App* verb = app.add_subcommand("replay", "Replay files as a stream through the whole engine and write what it makes");
  verb->add_option("--orders", flags->orders, "CSV or JSON Lines, .gz too")->required();
  verb->add_option("--clicks", flags->clicks, "the same for clicks");
  verb->add_option("--catalog", flags->catalog, "the same for catalog facts");
  verb->add_option("--promotions", flags->promotions, "the same for promotions");
  verb->add_option("--inventory", flags->inventory, "the same for inventory");
  verb->add_option("--market", flags->market, "the same for market prices");
  verb->add_option("--config,-c", flags->config, "config file")->required();
  verb->add_option("--speed", flags->speed, "max, 60x (times real time) or 2d/s (event time a second)")->capture_default_str();
  verb->add_option("--out,-o", flags->out, "folder for features.csv, forecasts.csv, alerts.jsonl, late.jsonl, dlq.jsonl, summary.json");
  verb->add_option("--state", flags->state, "state directory to use and keep (default: a temporary one)");
  verb->add_option("--until", flags->until, "feed only events before this date (YYYY-MM-DD)");
  verb->add_option("--model", flags->model, NetKindList() + ", experts or none instead of the config's");
  verb->add_option("--experts", flags->experts, "only these experts, e.g. smoothing_5 (models/README.md names them)");
  verb->add_option("--threads", flags->threads, "threads instead of the config's; the result is the same");
  verb->add_flag("--as-is", flags->as_is, "keep the files' order instead of ordering by event time");
  verb->add_flag("--gzip", flags->gzip, "write .csv.gz");
  verb->add_flag("--no-forecasts", flags->no_forecasts, "leave out forecasts.csv and trends.csv, by far the largest; they are scored all the same");
  verb->callback([flags, exit_code] {
    if (Status status = Replay(*flags, exit_code); !status.ok()) *exit_code = ReportError(status);
  });
}

}  // namespace tidecast
