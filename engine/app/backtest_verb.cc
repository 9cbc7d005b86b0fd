#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/app/backtest_page.h"
#include "engine/app/backtest_table.h"
#include "engine/app/error_report.h"
#include "engine/app/flags.h"
#include "engine/app/verbs.h"
#include "engine/app/weights_file.h"
#include "engine/io/text_file.h"
#include "operators/backtest.h"
#include "operators/series_steps.h"

namespace tidecast {
namespace {

struct BacktestFlags {
  BacktestOptions options;
  std::string calendar = "observed";
  std::string levels;
  std::string known, past, statics, seasons, experts;
  std::string model = "lstm";
  std::string weights;
  std::string net = "online";
  std::string domain;
  std::string fill;
  std::string holidays;
  std::string format = "tidecast";
};

Status Backtest(BacktestFlags& flags) {
  BacktestOptions& options = flags.options;
  options.calendar = flags.calendar == "regular" ? BacktestCalendar::kRegular : BacktestCalendar::kObserved;
  if (flags.levels == "none") {
    options.levels.clear();
  } else if (!flags.levels.empty()) {
    options.levels.clear();
    for (const std::string& text : SplitList(flags.levels)) {
      double level = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), level);
      if (error != std::errc{} || end != text.data() + text.size() || !(level > 0 && level < 1)) {
        return Status(Code::kUsage, fmt::format("not a quantile level: {}", text), Domain::kInput)
            .WithRemedy("levels lie between 0 and 1, e.g. 0.1,0.5,0.9");
      }
      options.levels.push_back(level);
    }
  }
  options.season_lengths.clear();
  for (const std::string& text : SplitList(flags.seasons)) {
    int length = 0;
    std::from_chars(text.data(), text.data() + text.size(), length);
    if (length < 1)
      return Status(Code::kUsage, fmt::format("not a season: {}", text), Domain::kInput)
          .WithRemedy("give steps, e.g. --season 24,168");
    options.season_lengths.push_back(length);
  }
  options.known_columns = SplitList(flags.known);
  options.past_columns = SplitList(flags.past);
  options.holidays = SplitList(flags.holidays);
  options.static_columns = SplitList(flags.statics);
  options.forecaster.experts = SplitList(flags.experts);
  options.fill_zero = flags.fill == "zero";
  if (flags.domain == "count") options.domain = ValueDomain::kCount;
  if (flags.domain == "nonneg") options.domain = ValueDomain::kNonNegative;
  if (flags.domain == "real") options.domain = ValueDomain::kReal;
  options.forecaster.net = NetKindOf(flags.model).value();
  TC_RETURN_IF_ERROR(BeginWithWeights(flags.weights, &options.forecaster));
  options.forecaster.net_learning = flags.net == "frozen" ? NetLearning::kFrozen : NetLearning::kOnline;
  options.format = flags.format == "nixtla" ? ForecastFormat::kNixtla : ForecastFormat::kQuantiles;
  TC_ASSIGN_OR_RETURN(const BacktestReport report, RunBacktest(options));
  TC_ASSIGN_OR_RETURN(const std::unique_ptr<TextFile> page,
                      TextFile::Create(options.out_directory + "/report.html", false));
  page->Write(BacktestPage(report, std::filesystem::path(options.series_path).filename().string()));
  TC_RETURN_IF_ERROR(page->Close());
  const bool bold = isatty(STDERR_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  fmt::print(stderr, "{}", BacktestTable(report, bold));
  const BacktestSummary& summary = report.summary;
  const ScoreFigures& figures = report.table.all;
  const auto figure = [](double value) {
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
  };
  const nlohmann::ordered_json json = {{"series", summary.series},
                                       {"buckets", summary.buckets},
                                       {"origins", summary.origins},
                                       {"forecasts", summary.forecasts},
                                       {"wql", figure(figures.wql)},
                                       {"wape", figure(figures.wape)},
                                       {"rmsse", figure(figures.rmsse)},
                                       {"mase", figure(figures.mase)},
                                       {"bias", figure(figures.bias)},
                                       {"cover80", figure(figures.cover[1])},
                                       {"model_cpu_seconds", summary.seconds_models},
                                       {"series_buckets_per_second", summary.series_buckets_per_second},
                                       {"net_steps", summary.stats.net_steps},
                                       {"net_rejected", summary.stats.net_rejected},
                                       {"net_device", summary.stats.device}};
  fmt::print("{}\n", json.dump());
  return Status::Ok();
}

}  // namespace

