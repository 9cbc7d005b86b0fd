#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/app/error_report.h"
#include "engine/app/flags.h"
#include "engine/app/verbs.h"
#include "operators/pretrain.h"
#include "operators/series_steps.h"

namespace tidecast {

void AddPretrainVerb(CLI::App& app, int* exit_code) {
  struct Flags {
    PretrainOptions options;
    std::string model = "lstm";
    bool plain = false;
  };
  auto flags = std::make_shared<Flags>();
  PretrainOptions& options = flags->options;
  CLI::App* verb =
      app.add_subcommand("pretrain", "Teach a net on other series and write its weights, for a warm start");
  verb->add_option("--series", options.series_paths, "CSV with unique_id,ds,y[,...]; may be given several times");
  verb->add_option("--out", options.out_path, "file for the weights")->required();
  verb->add_option("--freq", options.frequency, fmt::format("{} or auto", kFrequencyNames))->capture_default_str();
  verb->add_option("--horizon", options.horizon, "steps ahead")->capture_default_str();
  verb->add_option("--passes", options.passes, "over all series, at most")->capture_default_str();
  verb->add_option("--generated", options.generated, "invented series")->capture_default_str();
  verb->add_option("--generated-buckets", options.generated_buckets, "their length")->capture_default_str();
  verb->add_flag("--plain", flags->plain, "series as they are, without augmentation");
  verb->add_option("--model", flags->model, NetKindList())
      ->check(CLI::IsMember(NetKindWords(false)))
      ->capture_default_str();
  options.forecaster.device = "cpu";
  verb->add_option("--device", options.forecaster.device, "auto, cpu or cuda")->capture_default_str();
  verb->add_option("--provenance", options.provenance, "words that go into the file");
  verb->add_option("--seed", options.forecaster.seed, "seed")->capture_default_str();
  verb->callback([flags, exit_code] {
    flags->options.augment = !flags->plain;
    flags->options.forecaster.net = NetKindOf(flags->model).value();
    const Result<PretrainSummary> summary = Pretrain(flags->options);
    if (!summary.ok()) {
      *exit_code = ReportError(summary.status());
      return;
    }
    const PretrainSummary& done = summary.value();
    const nlohmann::ordered_json json = {
        {"passes", done.passes}, {"best_pass", done.best_pass}, {"steps", done.steps}, {"validation", done.validation}};
    fmt::print("{}\n", json.dump());
  });
}

}  // namespace tidecast