void AddBacktestVerb(CLI::App& app, int* exit_code) {
  auto flags = std::make_shared<BacktestFlags>();
  BacktestOptions& options = flags->options;
  CLI::App* verb =
      app.add_subcommand("backtest", "Forecast a file of series bucket by bucket, without looking ahead, and score it");
  verb->add_option("--series", options.series_path, "CSV with unique_id,ds,y[,...] or GluonTS JSON Lines; .gz too")->required();
  verb->add_option("--out", options.out_directory, "folder for forecasts.csv, metrics.json and report.html")
      ->required();
  verb->add_option("--freq", options.frequency, fmt::format("{} or auto", kFrequencyNames))->capture_default_str();
  verb->add_option("--horizon", options.horizon, "steps ahead")->capture_default_str();
  verb->add_option("--warmup", options.warmup, "buckets before the first origin")->capture_default_str();
  verb->add_option("--every", options.every, "buckets between origins")->capture_default_str();
  verb->add_option("--calendar", flags->calendar, "observed: the file's distinct ds; regular: every step")
      ->check(CLI::IsMember({"observed", "regular"}))
      ->capture_default_str();
  verb->add_option("--season", flags->seasons, "season lengths in steps instead of the frequency's");
  verb->add_option("--levels", flags->levels, "quantile levels, e.g. 0.1,0.5,0.9, or none for the mean only");
  verb->add_option("--known", flags->known, "columns known ahead");
  verb->add_option("--past", flags->past, "columns known up to the cutoff");
  verb->add_option("--static", flags->statics, "columns that tell about the series");
  verb->add_option("--holidays", flags->holidays,
                   "a known column of holidays: countries (GB-ENG), days (2011-12-27), calendar files (closures.ics), by commas");
  verb->add_option("--domain", flags->domain, "count, nonneg or real instead of inferring it from the warm-up (widened where a later value needs it; inferred counts and amounts that move as prices or hourly loads do are forecast by the experts of reals, but never below 0)")
      ->check(CLI::IsMember({"count", "nonneg", "real"}));
  verb->add_option("--fill", flags->fill, "zero: absent rows are 0 instead of missing")->check(CLI::IsMember({"zero"}));
  verb->add_flag("--full-windows", options.full_windows, "leave out origins whose horizon passes the end");
  verb->add_option("--until", options.until, "last ds of the calendar");
  verb->add_option("--model", flags->model, NetKindList() + " or experts")
      ->check(CLI::IsMember(NetKindWords(true)))
      ->capture_default_str();
  verb->add_option("--weights", flags->weights, "where the net begins: a file of `tidecast pretrain` or `tidecast model export`");
  verb->add_option("--experts", flags->experts, "only these experts, e.g. empirical_960 (models/README.md names them)");
  verb->add_flag("--no-calibration{false}", options.forecaster.calibrate, "quantiles as mixed, for comparisons");
  verb->add_option("--net", flags->net, "online or frozen")
      ->check(CLI::IsMember({"online", "frozen"}))
      ->capture_default_str();
  verb->add_option("--freeze-after", options.forecaster.net_freeze_after_rounds,
                   "buckets in which a frozen net still learns")
      ->capture_default_str();
  verb->add_option("--device", options.forecaster.device, "auto, cpu or cuda")->capture_default_str();
  verb->add_flag(
      "--compare", options.compare,
      "run each expert alone, too, and test against it; the pool's time once more, at the least");
  verb->add_option("--seeds", options.seeds, "runs with as many seeds from --seed on: median and spread of the figures")
      ->capture_default_str();
  verb->add_option("--format", flags->format, "tidecast: q0.1 ...; nixtla: y, median, lo-80, hi-80 ...")
      ->check(CLI::IsMember({"tidecast", "nixtla"}))
      ->capture_default_str();
  verb->add_option("--seed", options.forecaster.seed, "seed")->capture_default_str();
  verb->add_option("--threads", options.threads, "threads; the result is the same")->capture_default_str();
  verb->callback([flags, exit_code] {
    if (Status status = Backtest(*flags); !status.ok()) *exit_code = ReportError(status);
  });
}

}  // namespace tidecast
